"""What the delivery is told by its environment, and what things on AWS are called."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Mapping

BRANCH = "master"  # the one branch that is released


def _setting(name: str, default: float) -> float:
    return field(default=default, metadata={"name": name})


@dataclass(frozen=True)
class Settings:
    """How long to wait for what, in seconds, unless said otherwise. The defaults suit AWS itself."""

    project: str = "colophon"
    poll: float = _setting("DELIVERY_POLL", 3)  # between two looks
    rollout: float = _setting("DELIVERY_ROLLOUT_TIMEOUT", 600)  # and as long again to undo it
    migration: float = _setting("DELIVERY_MIGRATION_TIMEOUT", 600)
    proof: float = _setting("DELIVERY_PROOF_TIMEOUT", 120)
    answers: float = _setting("DELIVERY_PROOF_ANSWERS", 5)  # how many in a row prove it
    scan: float = _setting("DELIVERY_SCAN_TIMEOUT", 120)  # for the registry to scan an image
    lease: float = _setting("DELIVERY_LEASE", 120)  # after which a lease ends that nobody renews
    visit: float = _setting("DELIVERY_VISIT", 0.25)  # between two visits of the availability meter


def settings(environment: Mapping[str, str] = os.environ) -> Settings:
    """Return the settings that the environment has. Raises UsageError for one that cannot be used, naming it."""
    project = environment.get("PROJECT") or Settings.project
    # The stacks' own rule (ecs/network.yml).
    if len(project) > 20 or not re.fullmatch(r"(?!aws|ecs|fargate)[a-z][a-z0-9]*(-[a-z0-9]+)*", project):
        raise click.UsageError(f"PROJECT: {project!r} is not up to 20 small letters, digits and single hyphens.")
    numbers = {}
    for each in fields(Settings):
        name = each.metadata.get("name")
        given = environment.get(name) if name else None
        if name and given:
            try:
                numbers[each.name] = float(given)
            except ValueError:
                raise click.UsageError(f"{name}: {given!r} is not a number.") from None
            if not 0 <= numbers[each.name] < float("inf"):
                raise click.UsageError(f"{name}: {given} is not a number from 0 up.")
    return Settings(project, **numbers)


@dataclass(frozen=True)
class Names:
    """What the stacks in ecs/ call things, all after the project."""

    project: str
    account: str
    region: str

    @property
    def bucket(self) -> str:
        """The bucket of receipts and of the lease."""
        return f"{self.project}-receipts-{self.account}-{self.region}"

    @property
    def log_group(self) -> str:
        """The group of the tasks' logs."""
        return f"/{self.project}/site"

    @property
    def released_image(self) -> str:
        """The parameter that says which image is released, or `none`. Whoever proves a release writes it."""
        return f"/{self.project}/released-image"

    @property
    def site_url(self) -> str:
        """The parameter that says at which address visitors find the site."""
        return f"/{self.project}/site-url"
