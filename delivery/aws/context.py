"""The context of calls to AWS: the account, its names, the timeouts, and this checkout."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from delivery.aws.client import Aws
    from delivery.aws.names import Names
    from delivery.deployment.cancellation import Poller
    from delivery.settings import Settings


@dataclass(frozen=True)
class Context:
    """The context that all calls of a step share."""

    aws: Aws
    names: Names
    settings: Settings
    root: Path
    poller: Poller
    identity: str  # the ARN that AWS knows the caller by

    @property
    def folder(self) -> Path:
        """build/, where files are left for people to read."""
        folder = self.root / "build"
        folder.mkdir(exist_ok=True)
        return folder
