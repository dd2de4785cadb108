"""The passport of a release: its identity and evidence, which /colophon and /release.json show.

The build writes release.json into the image; release.schema.json describes it. A copy without one is a working copy,
and says so.
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
    """The passport is damaged. The message is one sentence, as Gunicorn shows only the message of a RuntimeError."""


@dataclass(frozen=True)
class Tests:
    """The tests of the release, and their duration in seconds."""

    total: int
    passed: int
    failed: int
    skipped: int
    seconds: float


@dataclass(frozen=True)
class Coverage:
    """Test coverage, in percent."""

    lines: float
    branches: float


@dataclass(frozen=True)
class Scan:
    """A scan, its tool and its verdict: passed, failed or not run."""

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
    """A finding that a gate accepts until a day."""

    id: str
    reason: str
    until: date


@dataclass(frozen=True, kw_only=True)
class Passport:
    """The contents of release.json."""

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
        """The commit, or 'working-copy' without one."""
        return self.commit or "working-copy"

    @property
    def label(self) -> str:
        """The name for people: 'release 5f0c2d1' or 'working copy'."""
        return f"release {self.commit[:7]}" if self.commit else "working copy"

    def json(self) -> str:
        """Return the text of release.json."""
        return json.dumps(asdict(self), ensure_ascii=False, allow_nan=False, indent=2, default=_written) + "\n"


def current() -> Passport:
    """Return the passport of this release, with the image and task that it runs in. Raises PassportError."""
    digest, task = image_and_task()
    return replace(read(), image_digest=digest, task=task)


def read() -> Passport:
    """Return the passport that the build wrote, or that of a working copy.

    Raises PassportError for a release.json that cannot be read or does not match its schema.
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
    """Return the passport in a JSON text. Raises PassportError."""
    try:
        stated = json.loads(text)
        _schema()(stated, name_prefix="release.json")
        passport = _passport(stated)
        passport.json().encode()  # Python reads what JSON cannot hold: Infinity, a lone surrogate
    except fastjsonschema.JsonSchemaException as error:
        raise PassportError(f"The release's passport does not match its schema: {error}.") from None
    except (ValueError, RecursionError) as error:
        raise PassportError(f"The release's passport is damaged: {error}.") from None
    return passport


def with_release_header(app: WSGIApplication, release: Passport) -> WSGIApplication:
    """Return an app that adds the header with the release's name to each response of another."""
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
    """Return the installed packages that a lock file names."""
    found = []
    for name in _PINNED.findall(lock.read_text(encoding="utf-8")):
        try:
            package = metadata.metadata(name)
        except metadata.PackageNotFoundError:
            continue  # a package for another platform
        found.append(Component(package["Name"], package["Version"], _licence(package), package["Summary"] or ""))
    return tuple(sorted(found, key=lambda component: component.name.lower()))


def _licence(package: metadata.PackageMetadata) -> str:
    stated = package.json
    classifiers = [
        value.removeprefix(_LICENCE_CLASSIFIER)
        for value in stated.get("classifier", [])
        if value.startswith(_LICENCE_CLASSIFIER)
    ]
    # Some packages have the whole text of their licence in the field for its name.
    written = str(stated.get("license", "")).split("\n")[0]
    return str(stated.get("license_expression") or " AND ".join(classifiers) or written or "not stated")
