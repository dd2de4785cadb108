"""ministack itself: the one version that this package extends, told what it is to be before it is loaded."""

from __future__ import annotations

import logging
import os
from importlib import metadata

VERSION = "1.5.33"
# The account itself is called by its number as the access key, and this; roles get keys of their own from STS.
ROOT_SECRET = "not-a-secret"  # noqa: S105


class VersionError(Exception):
    """Another ministack than the one whose insides are replaced here."""


def check(installed: str | None = None) -> None:
    """Raise VersionError unless the ministack that is installed is the one that this package knows from the inside."""
    try:
        found = installed or metadata.version("ministack")
    except metadata.PackageNotFoundError:
        found = "none"
    if found != VERSION:
        raise VersionError(
            f"The rehearsal's emulator replaces parts of ministack {VERSION}, and {found} is installed: install "
            "tests/rehearsal/requirements.txt."
        )


def settle(port: int, region: str, account: str) -> None:
    """Set what ministack reads when it is loaded; call it before the first import of it.

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
    # What they say at the start is of no use here: an address that is served, a library that is not needed.
    for name in ("hypercorn.error", "kms"):
        logging.getLogger(name).setLevel(logging.ERROR)
