"""The command line as a program: `python -m colophon`."""

import signal
import sys

from .cli import main

# The first process of a container ignores a signal without a handler, and a statement that is cancelled releases its
# locks. The exit code is the one that the signal itself would give.
signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
main(prog_name="python -m colophon")
