"""A person at a terminal."""

from __future__ import annotations

import getpass
import os
import socket
from typing import TYPE_CHECKING

from delivery.deployment.seam import Pipeline

if TYPE_CHECKING:
    from collections.abc import Mapping


class Person(Pipeline):
    """A user of this machine, with the credentials that they have set up."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self.pushed_image = variables.get("IMAGE")
        try:
            name = getpass.getuser()
        except (KeyError, OSError):  # a container's user may have no name
            name = str(os.getuid())
        self.user = f"{name}@{socket.gethostname()}"
