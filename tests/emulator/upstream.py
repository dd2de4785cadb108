"""The one version of ministack that this package extends, and its settings, which it reads when it is loaded."""

from __future__ import annotations

import logging
import os
from importlib import metadata

VERSION = "1.5.33"
# The secret of the account's root, whose access key is the account's number; roles get keys from STS.
ROOT_SECRET = "not-a-secret"  # noqa: S105


class VersionError(Exception):
    """Another version of ministack is installed than the one whose internals are replaced here."""


def check(installed: str | None = None) -> None:
    """Raise VersionError unless the right version of ministack is installed."""
    try:
        found = installed or metadata.version("ministack")
    except metadata.PackageNotFoundError:
        found = "none"
    if found != VERSION:
        needed = f"The emulator replaces parts of ministack {VERSION}, and {found} is installed"
        raise VersionError(f"{needed}: install tests/emulator/requirements.txt.")


def settle(port: int, region: str, account: str) -> None:
    """Set the variables that ministack reads when it is loaded; call this before its first import.

    It listens at a port of the loopback address, enforces policies, keeps nothing, and starts none of the servers
    beside its API.
    """
    os.environ.pop("AWS_SESSION_TOKEN", None)
    os.environ.update(
        AWS_ACCESS_KEY_ID=account,
        AWS_SECRET_ACCESS_KEY=ROOT_SECRET,
        GATEWAY_PORT=str(port),
        MINISTACK_HOST="127.0.0.1",
        MINISTACK_REGION=region,
        AWS_DEFAULT_REGION=region,
        MINISTACK_ACCOUNT_ID=account,
        AUTH="true",
        SFTP_ENABLED="0",
        IOT_MTLS_ENABLED="0",
        PERSIST_STATE="0",
        S3_PERSIST="0",
        LOG_LEVEL=os.environ.get("LOG_LEVEL", "WARNING"),
    )
    # Their messages at the start are noise: an address that is served, a library that is not needed.
    for name in ("hypercorn.error", "kms"):
        logging.getLogger(name).setLevel(logging.ERROR)
