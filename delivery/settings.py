"""The delivery's timeouts and intervals, from the environment."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Mapping

AWS_CLI = "DELIVERY_AWS_CLI"  # 1 or 2: the version of the aws CLI that makes the calls


def _setting(name: str, default: float) -> float:
    return field(default=default, metadata={"name": name})


@dataclass(frozen=True)
class Settings:
    """Each in seconds unless a comment says otherwise. The defaults suit AWS itself."""

    poll: float = _setting("DELIVERY_POLL", 3)  # between two polls
    # The stages of a rollout (deployment/seam.py), each for all the time spent in it; and as long again to undo it.
    capacity: float = _setting("DELIVERY_CAPACITY_TIMEOUT", 900)  # also for the migration's task
    start: float = _setting("DELIVERY_START_TIMEOUT", 600)
    healthy: float = _setting("DELIVERY_HEALTHY_TIMEOUT", 600)
    test: float = _setting("DELIVERY_TEST_TIMEOUT", 600)
    shift: float = _setting("DELIVERY_SHIFT_TIMEOUT", 600)
    bake: float = _setting("DELIVERY_BAKE_TIMEOUT", 900)  # to watch a proven release; its end undoes nothing
    progress: float = _setting("DELIVERY_PROGRESS_TIMEOUT", 300)  # without any change in stages start to shift
    migration: float = _setting("DELIVERY_MIGRATION_TIMEOUT", 600)  # from its task's start
    proof: float = _setting("DELIVERY_PROOF_TIMEOUT", 120)
    answers: float = _setting("DELIVERY_PROOF_ANSWERS", 5)  # the number of answers in a row that prove it
    scan: float = _setting("DELIVERY_SCAN_TIMEOUT", 120)  # for the registry to scan an image
    lock: float = _setting("DELIVERY_LOCK", 120)  # until a lock is taken over that is not renewed
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


def variable(field_name: str) -> str:
    """Return the name of the environment variable of a setting."""
    return next(str(each.metadata["name"]) for each in fields(Settings) if each.name == field_name)
