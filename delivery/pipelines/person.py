"""A person at a terminal."""

from __future__ import annotations

import getpass
import os
import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class Person:
    """A user of this machine, with the credentials that they have set up."""

    automatic = protected = False
    branch = ref = commit = url = began = job_url = None
    protect, job = "", "by-hand"

    def __init__(self, variables: Mapping[str, str]) -> None:
        self.pushed_image = variables.get("IMAGE")
        self.identity_token = variables.get("AWS_ID_TOKEN")

    @property
    def user(self) -> str:
        """The user and the machine."""
        try:
            name = getpass.getuser()
        except (KeyError, OSError):  # a container's user may have no name
            name = str(os.getuid())
        return f"{name}@{socket.gethostname()}"
