"""The result of a rehearsal: a table for people, and build/rehearsal.json for programs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.emulator import LIMITATIONS

from .account import ROOT
from .clone import git

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from .stage import Played

NOT_REHEARSED = {
    "GitLab": "gitlab-ci-local plays the pipeline: no runner registers, no resource_group locks, nothing is retried",
    "protected branches and variables": "GitLab's own; here every job is given the variables that a branch lacks",
    "jobs in images": "they run on this machine itself, each in a folder of its own, with the packages that are there",
    "the whole suite in the test job": "one file of it; make test runs the rest",
    "the scan for vulnerabilities": "with SCAN_OFFLINE=1 it is left out, and the passport says so",
    **LIMITATIONS,
}
NARROW = 30  # columns that a diagnosis needs


def table(scenes: list[Played], width: int) -> list[str]:
    """Return the lines of a table with a row for each scene, and the scene's problems below its row.

    Where `width` columns are too few, the diagnosis stands below as well.
    """
    name = max(len(scene.name) for scene in scenes)
    outcome = max(len("outcome"), *(len(scene.outcome) for scene in scenes))
    lines = [f"    {'scene':<{name}}  {'outcome':<{outcome}}  code  seconds  requests  failed"]
    beside = width - len(lines[0]) - 2
    if beside >= NARROW:
        lines[0] += "  diagnosis"
    for scene in scenes:
        seconds = "-" if scene.seconds is None else f"{scene.seconds:.1f}"
        code = "-" if scene.exit_code is None else scene.exit_code
        lines.append(
            f"{'ok ' if scene.passed else 'NO '} {scene.name:<{name}}  {scene.outcome:<{outcome}}  {code:>4}  "
            f"{seconds:>7}  {scene.requests:>8}  {scene.failed_requests:>6}"
        )
        below = list(scene.problems)
        if scene.diagnosis and beside >= NARROW:
            lines[-1] += f"  {_short(scene.diagnosis, beside)}"
        elif scene.diagnosis:
            below.insert(0, scene.diagnosis)
        lines += [f"      {_short(line, max(NARROW, width - 6))}" for line in below]
    return lines


def _short(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"


def write(
    path: Path, scenes: list[Played], seconds_to_first: float, seconds: float, not_rehearsed: Mapping[str, str]
) -> None:
    """Write the whole result as JSON. Times in seconds."""
    found = {
        "commit": git("rev-parse", "HEAD", cwd=ROOT),
        "seconds_to_first_scene": seconds_to_first,
        "seconds": seconds,
        "scenes": [scene.as_json() for scene in scenes],
        "not_rehearsed": [{"what": what, "why": why} for what, why in not_rehearsed.items()],
    }
    path.write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
