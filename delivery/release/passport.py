"""The release's passport, release.json: who made this release, from what, and on what reports."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from delivery.release import reports

if TYPE_CHECKING:
    from pathlib import Path

    from delivery.release.checkout import Checkout


@dataclass(frozen=True)
class Origin:
    """The pipeline that builds a release: its URL, and when it began, in ISO 8601. None by hand."""

    url: str | None = None
    began: str | None = None


def issue(
    of_image: dict[str, Any], checkout: Checkout, origin: Origin, reports_folder: Path, site: str
) -> dict[str, Any]:
    """Return the passport of a release: what the image says of itself, with its commit and the evidence for it.

    Evidence of another commit counts for nothing, and a warning says so; nor does a scan of another `site`, the digest
    of what the image holds beside its passport. The schema is in the site's folder, release.schema.json.
    """
    tests = coverage = scans = None
    if _is_of(checkout, reports.tested(reports_folder), "tests", "make test"):
        tests, coverage = reports.of_tests(reports_folder), reports.of_coverage(reports_folder)
    found = reports.of_scans(reports_folder)
    if _is_of(checkout, found["commit"] if found else None, "scans", "make scan"):
        scans = found
    seen = [each for each in (scans, reports.of_image(reports_folder, site)) if each]
    return of_image | {
        "state": "released",
        "commit": checkout.commit,
        "ref": checkout.ref,
        "built_at": built_at(checkout, origin.began).strftime("%Y-%m-%dT%H:%M:%SZ"),
        # Visitors are sent nowhere that is not encrypted.
        "pipeline_url": origin.url if (origin.url or "").startswith("https://") else None,
        "tests": tests,
        "coverage": coverage,
        "scans": [scan for each in seen for scan in each["scans"]],
        "exceptions": seen[-1]["exceptions"] if seen else [],
    }


def built_at(checkout: Checkout, began: str | None = None) -> datetime:
    """Return when the pipeline began that builds this; by hand, when the commit was made.

    So a commit that is built twice becomes the same image. SOURCE_DATE_EPOCH overrules it, in seconds since 1970
    (reproducible-builds.org). Raises ClickException for one that is no number.
    """
    given = os.environ.get("SOURCE_DATE_EPOCH")
    if given is not None:
        try:
            return datetime.fromtimestamp(int(given), UTC)
        except (ValueError, OverflowError, OSError):
            raise click.ClickException(f"SOURCE_DATE_EPOCH: {given!r} is not a number of seconds.") from None
    return datetime.fromisoformat(began).astimezone(UTC) if began else checkout.committed_at


def _is_of(checkout: Checkout, commit: str | None, what: str, line: str) -> bool:
    if commit == checkout.commit:
        return True
    of = f"are of {commit[:7]}{' with changes' if commit.endswith('-dirty') else ''}" if commit else "have not run"
    click.secho(f"The {what} {of}: this release's passport will have none. `{line}` makes them.", fg="yellow", err=True)
    return False
