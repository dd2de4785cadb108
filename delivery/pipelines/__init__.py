"""The pipelines that run a step, and the person who does without one."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from delivery.pipelines.gitlab import GitLab
from delivery.pipelines.person import Person

if TYPE_CHECKING:
    from collections.abc import Mapping

    from delivery.deployment.seam import Pipeline


def current(variables: Mapping[str, str] = os.environ) -> Pipeline:
    """Return what runs this process, by its environment variables."""
    return GitLab(variables) if variables.get("CI") else Person(variables)
