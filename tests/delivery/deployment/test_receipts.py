"""Receipts: those of the first schema, which had no number, count as today's do."""

import json
from pathlib import Path

import pytest

from delivery.deployment.receipts import SCHEMA

FIRST = json.loads(Path(__file__).with_name("receipt-of-the-first-schema.json").read_text())


@pytest.fixture
def upgraded(aws, commits, deploy):
    """A release of today's, after one whose receipt is of the first schema."""
    first = FIRST | {"commit": commits.old, "digest": aws.digest(commits.old)}
    aws.objects[f"receipts/2026-01-01T00:00:00.000000Z-{commits.old}.json"] = json.dumps(first).encode(), '"first"'
    assert deploy().exit_code == 0
    return commits


def test_a_rollback_goes_to_a_release_that_was_proven_under_the_first_schema(deliver, aws, upgraded):
    assert deliver("rollback", "--yes").exit_code == 0
    assert upgraded.old in aws.images[aws.image_of(aws.running_definition).partition("@")[2]]["tags"]


def test_the_history_lists_both_in_today_s_words(deliver, upgraded):
    newest, first = json.loads(deliver("history", "--json").stdout)
    assert (newest["schema"], first["schema"]) == (SCHEMA, 1)
    assert set(first) == set(newest)
    assert (first["proven"], first["revision"]) == (True, FIRST["task_definition"])
    assert first["by"]["user"] == FIRST["by"]["who"]
    assert FIRST["by"]["who"] in deliver("history").output
