"""The lock: one deployment at a time, and never for ever."""

import json
import threading
from datetime import UTC, datetime, timedelta

import pytest

from delivery.aws.client import Aws
from delivery.aws.store import Bucket
from delivery.deployment.cancellation import Cancellation, Poller
from delivery.deployment.lock import KEY, TRIES, Lock, Lost
from delivery.deployment.outcomes import Ended, Outcome
from tests.delivery.aws.fake_cli import Broken, Fault

BUCKET = "a-bucket"
THROTTLED = Fault("SlowDown", "Please reduce your request rate.")


@pytest.fixture
def poller():
    return Poller(0, Cancellation())


@pytest.fixture
def lock(aws, tmp_path):
    """Return a lock with a holder, which expires after so many seconds."""

    def lock(holder, seconds=60.0):
        folder = tmp_path / holder
        folder.mkdir(exist_ok=True)
        return Lock(Bucket(Aws({}), BUCKET), folder, holder, seconds)

    return lock


def test_the_second_deployment_is_told_who_deploys_and_until_when(lock, poller, aws):
    with lock("Ada").held(poller, 0):
        until = aws.lock["until"]
        with pytest.raises(Ended) as refused, lock("Bert").held(poller, 0):
            pass
    assert refused.value.outcome is Outcome.REFUSED
    assert "Ada has held the lock" in refused.value.cause.sentence
    assert until in refused.value.cause.sentence


def test_it_is_free_afterwards_whatever_happened(lock, poller, aws):
    with pytest.raises(ZeroDivisionError), lock("Ada").held(poller, 0):
        raise ZeroDivisionError
    assert aws.lock["holder"] is None
    with lock("Bert").held(poller, 0):
        assert aws.lock["holder"] == "Bert"


def test_it_is_waited_for(lock, poller, aws):
    first = lock("Ada").held(poller, 0)
    first.__enter__()
    aws.at("s3api", "get-object", lambda: None, lambda: None, lambda: first.__exit__(None, None, None))
    with lock("Bert").held(Poller(0, Cancellation()), 3600):
        assert aws.lock["holder"] == "Bert"


def test_one_that_is_not_renewed_expires(lock, poller, aws, capsys):
    aws.hold_lock("a job that was killed", seconds=-1)
    with lock("Bert").held(poller, 0):
        assert aws.lock["holder"] == "Bert"
    assert "The lock of a job that was killed expired" in capsys.readouterr().out


def test_of_several_who_come_at_once_one_gets_it(lock, aws):
    """Each has read that it is free before any writes."""
    aws.hold_lock("a job that was killed", seconds=-1)
    all_have_read = threading.Barrier(3)
    aws.at("s3api", "get-object", *[all_have_read.wait] * 3)
    got, refused, all_tried = [], [], threading.Barrier(3)

    def try_it(who):
        held = lock(who).held(Poller(0, Cancellation()), 0)
        try:
            held.__enter__()
            got.append(who)
        except Ended:
            refused.append(who)
        all_tried.wait()
        if who in got:
            held.__exit__(None, None, None)

    threads = [threading.Thread(target=try_it, args=(who,)) for who in ("Ada", "Bert", "Cleo")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 1
    assert len(refused) == 2


def test_it_is_renewed_while_there_is_waiting(lock, poller, aws):
    with lock("Ada", seconds=0).held(poller, 0):
        before = aws.objects[KEY][1]
        next(poller.polls(0))
        assert aws.objects[KEY][1] != before


def test_it_is_not_renewed_at_each_look(lock, poller, aws):
    with lock("Ada").held(poller, 0):
        before = aws.objects[KEY][1]
        next(poller.polls(0))
        assert aws.objects[KEY][1] == before


def test_a_renewal_that_is_throttled_is_tried_again_later(lock, poller, aws):
    mine = lock("Ada", seconds=0)
    with mine.held(poller, 0):
        aws.fail("s3api", "put-object", THROTTLED)
        next(poller.polls(0))
        next(poller.polls(0))
        assert aws.lock["holder"] == "Ada"


def test_one_that_another_deployment_took_over_is_lost(lock, poller, aws, capsys):
    mine = lock("Ada", seconds=0)
    with mine.held(poller, 0):
        aws.hold_lock("Bert", seconds=3600)
        with pytest.raises(Lost):
            mine.renew(now=True)
    assert aws.lock["holder"] == "Bert"
    assert "another deployment has taken it" in capsys.readouterr().err


def test_a_write_whose_answer_was_lost_is_found_to_be_ones_own(lock, poller, aws, tmp_path):
    """The CLI makes the call again, and is told that the object is there."""

    def arrive():
        aws.objects[KEY] = ((tmp_path / "Ada/lock.json").read_bytes(), '"arrived"')

    aws.at("s3api", "put-object", arrive)
    with lock("Ada").held(poller, 0):
        assert aws.lock["holder"] == "Ada"
    assert aws.lock["holder"] is None


def test_one_that_cannot_be_released_is_said_to_expire(lock, poller, aws, capsys):
    with lock("Ada").held(poller, 0):
        aws.fail("s3api", "put-object", *[Broken("Could not connect to the endpoint URL")] * TRIES)
    assert "it expires within 60 s" in capsys.readouterr().err


def test_a_second_deployment_is_refused_while_one_runs(deploy, aws, commits):
    aws.hold_lock("another job", seconds=60)
    result = deploy()
    assert result.exit_code == Outcome.REFUSED.code
    assert "another job has held the lock" in result.output
    assert not [call for call in aws.operations if call.startswith("ecs")]


def test_a_deployment_that_lost_its_lock_before_the_update_says_what_it_has_done(deploy, aws, commits):
    aws.at("ecs", "run-task", lambda: aws.hold_lock("Bert", seconds=3600))
    result = deploy()
    assert result.exit_code == Outcome.REFUSED.code
    assert "ecs update-service" not in aws.operations
    assert aws.lock["holder"] == "Bert"
    assert "The lock expired before the service was changed, and another deployment has it." in result.output
    assert "a task was started that prepares the database; the database was prepared." in result.output
    assert "a task was started that prepares the database" in aws.receipts[0]["changes"]


def test_a_migration_whose_lock_is_lost_is_ended(deploy, aws, commits, monkeypatch):
    monkeypatch.setenv("DELIVERY_LOCK", "0")
    aws.migration = {}  # it goes on until it is stopped
    aws.at("ecs", "describe-tasks", lambda: aws.hold_lock("Bert", seconds=3600))
    result = deploy()
    assert result.exit_code == Outcome.REFUSED.code
    assert all(task["lastStatus"] == "STOPPED" for task in aws.one_off.values())
    assert aws.lock["holder"] == "Bert"


def test_a_deployment_that_loses_its_lock_later_is_followed_to_its_end(deploy, aws, commits, monkeypatch):
    monkeypatch.setenv("DELIVERY_LOCK", "0")
    aws.at("ecs", "describe-service-deployments", lambda: aws.hold_lock("Bert", seconds=3600))
    result = deploy()
    assert result.exit_code == 0
    assert "this one continues to its end" in result.output
    assert aws.lock["holder"] == "Bert"


def test_what_is_written_says_who_since_when_and_until_when(lock, poller, aws):
    with lock("Ada").held(poller, 0):
        written = json.loads(aws.objects[KEY][0])
    assert set(written) == {"holder", "id", "since", "until"}
    lasts = datetime.fromisoformat(written["until"]) - datetime.fromisoformat(written["since"])
    assert lasts == timedelta(seconds=60)
    assert datetime.fromisoformat(written["since"]) <= datetime.now(UTC)
