"""An instance's first start, as far as UserData goes: cloud-init reads it, and runs what it takes for a script.

    python -m tests.ecs.first_boot ROOT PACKAGES <UserData

ROOT is the script's file system, PACKAGES the folder of cloud-init's modules. Changing the root takes root.
"""

import logging
import os
import sys
from pathlib import Path

sys.path.append(sys.argv[2])

from cloudinit import handlers, helpers, settings, subp, user_data
from cloudinit.handlers.shell_script import ShellScriptPartHandler

root = Path(sys.argv[1])
# Cloud-init has handlers of its own, which keep what it says to themselves.
logging.basicConfig(level=logging.WARNING, format="%(message)s", force=True)
paths = helpers.Paths({"cloud_dir": str(root / "var/lib/cloud"), "run_dir": str(root / "run")})
takers = helpers.ContentHandlers()
takers.register(ShellScriptPartHandler(paths))
found = user_data.UserDataProcessor(paths).process(sys.stdin.buffer.read())
state = {"handlers": takers, "excluded": [], "frequency": settings.PER_INSTANCE, "data": None}
handlers.walk(found, handlers.walker_callback, state)

os.chroot(root)
os.chdir("/")
subp.runparts("/" + os.path.relpath(paths.get_ipath_cur("scripts"), root))
