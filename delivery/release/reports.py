"""The reports of the test stage in build/: test totals, coverage, scans."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import click

if TYPE_CHECKING:
    from pathlib import Path

# `make test` writes here which commit it tested, with "-dirty" when files differed from it.
STAMP = "tested"
IMAGE_SCANS = "image-scans.json"


def of_tests(folder: Path) -> dict[str, Any] | None:
    """Return the totals of the JUnit report: tests by outcome, and seconds. None where there is no report."""
    suites = _parse(folder / "junit.xml")
    if suites is None:
        return None
    total, failed, skipped = (
        sum(int(suite.get(name, 0)) for suite in suites.iter("testsuite") for name in names)
        for names in (("tests",), ("failures", "errors"), ("skipped",))
    )
    seconds = sum(float(suite.get("time", 0)) for suite in suites.iter("testsuite"))
    return {
        "total": total,
        "passed": total - failed - skipped,
        "failed": failed,
        "skipped": skipped,
        "seconds": round(seconds, 1),
    }


def of_coverage(folder: Path) -> dict[str, float] | None:
    """Return the shares of lines and branches that the tests reached, in per cent. None where there is no report."""
    report = _parse(folder / "coverage.xml")
    if report is None:
        return None
    return {
        "lines": round(float(report.get("line-rate", 0)) * 100, 1),
        "branches": round(float(report.get("branch-rate", 0)) * 100, 1),
    }


def of_scans(folder: Path) -> dict[str, Any] | None:
    """Return what `scan` wrote: `commit`, `scans` and `exceptions`. None where it has not run."""
    return _read(folder / "scans.json")


def of_image(folder: Path, site: str) -> dict[str, Any] | None:
    """Return what `scan-image` wrote: `scans`, `exceptions`, `verdict`, `site`. None where it saw another site."""
    found = _read(folder / IMAGE_SCANS)
    return found if found and found["site"] == site else None


def verdict_on_image(folder: Path, site: str) -> str | None:
    """Return whether a scan of this site `passed`, `failed` or was `not run`. None where there was none."""
    found = of_image(folder, site)
    return str(found["verdict"]) if found else None


def tested(folder: Path) -> str | None:
    """Return which commit the reports on tests are of, None where they do not say."""
    stamp = folder / STAMP
    return stamp.read_text(encoding="utf-8").strip() or None if stamp.exists() else None


def _read(report: Path) -> dict[str, Any] | None:
    if not report.exists():
        return None
    try:
        found: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))
    except ValueError as error:
        raise _damaged(report, error) from None
    return found


def _parse(report: Path) -> ElementTree.Element | None:
    if not report.exists():
        return None
    try:
        return ElementTree.parse(report).getroot()  # noqa: S314 -- written by this checkout's own tests
    except ElementTree.ParseError as error:
        raise _damaged(report, error) from None


def _damaged(report: Path, error: Exception) -> click.ClickException:
    return click.ClickException(f"{report} is damaged ({error}). Run `make test scan` again.")
