"""The passport that the build issues: what it says of a commit, and what it does not take anyone's word for."""

import json
from datetime import UTC, datetime
from pathlib import Path

import click
import jsonschema_rs
import pytest

from delivery.release import passport
from delivery.release.checkout import Checkout

COMMIT = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
OF_IMAGE = {
    "state": "working-copy",
    "commit": None,
    "ref": None,
    "version": "1.0.0",
    "built_at": None,
    "pipeline_url": None,
    "python": "3.13.5",
    "tests": None,
    "coverage": None,
    "scans": [],
    "components": [{"name": "Flask", "version": "3.1.3", "licence": "BSD-3-Clause", "summary": "A framework"}],
    "exceptions": [],
    "image_digest": None,
    "task": None,
}
BY_HAND = passport.Origin()
SITE = "sha256:" + "5" * 64  # what the image holds beside its passport
SCHEMA = Path(__file__).parents[3] / "src/colophon/release/release.schema.json"


@pytest.fixture
def source():
    return Checkout(Path(), COMMIT, "master", datetime(2026, 3, 1, 12, tzinfo=UTC), ())


@pytest.fixture(autouse=True)
def by_hand(runner):
    """No pipeline's variables."""


@pytest.fixture
def reports(tmp_path):
    (tmp_path / "tested").write_text(f"{COMMIT}\n")
    (tmp_path / "junit.xml").write_text('<testsuite tests="3" failures="0" errors="0" skipped="1" time="2.5"/>')
    (tmp_path / "coverage.xml").write_text('<coverage line-rate="0.98" branch-rate="0.9"/>')
    scans = [{"name": "secrets", "tool": "trivy 0.76.0", "verdict": "passed", "findings": 0, "note": None}]
    granted = [{"id": "DS-0026", "reason": "It is a job, not a service", "until": "2027-05-01"}]
    (tmp_path / "scans.json").write_text(json.dumps({"commit": COMMIT, "scans": scans, "exceptions": granted}))
    return tmp_path


def test_a_release_names_its_commit_and_the_evidence_for_it(source, reports):
    issued = passport.issue(OF_IMAGE, source, BY_HAND, reports, SITE)
    assert issued["state"] == "released"
    assert (issued["commit"], issued["ref"]) == (COMMIT, "master")
    assert issued["tests"] == {"total": 3, "passed": 2, "failed": 0, "skipped": 1, "seconds": 2.5}
    assert issued["coverage"] == {"lines": 98.0, "branches": 90.0}
    assert [scan["verdict"] for scan in issued["scans"]] == ["passed"]
    assert [exception["until"] for exception in issued["exceptions"]] == ["2027-05-01"]
    assert issued["components"] == OF_IMAGE["components"]


def test_what_is_issued_obeys_the_schema_with_evidence_and_without(source, reports, tmp_path):
    validator = jsonschema_rs.validator_for(json.loads(SCHEMA.read_text()))
    validator.validate(passport.issue(OF_IMAGE, source, BY_HAND, reports, SITE))
    validator.validate(passport.issue(OF_IMAGE, source, BY_HAND, tmp_path / "nowhere", SITE))


@pytest.mark.parametrize("commit", ["0" * 40, f"{COMMIT}-dirty"])
def test_evidence_of_anything_but_this_very_commit_counts_for_nothing(source, reports, capsys, commit):
    (reports / "tested").write_text(commit)
    scans = json.loads((reports / "scans.json").read_text())
    (reports / "scans.json").write_text(json.dumps(scans | {"commit": commit}))
    issued = passport.issue(OF_IMAGE, source, BY_HAND, reports, SITE)
    assert (issued["tests"], issued["coverage"], issued["scans"], issued["exceptions"]) == (None, None, [], [])
    warnings = capsys.readouterr().err
    assert f"The tests are of {commit[:7]}" in warnings
    assert f"The scans are of {commit[:7]}" in warnings


def test_without_evidence_a_release_says_how_to_get_it(source, tmp_path, capsys):
    passport.issue(OF_IMAGE, source, BY_HAND, tmp_path, SITE)
    assert "The tests have not run" in (warnings := capsys.readouterr().err)
    assert "`make test`" in warnings
    assert "`make scan`" in warnings


def test_a_scan_of_the_image_stands_in_the_passport_when_it_saw_the_same_site(source, reports):
    scans = [{"name": "image secrets", "tool": "trivy 0.76.0", "verdict": "passed", "findings": 0, "note": None}]
    granted = [{"id": "CVE-2099-0001", "reason": "It is never called", "until": "2027-05-01"}]
    written = {"site": SITE, "verdict": "passed", "scans": scans, "exceptions": granted}
    (reports / "image-scans.json").write_text(json.dumps(written))
    issued = passport.issue(OF_IMAGE, source, BY_HAND, reports, SITE)
    assert [scan["name"] for scan in issued["scans"]] == ["secrets", "image secrets"]
    assert issued["exceptions"] == granted
    other = passport.issue(OF_IMAGE, source, BY_HAND, reports, "sha256:" + "6" * 64)
    assert [scan["name"] for scan in other["scans"]] == ["secrets"]


def test_a_release_is_dated_by_its_pipeline(source, reports):
    url = "https://gitlab.example.org/books/colophon/-/pipelines/12"
    issued = passport.issue(OF_IMAGE, source, passport.Origin(url, "2026-03-02T09:30:00+02:00"), reports, SITE)
    assert issued["built_at"] == "2026-03-02T07:30:00Z"
    assert issued["pipeline_url"] == url


def test_a_pipeline_without_encryption_is_not_linked_to(source, reports):
    origin = passport.Origin("http://gitlab.example.org/books/colophon/-/pipelines/12")
    assert passport.issue(OF_IMAGE, source, origin, reports, SITE)["pipeline_url"] is None


def test_by_hand_it_is_dated_by_its_commit_so_that_two_builds_are_one(source, reports, monkeypatch):
    assert passport.issue(OF_IMAGE, source, BY_HAND, reports, SITE)["built_at"] == "2026-03-01T12:00:00Z"
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
    assert passport.issue(OF_IMAGE, source, BY_HAND, reports, SITE)["built_at"] == "1970-01-01T00:00:00Z"


def test_a_date_that_is_none_is_refused(source, reports, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
    with pytest.raises(click.ClickException, match="SOURCE_DATE_EPOCH: 'yesterday'"):
        passport.issue(OF_IMAGE, source, BY_HAND, reports, SITE)
