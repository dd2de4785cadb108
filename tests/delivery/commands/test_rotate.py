"""`rotate`: another user serves, the one before gets a new password, and no task is ever a user that cannot log in."""

import json
import os
import signal

import pytest

from delivery.aws.database_users import OTHER
from delivery.aws.stacks.update import ECS
from delivery.deployment.outcomes import Outcome
from tests.cloudformation import parse
from tests.delivery.aws.fake_cli import Fault
from tests.delivery.aws.resources import NEXT_USER_NAME, SITE_USER_NAME

WRITES = ("secretsmanager", "put-secret-value")


def can_log_in(aws, user):
    return aws.passwords[user["username"]] == user["password"]


@pytest.fixture
def rotate(deliver, aws, commits):
    """Rotate, while after each call the tasks that run, and any that would be started, can log in."""

    def check(service, operation, given):
        answer = respond(service, operation, given)
        assert can_log_in(aws, aws.serving), (service, operation)
        assert can_log_in(aws, aws.users[SITE_USER_NAME]), (service, operation)
        return answer

    respond, aws.program._answer = aws.program._answer, check
    return lambda: deliver("rotate")


def is_rotated(aws, before):
    """Tell whether another user serves than before, and the one before has a new password in the database."""
    site, following = aws.users[SITE_USER_NAME], aws.users[NEXT_USER_NAME]
    return (
        aws.serving == site
        and site["username"] != before["username"] == following["username"]
        and following["password"] != before["password"]
        and can_log_in(aws, following)
    )


def test_another_user_serves_and_the_old_password_is_of_no_use(rotate, aws, commits):
    before = aws.serving
    for _ in range(2):
        result = rotate()
        assert result.exit_code == 0, result.output
        assert aws.running_definition == aws.service_definition
        assert is_rotated(aws, before)
        before = aws.serving
    assert [receipt["kind"] for receipt in aws.receipts] == ["rotation"] * 2
    assert all(receipt["proven"] and receipt["commit"] == commits.old for receipt in aws.receipts)
    assert aws.lock["holder"] is None


def test_what_runs_is_deployed_again_and_nothing_else(rotate, aws, commits):
    image = aws.image_of(aws.service_definition)
    rotate()
    assert aws.image_of(aws.service_definition) == image


def test_no_password_is_printed_or_kept(rotate, aws, root):
    known = {user["password"] for user in aws.users.values()}
    result = rotate()
    known |= {user["password"] for user in aws.users.values()}
    assert len(known) == 3
    written = result.output + str(aws.program.calls) + "".join(path.read_text() for path in (root / "build").iterdir())
    assert not [password for password in known if password in written]


def calls_of_a_rotation(rotate, aws):
    """Return the number of calls that a rotation makes, and leave the account as it was."""
    state = aws.state()
    rotate()
    count = len(aws.program.calls)
    aws.restore(state)
    return count


def test_after_one_that_was_interrupted_anywhere_the_next_ends_right(rotate, aws, monkeypatch):
    state, outcomes = aws.state(), set()
    for number in range(2, calls_of_a_rotation(rotate, aws)):  # the first says who calls
        aws.restore(state)
        before = aws.serving
        called = iter(range(1, 1000))
        respond = aws.program._answer

        def stop(service, operation, given, number=number, called=called, respond=respond):
            if next(called) == number:
                os.kill(os.getpid(), signal.SIGTERM)
            return respond(service, operation, given)

        aws.program._answer = stop
        outcomes.add(rotate().exit_code)
        aws.program._answer = respond
        again = rotate()
        assert again.exit_code == 0, again.output
        assert aws.serving["password"] != before["password"]
        assert can_log_in(aws, aws.users[NEXT_USER_NAME])
        assert before["password"] not in aws.passwords.values()
    assert outcomes == {0, Outcome.CANCELLED.code, Outcome.FAILED.code}


def test_a_rotation_whose_release_is_not_proven_leaves_what_ran(rotate, aws):
    aws.scripts = [["IN_PROGRESS", "ROLLBACK_SUCCESSFUL"]]
    before = aws.serving
    assert rotate().exit_code == Outcome.ROLLED_BACK.code
    assert aws.serving == before
    assert rotate().exit_code == 0
    assert aws.serving["username"] != before["username"]


def test_a_password_that_could_not_be_renewed_is_said(rotate, aws):
    denied = Fault("AccessDeniedException", "not authorized to perform: secretsmanager:PutSecretValue")
    aws.at(*WRITES, lambda: None, lambda: aws.fail(*WRITES, denied))
    result = rotate()
    assert result.exit_code == Outcome.FAILED.code
    assert "The site serves as another user, but the one before may still log in: " in result.output
    assert "run `make rotate` again." in result.output


def test_where_nothing_runs_there_is_nothing_to_rotate(deliver, aws, first):
    result = deliver("rotate")
    assert result.exit_code == Outcome.REFUSED.code
    assert "No release runs" in result.output


def test_the_users_take_turns_by_the_names_that_the_stack_gives_them():
    made = parse((ECS / "database.yml").read_text())["Resources"]
    names = [
        json.loads(made[secret]["Properties"]["GenerateSecretString"]["SecretStringTemplate"])["username"]
        for secret in ("SiteUser", "NextUser")
    ]
    assert {names[0]: names[1], names[1]: names[0]} == OTHER
