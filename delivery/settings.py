"""The delivery's timeouts and intervals, from the environment."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Mapping


def _setting(name: str, default: float) -> float:
    return field(default=default, metadata={"name": name})


@dataclass(frozen=True)
class Settings:
    """Each in seconds unless a comment says otherwise. The defaults suit AWS itself."""

    poll: float = _setting("DELIVERY_POLL", 3)  # between two polls
    rollout: float = _setting("DELIVERY_ROLLOUT_TIMEOUT", 600)  # and as long again to undo it
    migration: float = _setting("DELIVERY_MIGRATION_TIMEOUT", 600)
    proof: float = _setting("DELIVERY_PROOF_TIMEOUT", 120)
    answers: float = _setting("DELIVERY_PROOF_ANSWERS", 5)  # the number of answers in a row that prove it
    scan: float = _setting("DELIVERY_SCAN_TIMEOUT", 120)  # for the registry to scan an image
    lock: float = _setting("DELIVERY_LOCK", 120)  # until a lock expires that is not renewed
    visit: float = _setting("DELIVERY_VISIT", 0.25)  # between two visits of the availability meter


def settings(environment: Mapping[str, str] = os.environ) -> Settings:
    """Return the settings in the environment. Raises UsageError, which names the variable, for a bad one."""
    numbers = {}
    for each in fields(Settings):
        name = each.metadata["name"]
        given = environment.get(name)
        if given:
            try:
                numbers[each.name] = float(given)
            except ValueError:
                raise click.UsageError(f"{name}: {given!r} is not a number.") from None
            if not 0 <= numbers[each.name] < float("inf"):
                raise click.UsageError(f"{name}: {given} must be 0 or more.")
    return Settings(**numbers)
