"""What is to be deployed, and what a check of it answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from delivery.aws.ecs import task_definition

if TYPE_CHECKING:
    from delivery.aws.client import Json
    from delivery.aws.ecs.service import Situation


class No(Exception):  # noqa: N818 -- an answer
    """A check says no. What was found, then what to change."""

    def __init__(self, sentence: str, change: str = "") -> None:
        super().__init__(sentence)
        self.change = change


class Warn(Exception):  # noqa: N818 -- an answer
    """A check cannot tell, or found what is no reason to stop."""


@dataclass
class Wanted:
    """What is to be deployed: a commit, and its image once the registry was asked. `back` is a rollback.

    `expected` is the digest that the image must have, None when nobody has said.
    """

    commit: str
    expected: str | None = None
    back: bool = False
    allow_older: bool = False
    situation: Situation = field(kw_only=True)

    @cached_property
    def image(self) -> Json | None:
        """The image in the registry that is tagged with the commit."""
        return self.situation.registry.image(commit=self.commit)

    @property
    def digest(self) -> str:
        """The image's digest."""
        found: str = (self.image or {})["imageDigest"]
        return found

    @property
    def name(self) -> str:
        """The image by its digest, as everything names it from here on."""
        # The service's image is always of this repository, even the one that there never was (ecs/service.yml).
        present = task_definition.image(self.situation.definition) or ""
        return f"{task_definition.repository(present)}@{self.digest}"
