"""This release's identity and proof: what /colophon shows. A checkout that is run by hand says that it is one."""

from __future__ import annotations

import platform
import re
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

VERSION = "1.0.0"
REQUIREMENTS = Path(__file__).parents[1] / "requirements.txt"
_PINNED = re.compile(r"^([A-Za-z0-9._-]+)==", re.MULTILINE)
_LICENCE_CLASSIFIER = "License :: OSI Approved :: "


class Component(NamedTuple):
    """An installed package; `licence` is an SPDX expression where the package gives one."""

    name: str
    version: str
    licence: str
    summary: str


@dataclass(frozen=True)
class Passport:
    state: str
    version: str
    python: str
    commit: str | None
    components: tuple[Component, ...]

    @property
    def label(self) -> str:
        return f"release {self.commit[:7]}" if self.commit else "working copy"


@cache
def current() -> Passport:
    """Return the passport of the release that is running."""
    return Passport("working-copy", VERSION, platform.python_version(), None, _components())


def _components() -> tuple[Component, ...]:
    """Return what the site is made of: the packages that its lock file names, as they are installed."""
    found = []
    for name in _PINNED.findall(REQUIREMENTS.read_text(encoding="utf-8")):
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
