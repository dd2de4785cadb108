"""The outcome of a deployment that left the service as it was."""

import pytest

from delivery.deployment.outcomes import Cause, Outcome, unchanged


@pytest.mark.parametrize(
    ("may_pass", "changes", "outcome"),
    [
        (True, {}, Outcome.UNAVAILABLE),
        (False, {}, Outcome.REFUSED),
        (True, {"the image was tagged": True}, Outcome.REFUSED),
        (True, {"the image was tagged": False}, Outcome.REFUSED),
    ],
)
def test_it_is_unavailable_only_where_nothing_at_all_can_have_been_changed(may_pass, changes, outcome):
    ended = unchanged(Cause("a-kind", "A sentence."), changes, may_pass=may_pass)
    assert (ended.outcome, ended.exit_code, ended.changes) == (outcome, outcome.code, changes)
