"""This release's identity and proof: what /colophon and /release.json show.

The build writes release.json and puts it into the image; release.schema.json says what stands in it. A copy without one
is run by hand, and says so.
"""

from __future__ import annotations

import json
import platform
import re
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fastjsonschema

from .task import Task, image_and_task

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

VERSION = "1.0.0"
RELEASE = Path(__file__).parents[2] / "release.json"
REQUIREMENTS = RELEASE.with_name("requirements.txt")
SCHEMA = Path(__file__).with_name("release.schema.json")
HEADER = "Colophon-Release"
_PINNED = re.compile(r"^([A-Za-z0-9._-]+)==", re.MULTILINE)
_LICENCE_CLASSIFIER = "License :: OSI Approved :: "


class PassportError(RuntimeError):
    """release.json is no passport. The message is one sentence; Gunicorn shows no more than that of a RuntimeError."""


@dataclass(frozen=True)
class Tests:
    """How many tests the release was put to, and how long they took, in seconds."""

    total: int
    passed: int
    failed: int
    skipped: int
    seconds: float


@dataclass(frozen=True)
class Coverage:
    """How much of the code the tests visited, in percent."""

    lines: float
    branches: float


@dataclass(frozen=True)
class Scan:
    """What was looked for, by which tool, and the verdict: passed, failed or not run."""

    name: str
    tool: str
    verdict: str
    findings: int | None
    note: str | None


@dataclass(frozen=True)
class Component:
    """An installed package; `licence` is an SPDX expression where the package gives one."""

    name: str
    version: str
    licence: str
    summary: str


@dataclass(frozen=True)
class GateException:
    """A finding that may stand until a day: one of the passport's exceptions."""

    id: str
    reason: str
    until: date


@dataclass(frozen=True, kw_only=True)
class Passport:
    """What release.json holds, key by key."""

    state: str
    commit: str | None = None
    ref: str | None = None
    version: str
    built_at: datetime | None = None
    pipeline_url: str | None = None
    python: str
    tests: Tests | None = None
    coverage: Coverage | None = None
    scans: tuple[Scan, ...] = ()
    components: tuple[Component, ...]
    exceptions: tuple[GateException, ...] = ()
    image_digest: str | None = None
    task: Task | None = None

    @property
    def name(self) -> str:
        """The commit or, for what was made of none, 'working-copy'."""
        return self.commit or "working-copy"

    @property
    def label(self) -> str:
        return f"release {self.commit[:7]}" if self.commit else "working copy"

    def json(self) -> str:
        """Return the text of release.json."""
        return json.dumps(asdict(self), ensure_ascii=False, allow_nan=False, indent=2, default=_written) + "\n"


def current() -> Passport:
    """Return the passport of the release that is running, and where it runs. Raises PassportError."""
    digest, task = image_and_task()
    return replace(read(), image_digest=digest, task=task)


def read() -> Passport:
    """Return the passport that the build made, or else a working copy's.

    Raises PassportError when there is a release.json that cannot be read or does not obey the schema.
    """
    try:
        return parse(RELEASE.read_bytes())
    except FileNotFoundError:
        return Passport(
            state="working-copy",
            version=VERSION,
            python=platform.python_version(),
            components=_components(REQUIREMENTS),
        )
    except OSError as error:
        raise PassportError(f"{RELEASE} cannot be read: {error.strerror}.") from None


def parse(text: str | bytes) -> Passport:
    """Return the passport that JSON holds. Raises PassportError."""
    try:
        stated = json.loads(text)
        _schema()(stated, name_prefix="release.json")
        passport = _passport(stated)
        passport.json().encode()  # JSON of Python's may hold what cannot be sent: Infinity, half a character
    except fastjsonschema.JsonSchemaException as error:
        raise PassportError(f"The release's passport is of another shape: {error}.") from None
    except (ValueError, RecursionError) as error:
        raise PassportError(f"The release's passport is damaged: {error}.") from None
    return passport


def with_release_header(app: WSGIApplication, release: Passport) -> WSGIApplication:
    """Return the app behind one that names the release in each answer, whichever part of the site makes it."""
    header = (HEADER, release.name)

    def call(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        def answer(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            return start_response(status, [*headers, header], exc_info)

        return app(environ, answer)

    return call


@cache
def _schema() -> Callable[..., Any]:
    validate: Callable[..., Any] = fastjsonschema.compile(json.loads(SCHEMA.read_text(encoding="utf-8")))
    return validate


def _passport(stated: dict[str, Any]) -> Passport:
    built_at, tests, coverage, task = (stated[key] for key in ("built_at", "tests", "coverage", "task"))
    return Passport(
        **stated
        | {
            "built_at": built_at and datetime.fromisoformat(built_at),
            "tests": tests and Tests(**tests),
            "coverage": coverage and Coverage(**coverage),
            "scans": tuple(Scan(**scan) for scan in stated["scans"]),
            "components": tuple(Component(**component) for component in stated["components"]),
            "exceptions": tuple(
                GateException(**exception | {"until": date.fromisoformat(exception["until"])})
                for exception in stated["exceptions"]
            ),
            "task": task and Task(**task),
        }
    )


def _written(moment: date) -> str:
    return moment.isoformat().replace("+00:00", "Z")


@cache
def _components(lock: Path) -> tuple[Component, ...]:
    """Return what the site is made of: the packages that a lock file names, as they are installed."""
    found = []
    for name in _PINNED.findall(lock.read_text(encoding="utf-8")):
        try:
            package = metadata.metadata(name)
        except metadata.PackageNotFoundError:
            continue  # the lock names it for another platform
        found.append(Component(package["Name"], package["Version"], _licence(package), package["Summary"] or ""))
    return tuple(sorted(found, key=lambda component: component.name.lower()))


def _licence(package: metadata.PackageMetadata) -> str:
    stated = package.json
    classifiers = [
        value.removeprefix(_LICENCE_CLASSIFIER)
        for value in stated.get("classifier", [])
        if value.startswith(_LICENCE_CLASSIFIER)
    ]
    # Some packages put the whole text of their licence where its name belongs.
    written = str(stated.get("license", "")).split("\n")[0]
    return str(stated.get("license_expression") or " AND ".join(classifiers) or written or "not stated")
