"""Gunicorn's configuration of the site, but for one thing: each worker loads the site for itself."""

import runpy
from pathlib import Path

globals().update(runpy.run_path(str(Path(__file__).resolve().parents[1] / "src" / "gunicorn.conf.py")))
preload_app = False
# It warms up what the first process has preloaded.
globals().pop("when_ready")
