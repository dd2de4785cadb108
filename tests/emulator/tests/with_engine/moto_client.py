"""The client of the emulator's tests with moto behind it: an AWS that was not written here, in this process."""

from __future__ import annotations

from typing import Any

from moto import mock_aws

from tests.emulator import client


def answered(line: str) -> dict[str, Any]:
    """Return what the client says of a call, or the failure of moto itself as an error."""
    try:
        return client.answered(line)
    except Exception as failure:
        return {"error": "moto failed", "message": repr(failure)}


if __name__ == "__main__":
    with mock_aws():
        client.main(answered)
