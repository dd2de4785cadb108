"""The command line as a program: `python -m colophon`."""

import signal

from .cli import main

# SIGTERM ends a command as Ctrl-C does. The first process of a container ignores a signal without a handler, and a
# statement that is cancelled releases its locks.
signal.signal(signal.SIGTERM, signal.default_int_handler)
main(prog_name="python -m colophon")
