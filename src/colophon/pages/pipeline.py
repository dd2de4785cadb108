"""The stages of the pipeline with the results of this release, for the drawing on the colophon's page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..web.templating import moment, plural

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..release.passport import Passport

# Characters of a line that fit the drawing; the text beside it has the whole line.
LINE_LENGTH = 29
SHORT_COMMIT = 12
SHORT_DIGEST = len("sha256:") + 12
SHORT_ID = 8


@dataclass(frozen=True)
class Entry:
    """A line of a stage; `verdict` (passed, failed, not run) is the sign in front of it."""

    text: str
    ending: str = ""
    verdict: str | None = None

    @property
    def whole(self) -> str:
        """The whole line."""
        return self.text + self.ending

    @property
    def short(self) -> str:
        """The line cut to the length of the drawing, with its ending."""
        room = LINE_LENGTH - len(self.ending)
        text = self.text if len(self.text) <= room else f"{self.text[: room - 1].rstrip()}…"
        return text + self.ending


@dataclass(frozen=True)
class Stage:
    """A stage of the pipeline; `reached` if this copy of the site passed through it."""

    name: str
    reached: bool
    entries: tuple[Entry, ...]


def stages(release: Passport) -> list[Stage]:
    """Return the stages of a release, from its commit to where it runs."""
    if release.commit is None:
        return [
            Stage("Commit", True, (Entry("a checkout, started by hand"),)),
            Stage("Test", False, (Entry("no pipeline tested it"),)),
            Stage("Scan", False, (Entry("nothing scanned it"),)),
            Stage("Build", False, (Entry("no image was built"),)),
            Stage("Deploy", False, (Entry("not deployed"),)),
        ]
    return [
        Stage("Commit", True, tuple(_commit(release))),
        Stage("Test", bool(release.tests and release.tests.total), tuple(_tests(release))),
        Stage("Scan", any(scan.verdict != "not run" for scan in release.scans), tuple(_scans(release))),
        Stage("Build", True, tuple(_build(release))),
        Stage("Deploy", bool(release.image_digest or release.task), tuple(_deploy(release))),
    ]


def _commit(release: Passport) -> Iterator[Entry]:
    yield Entry((release.commit or "")[:SHORT_COMMIT])
    if release.ref:
        yield Entry(f"on {release.ref}")


def _tests(release: Passport) -> Iterator[Entry]:
    tests = release.tests
    if tests is None:
        yield Entry("no results on record")
    elif not tests.total:
        yield Entry("there were no tests")
    else:
        yield Entry(f"{tests.passed:,} passed", verdict="passed")
        if tests.failed:
            yield Entry(f"{tests.failed:,} failed", verdict="failed")
        if tests.skipped:
            yield Entry(f"{tests.skipped:,} skipped", verdict="not run")
    if release.coverage:
        yield Entry(f"{release.coverage.lines}% of lines covered")


def _scans(release: Passport) -> Iterator[Entry]:
    for scan in release.scans:
        yield Entry(scan.name, f": {scan.verdict}", scan.verdict)
    if not release.scans:
        yield Entry("none on record")


def _build(release: Passport) -> Iterator[Entry]:
    if release.pipeline_url and release.built_at:
        yield Entry(moment(release.built_at))
    else:
        yield Entry("by hand")
    yield Entry(f"{plural(len(release.components), 'part', 'parts')}, Python {release.python}")


def _deploy(release: Passport) -> Iterator[Entry]:
    if release.image_digest:
        yield Entry(release.image_digest[:SHORT_DIGEST])
    if release.task:
        yield Entry(" in ".join(filter(None, (f"task {release.task.id[:SHORT_ID]}", release.task.zone))))
    if not (release.image_digest or release.task):
        yield Entry("no metadata from Amazon ECS")
