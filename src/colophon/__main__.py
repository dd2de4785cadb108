import signal

from .cli import main

# To end what waits, or works, as Ctrl-C does: the first process of a container is not ended by a signal that it has
# no handler for, and a statement that is cancelled keeps no lock.
signal.signal(signal.SIGTERM, signal.default_int_handler)
main(prog_name="python -m colophon")
