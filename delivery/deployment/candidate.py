"""The release to deploy."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Set
    from pathlib import Path

    from delivery.deployment.seam import Image, Pipeline, Target


@dataclass
class Candidate:
    """A commit of a checkout, its branch, and its image in the target's registry.

    `expected` is the digest that the image must have, None for any. `scanned` is the digest of the image that this
    checkout's own scan passed. `exceptions` are the findings that a scan may have. `rollback` is set for a release that
    was proven before.
    """

    commit: str
    root: Path
    branch: str
    pipeline: Pipeline
    target: Target[Any]
    expected: str | None = None
    scanned: str | None = None
    exceptions: Set[str] = field(default_factory=frozenset)
    rollback: bool = False
    allow_older: bool = False

    @cached_property
    def found(self) -> Image | None:
        """The image, None where the registry has none. Raises CallError."""
        return self.target.registry.find(self.commit)

    @property
    def image(self) -> Image:
        """The image, once the preflight has found it."""
        assert self.found is not None  # noqa: S101 -- checked by the preflight
        return self.found

    @cached_property
    def name(self) -> str:
        """The image's name, REPOSITORY@DIGEST, once the preflight has found it. Raises CallError."""
        return self.target.registry.name(self.image)
