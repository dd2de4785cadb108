"""The lock: one deployment at a time, and never for ever."""

import json
import re
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest

from delivery.aws.client import Aws
from delivery.aws.store import Bucket
from delivery.deployment import lock as lock_module
from delivery.deployment.cancellation import Cancellation, Poller
from delivery.deployment.lock import KEY, TRIES, Lock, Lost
from delivery.deployment.outcomes import Ended, Outcome
from tests.delivery.aws.fake_cli import Broken, Fault
from tests.delivery.deployment.memory_target import MemoryStore

BUCKET = "a-bucket"
THROTTLED = Fault("SlowDown", "Please reduce your request rate.")


@pytest.fixture
def poller():
    return Poller(0, Cancellation())


@pytest.fixture
def lock(aws, tmp_path):
    """Return a lock with a holder, which another may take over when it is not renewed for so many seconds."""

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


def test_one_whose_time_is_over_is_watched_and_then_taken_over(lock, poller, aws, capsys):
    aws.hold_lock("a job that was killed", seconds=-1)
    with lock("Bert", seconds=0.2).held(poller, 0):
        assert aws.lock["holder"] == "Bert"
    said = capsys.readouterr().out
    assert re.search(r"The lock of a job that was killed expired at \S+ by this machine's clock", said)
    assert "a job that was killed has not renewed the lock for 0 s; taking it over." in said


def test_one_that_is_renewed_while_it_is_watched_is_not_taken_over(lock, poller, aws):
    aws.hold_lock("Ada", seconds=-200)
    aws.at("s3api", "get-object", lambda: None, lambda: aws.hold_lock("Ada", seconds=-199))
    with pytest.raises(Ended) as refused, lock("Bert").held(poller, 0):
        pass
    assert "Ada has held the lock" in refused.value.cause.sentence
    assert aws.lock["holder"] == "Ada"


def test_one_that_is_not_renewed_is_taken_over_whatever_it_says_of_the_time(lock, poller, aws):
    aws.hold_lock("a job whose clock was wrong", seconds=3600)
    with lock("Bert", seconds=0.2).held(poller, 3600):
        assert aws.lock["holder"] == "Bert"


class Clocks:
    """Two machines' clocks: one counter of seconds that both have, and a time of day that is not the same."""

    def __init__(self, monkeypatch):
        self.passed, self.ahead = 0.0, 0.0
        outer = self

        class Time(datetime):
            @classmethod
            def now(cls, tz=None):
                return datetime(2026, 3, 1, 12, tzinfo=tz) + timedelta(seconds=outer.passed + outer.ahead)

        monkeypatch.setattr(lock_module, "datetime", Time)
        monkeypatch.setattr(time, "monotonic", lambda: self.passed)
        monkeypatch.setattr(time, "sleep", self.sleep)
        self.meanwhile = lambda: None

    def sleep(self, seconds):
        self.passed += seconds
        self.meanwhile()


STORES = {"memory": lambda _: MemoryStore(), "S3": lambda _: Bucket(Aws({}), BUCKET)}


@pytest.mark.parametrize("ahead", [-200.0, 0.0, 200.0, 899.0])
@pytest.mark.parametrize("store", STORES)
def test_two_whose_clocks_differ_never_both_hold_it(store, ahead, aws, tmp_path, monkeypatch):
    """The first deploys for ten minutes, and renews; the second waits for it, with a clock of its own."""
    clocks, store, holding = Clocks(monkeypatch), STORES[store](aws), []
    folders = [tmp_path / name for name in ("Ada", "Bert")]
    for folder in folders:
        folder.mkdir()
    first, second = (Lock(store, folder, folder.name, 120) for folder in folders)
    its_work = Poller(3, Cancellation())
    its_turn = first.held(its_work, 0)
    its_turn.__enter__()
    holding.append("Ada")

    def meanwhile():
        """Let the first one poll, by its own clock."""
        clocks.ahead = 0.0
        if holding == ["Ada"]:
            next(its_work.polls(0))
            if clocks.passed > 600:
                holding.remove("Ada")
                its_turn.__exit__(None, None, None)
        clocks.ahead = ahead

    clocks.meanwhile, clocks.ahead = meanwhile, ahead
    with second.held(Poller(3, Cancellation()), 3600):
        holding.append("Bert")
        assert holding == ["Bert"]
        assert clocks.passed > 600


@pytest.mark.parametrize("ahead", [-200.0, 200.0])
def test_one_whose_holder_was_killed_is_taken_over_after_its_length_by_any_clock(ahead, tmp_path, monkeypatch):
    clocks, store = Clocks(monkeypatch), MemoryStore()
    for name in ("Ada", "Bert"):
        (tmp_path / name).mkdir()
    killed = Lock(store, tmp_path / "Ada", "Ada", 120).held(Poller(3, Cancellation()), 0)
    killed.__enter__()
    clocks.ahead = ahead
    with Lock(store, tmp_path / "Bert", "Bert", 60).held(Poller(3, Cancellation()), 300):
        assert 120 <= clocks.passed < 125


def test_of_several_who_come_at_once_one_gets_it(lock, aws):
    """Each has read that it is free before any writes."""
    aws.hold_lock("a job that was killed", seconds=-1, length=0)
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


def test_each_renewal_while_there_is_waiting_writes_something_else(lock, poller, aws):
    """An object with the same content has the same entity tag, and would count as not renewed."""
    with lock("Ada", seconds=0).held(poller, 0):
        before = aws.objects[KEY][0]
        next(poller.polls(0))
        assert aws.objects[KEY][0] != before


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
    assert "Another deployment has taken the lock over" in capsys.readouterr().err


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
    assert "the next deployment waits 60 s and takes it over" in capsys.readouterr().err


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
    assert "Another deployment took the lock over before the service was changed." in result.output
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
    assert set(written) == {"holder", "id", "since", "until", "seconds", "writes"}
    lasts = datetime.fromisoformat(written["until"]) - datetime.fromisoformat(written["since"])
    assert lasts == timedelta(seconds=60)
    assert datetime.fromisoformat(written["since"]) <= datetime.now(UTC)
