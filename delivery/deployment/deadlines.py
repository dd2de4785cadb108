"""The deadlines of a change: one for each stage, and one for a change of anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from delivery.deployment.seam import Stage
from delivery.settings import variable

if TYPE_CHECKING:
    from delivery.deployment.seam import Progress
    from delivery.settings import Settings

# In these nothing changes for as long as they last.
STILL = (Stage.CAPACITY, Stage.BAKE)


class Deadlines:
    """The deadlines of one change from its first look.

    A stage's time is all that is spent in it: tasks that start and end in turn do not begin it anew.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._spent = dict.fromkeys(Stage, 0.0)
        self._seen: Progress | None = None
        self._looked = self._changed = 0.0

    def spent(self, stage: Stage) -> float:
        """Return the seconds spent in a stage so far."""
        return self._spent[stage]

    def look(self, progress: Progress, passed: float) -> str | None:
        """Take in the progress `passed` seconds after the first look. Returns the sentence of a missed deadline."""
        before, stage = self._seen, progress.stage
        if before:
            self._spent[before.stage] += passed - self._looked
        if before is None or (before.state, before.stage, before.counts) != (progress.state, stage, progress.counts):
            self._changed = passed
        self._seen, self._looked = progress, passed
        name = stage.name.lower()
        limit: float = getattr(self._settings, name)
        if self._spent[stage] >= limit:
            return f"It was {stage.value} for {limit:.0f} s ({variable(name)})."
        if stage not in STILL and passed - self._changed >= self._settings.progress:
            unchanged = f"nothing changed for {self._settings.progress:.0f} s ({variable('progress')})"
            return f"While it was {stage.value}, {unchanged}."
        return None
