"""Passports to test with: what the build writes, and what it might."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from colophon.release import passport
from colophon.release.task import Task

if TYPE_CHECKING:
    from pathlib import Path

    from colophon.release.passport import Passport

COMMIT = "5f0c2d19a4be7763c1d08e5fa96b3c2471e8d0ab"
DIGEST = "sha256:" + "9c41e7b2" * 8
TASK = Task("158d1c8083dd49d6b527399fd6414f5c", "colophon:42", "eu-west-1a")
RELEASED: dict[str, Any] = {
    "state": "released",
    "commit": COMMIT,
    "ref": "master",
    "version": "1.0.0",
    "built_at": "2026-11-21T10:00:00Z",
    "pipeline_url": "https://gitlab.example.org/library/colophon/-/pipelines/1201",
    "python": "3.13.5",
    "tests": {"total": 1203, "passed": 1199, "failed": 0, "skipped": 4, "seconds": 252.4},
    "coverage": {"lines": 96.4, "branches": 91.2},
    "scans": [
        {"name": "secrets", "tool": "trivy 0.76.0", "verdict": "passed", "findings": 0, "note": None},
        {"name": "misconfigurations", "tool": "trivy 0.76.0", "verdict": "passed", "findings": 1, "note": None},
        {"name": "licences", "tool": "trivy 0.76.0", "verdict": "passed", "findings": 0, "note": None},
        {
            "name": "vulnerabilities",
            "tool": "trivy 0.76.0",
            "verdict": "not run",
            "findings": None,
            "note": "The database of vulnerabilities could not be reached.",
        },
    ],
    "components": [
        {"name": "click", "version": "8.5.0", "licence": "BSD-3-Clause", "summary": "A toolkit for command lines"},
        {"name": "Flask", "version": "3.1.2", "licence": "BSD-3-Clause", "summary": "A small framework"},
    ],
    "exceptions": [
        {"id": "AVD-DS-0026", "reason": "The load balancer asks for health; the image need not.", "until": "2027-05-01"}
    ],
    "image_digest": None,
    "task": None,
}


def stated(**changed: Any) -> dict[str, Any]:
    """Return what a release.json holds, changed in places."""
    return RELEASED | changed


def released(**changed: Any) -> Passport:
    """Return the passport of a release."""
    return passport.parse(json.dumps(stated(**changed)))


def lay_out(folder: Path) -> Path:
    """Lay a folder out as a released image has it, a release.json beside the package, and return it."""
    source = passport.RELEASE.parent
    for name in ("colophon", "requirements.txt", "gunicorn.conf.py"):
        (folder / name).symlink_to(source / name)
    (folder / "release.json").write_text(json.dumps(RELEASED), encoding="utf-8")
    return folder
