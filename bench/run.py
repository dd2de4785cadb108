"""The benchmark, as `make bench` starts it; `--help` says the rest."""

import runpy
import sys
from pathlib import Path

# A script finds its own folder's modules; the package of them is found from the folder above.
sys.path[0] = str(Path(__file__).resolve().parents[1])
runpy.run_module("bench", run_name="__main__")
