"""What ends the benchmark early."""


class BenchError(RuntimeError):
    """The measurement would not mean what it says. The message is one sentence."""
