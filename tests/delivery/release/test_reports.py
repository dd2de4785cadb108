"""The reports that the test stage left."""

import click
import pytest

from delivery.release import reports

JUNIT = """<?xml version="1.0" encoding="utf-8"?>
<testsuites name="pytest tests"><testsuite name="pytest" errors="1" failures="2" skipped="3" tests="20" time="12.345">
<testcase classname="a" name="b" time="0.1" /></testsuite></testsuites>"""
COVERAGE = '<?xml version="1.0" ?><coverage line-rate="0.9812" branch-rate="0.9555" lines-valid="9"/>'


def test_errors_count_as_failures_and_what_is_left_passed(tmp_path):
    (tmp_path / "junit.xml").write_text(JUNIT)
    assert reports.of_tests(tmp_path) == {"total": 20, "passed": 14, "failed": 3, "skipped": 3, "seconds": 12.3}


def test_coverage_is_told_in_per_cent(tmp_path):
    (tmp_path / "coverage.xml").write_text(COVERAGE)
    assert reports.of_coverage(tmp_path) == {"lines": 98.1, "branches": 95.5}


def test_what_did_not_run_left_nothing(tmp_path):
    assert reports.of_tests(tmp_path) is None
    assert reports.of_coverage(tmp_path) is None
    assert reports.of_scans(tmp_path) is None
    assert reports.tested(tmp_path) is None


@pytest.mark.parametrize(
    ("name", "read"),
    [("junit.xml", reports.of_tests), ("coverage.xml", reports.of_coverage), ("scans.json", reports.of_scans)],
)
def test_half_a_report_is_refused_by_name(tmp_path, name, read):
    (tmp_path / name).write_text("<testsuites")
    with pytest.raises(click.ClickException, match=f"{name} is damaged"):
        read(tmp_path)
