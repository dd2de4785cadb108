"""`python -m delivery`."""

from .cli import main

main(prog_name="python -m delivery")
