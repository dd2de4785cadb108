"""`python -m delivery`."""

from delivery.cli import main

main(prog_name="python -m delivery")
