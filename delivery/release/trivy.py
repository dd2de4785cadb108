"""Scans by Trivy for secrets, misconfigurations, licences and vulnerabilities, and the exceptions from them."""

from __future__ import annotations

import json
import shutil
import sys
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import click
import yaml

from delivery.terminal.shell import CommandError, output

if TYPE_CHECKING:
    from collections.abc import Iterator

EXCEPTIONS = Path(__file__).parents[1] / "exceptions.yaml"
CONFIG = Path(__file__).parents[1] / "trivy.yaml"
# Trivy's name for each, what it looks at, and where its report lists the findings.
SCANS = {
    "secrets": ("secret", ".", "Secrets"),
    "misconfigurations": ("misconfig", ".", "Misconfigurations"),
    "licences": ("license", "src/requirements.txt", "Licenses"),
    "vulnerabilities": ("vuln", "src/requirements.txt", "Vulnerabilities"),
}
NO_DATABASE = "the database of vulnerabilities could not be downloaded"


@dataclass(frozen=True)
class Scan:
    """One scan's verdict, as it stands in the passport; `details` are its findings, a sentence each."""

    name: str
    tool: str
    verdict: str
    findings: int | None
    note: str | None
    details: tuple[str, ...] = ()


def scan_checkout(root: Path, *, offline: bool) -> list[Scan]:
    """Run every scan on what Git would commit of a checkout. Raises CommandError."""
    with _as_committed(root) as copy:
        return [_scan(name, None, copy, offline) for name in SCANS]


def scan_image(image: str, root: Path, *, offline: bool) -> list[Scan]:
    """Run every scan on an image but the one that only a checkout has. Raises CommandError."""
    return [_scan(name, image, root, offline) for name in SCANS if name != "misconfigurations"]


def write(report: Path, about: dict[str, str], scans: list[Scan], exceptions: list[dict[str, str]]) -> None:
    """Write a report on scans."""
    report.parent.mkdir(exist_ok=True)
    shown = [{key: value for key, value in asdict(found).items() if key != "details"} for found in scans]
    report.write_text(json.dumps(about | {"scans": shown, "exceptions": exceptions}, indent=2) + "\n", encoding="utf-8")


def exceptions(path: Path | None = None) -> list[dict[str, str]]:
    """Return the exceptions that hold today: `id`, `reason` and `until`, a date.

    The file is Trivy's own (its documentation: "Filtering", .trivyignore.yaml). Raises ClickException for one without
    a reason or an end.
    """
    path, found = path or EXCEPTIONS, []
    for kind, entries in (yaml.safe_load(path.read_text(encoding="utf-8")) or {}).items():
        for entry in entries or []:
            until = entry.get("expired_at")
            if not (isinstance(until, date) and entry.get("statement")):
                raise click.ClickException(
                    f"{path.name}: {entry.get('id', 'an entry')} of {kind} needs a `statement` and a date `expired_at`."
                )
            if until >= datetime.now(UTC).date():
                found.append({"id": entry["id"], "reason": entry["statement"].strip(), "until": until.isoformat()})
    return sorted(found, key=lambda exception: exception["id"])


def _scan(name: str, image: str | None, root: Path, offline: bool) -> Scan:
    scanner, target, key = SCANS[name]
    tool = f"trivy {_version()}"
    name = f"image {name}" if image else name
    if scanner == "vuln" and offline:
        return Scan(name, tool, "not run", None, NO_DATABASE)
    command = ["trivy", "image" if image else "filesystem", "--quiet", "--config", str(CONFIG)]
    command += ["--ignorefile", str(EXCEPTIONS), "--scanners", scanner, "--format", "json"]
    if scanner == "license":
        command += ["--severity", "UNKNOWN,HIGH,CRITICAL"]
    if image:
        command += ["--pkg-types", "os,library" if scanner == "vuln" else "library"]
    # Licences are read from the packages that are installed beside this very interpreter.
    environment = {"VIRTUAL_ENV": sys.prefix}
    try:
        report = json.loads(output(*command, image or target, cwd=root, env=environment))
    except CommandError as error:
        if scanner == "vuln" and "DB" in error.errors:
            return Scan(name, tool, "not run", None, NO_DATABASE)
        raise
    details = tuple(
        _sentence(result, finding)
        for result in report.get("Results", [])
        for finding in result.get(key, [])
        if not (image and scanner == "vuln" and finding["Severity"] == "HIGH" and not finding.get("FixedVersion"))
    )
    return Scan(name, tool, "failed" if details else "passed", len(details), None, details)


def _version() -> str:
    return str(json.loads(output("trivy", "version", "--format", "json", quiet=True))["Version"])


def _sentence(result: dict[str, Any], finding: dict[str, Any]) -> str:
    what = finding.get("RuleID") or finding.get("VulnerabilityID") or finding.get("ID") or finding.get("Name")
    of = finding.get("PkgName")
    line = finding.get("StartLine") or finding.get("CauseMetadata", {}).get("StartLine")
    where = f"{result['Target']}{f':{line}' if line else ''}{f' ({of})' if of else ''}"
    return f"{where}: {what}, {finding['Severity'].lower()}{f': {title}' if (title := finding.get('Title')) else ''}"


@contextmanager
def _as_committed(root: Path) -> Iterator[Path]:
    """Copy what Git would commit of this checkout to a folder that is gone afterwards."""
    names = output("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=root, quiet=True)
    with TemporaryDirectory() as folder:
        for name in filter(None, names.split("\0")):
            if (root / name).is_file():
                copy = Path(folder, name)
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(root / name, copy)
        yield Path(folder)
