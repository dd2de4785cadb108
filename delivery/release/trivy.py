"""`scan` and `scan-image`: the secrets, misconfigurations, licences and vulnerabilities that Trivy finds."""

from __future__ import annotations

import json
import shutil
import sys
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import click
import yaml

from delivery.commands.session import root_option
from delivery.release import checkout, image, reports
from delivery.terminal.shell import CommandError, output

if TYPE_CHECKING:
    from collections.abc import Iterator

EXCEPTIONS = Path(__file__).parents[1] / "exceptions.yaml"
CONFIG = Path(__file__).parents[1] / "trivy.yaml"
# What Trivy calls each, what it is asked to look at, and where its report lists what it found.
SCANS = {
    "secrets": ("secret", ".", "Secrets"),
    "misconfigurations": ("misconfig", ".", "Misconfigurations"),
    "licences": ("license", "src/requirements.txt", "Licenses"),
    "vulnerabilities": ("vuln", "src/requirements.txt", "Vulnerabilities"),
}
NO_DATABASE = "the database of vulnerabilities could not be had"


@dataclass(frozen=True)
class Scan:
    """One scan's verdict, as it stands in the passport; `details` are its findings, a sentence each."""

    name: str
    tool: str
    verdict: str
    findings: int | None
    note: str | None
    details: tuple[str, ...] = ()


offline_option = click.option(
    "--offline",
    is_flag=True,
    envvar="SCAN_OFFLINE",
    help="Do without the scan for vulnerabilities, whose database must be downloaded. The passport will say so.",
)


@click.command()
@offline_option
@root_option
def scan(offline: bool, root: Path) -> None:
    """Scan this checkout, changes not yet committed included, and write the verdicts to build/scans.json.

    Findings of high or critical severity fail it, except those that delivery/exceptions.yaml grants, until the day
    that stands there. Exit code 1: something was found, or a scan could not run.
    """
    exceptions = granted(EXCEPTIONS)
    with _as_committed(root) as copy:
        scans = [_scan(name, None, copy, offline) for name in SCANS]
    commit = output("git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*", cwd=root, quiet=True)
    _write(root / "build" / "scans.json", {"commit": commit.strip()}, scans, exceptions)
    _require(scans, offline=offline)


@click.command("scan-image")
@offline_option
@image.base_option
@image.reports_option
@root_option
def scan_image(offline: bool, base: str | None, reports_folder: Path | None, root: Path) -> None:
    """Scan the image that `build` made, with its operating system, and bake the verdicts into its passport.

    Nothing else in it is changed. Findings of critical severity fail it, and those of high severity that somebody has
    mended, except those that delivery/exceptions.yaml grants: such an image cannot be pushed. Exit code 1: something
    was found, or a scan could not run.
    """
    source, described = checkout.read(root), image.described(root)
    if described["commit"] != source.commit:
        raise click.ClickException(f"{described['image']} is not of {source.commit}. `make build` first.")
    exceptions = granted(EXCEPTIONS)
    scans = [_scan(name, described["id"], root, offline) for name in SCANS if name != "misconfigurations"]
    verdicts = {found.verdict for found in scans}
    verdict = next(each for each in ("failed", "not run", "passed") if each in verdicts)
    about = {"site": described["site"], "verdict": verdict}
    _write((reports_folder or root / "build") / reports.IMAGE_SCANS, about, scans, exceptions)
    image.write(root, described | {"scan": verdict})
    _require(scans, offline=offline)
    made = image.make(source, base, reports_folder)
    if made["scan"] != verdict:
        raise click.ClickException("The engine has made another site than was scanned: run `make scan-image` again.")
    with suppress(CommandError):  # it may be gone already
        if (
            output("docker", "image", "inspect", "--format", "{{.RepoTags}}", described["id"], quiet=True).strip()
            == "[]"
        ):
            output("docker", "image", "rm", described["id"], quiet=True)
    click.echo(f"{made['image']} says so in its passport: id {made['id']}, content {made['content']}")


def _write(report: Path, about: dict[str, str], scans: list[Scan], exceptions: list[dict[str, str]]) -> None:
    report.parent.mkdir(exist_ok=True)
    shown = [{key: value for key, value in asdict(found).items() if key != "details"} for found in scans]
    report.write_text(json.dumps(about | {"scans": shown, "exceptions": exceptions}, indent=2) + "\n", encoding="utf-8")


def _require(scans: list[Scan], *, offline: bool) -> None:
    """Tell what was found, and exit with 1 when that is too much."""
    for found in scans:
        _tell(found)
    if any(found.verdict == "failed" or (found.verdict == "not run" and not offline) for found in scans):
        sys.exit(1)


def granted(path: Path) -> list[dict[str, str]]:
    """Return the exceptions that are granted today: `id`, `reason` and `until`, a date.

    The file is Trivy's own (its documentation: "Filtering", .trivyignore.yaml). Raises ClickException for one without
    a reason or an end.
    """
    found = []
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


def _tell(found: Scan) -> None:
    colour = {"passed": "green", "failed": "red"}.get(found.verdict, "yellow")
    click.secho(f"{found.name}: {found.verdict}{f', {found.note}' if found.note else ''}", fg=colour)
    for sentence in found.details:
        click.echo(f"  {sentence}")


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
