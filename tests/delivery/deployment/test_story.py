"""The story of a deployment, told to a target in memory: it knows no cloud and no pipeline."""

import json
import os
import re
import signal
import threading
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

import delivery.deployment
from delivery.deployment import cancellation
from delivery.deployment.cancellation import Cancellation, Poller
from delivery.deployment.deployment import Deployment
from delivery.deployment.errors import Refusal
from delivery.deployment.lock import KEY
from delivery.deployment.outcomes import Cause, Ended, Outcome
from delivery.deployment.seam import Candidate, Progress, Stage, State
from delivery.pipelines import current
from delivery.settings import Settings
from delivery.terminal.display import Display
from tests.delivery.deployment.memory_target import MemoryChange, MemoryTarget, OutOfOrderError, as_target

FOLDER = Path(delivery.deployment.__file__).parent
SETTINGS = Settings(poll=0, start=0.2, proof=0.2, answers=1, visit=0.05)


@pytest.fixture
def target():
    """A target whose site serves the passport of the revision that runs."""
    target = MemoryTarget()

    class Site(BaseHTTPRequestHandler):
        def do_GET(self):
            body = json.dumps({"commit": (target.now.digest or "").removeprefix("digest-of-")}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    target.running.url = f"http://127.0.0.1:{server.server_address[1]}"
    yield target
    server.shutdown()
    server.server_close()


@pytest.fixture
def deploy(target, root, git, tmp_path):
    """Deploy the checkout's commit, and return how it ended and the receipt of it, None for neither."""

    def deploy(settings=SETTINGS, **options):
        commit = git("rev-parse", "HEAD")
        candidate = Candidate(commit, root, "master", current({}), as_target(target), allow_older=True)
        ended = None
        try:
            poller = Poller(settings.poll, Cancellation())
            Deployment(candidate, poller, settings, tmp_path, Display(), **options).run(0)
        except Ended as error:
            ended = error
        receipts = target.store.keys("receipts/")
        return ended, target.store.objects[receipts[-1]][0] if receipts else None

    return deploy


def test_a_good_release_is_migrated_rolled_out_proven_and_recorded(deploy, target, git):
    commit = git("rev-parse", "HEAD")
    ended, receipt = deploy()
    assert ended is None
    assert target.calls == ["migrate with r2", "change to r2"]
    assert target.registry.kept == [f"digest-of-{commit}"]
    assert target.recorded == f"books@digest-of-{commit}"
    assert (receipt["outcome"], receipt["proven"], receipt["revision"]) == ("live", True, "r2")
    assert receipt["previous"] == {"commit": "old", "digest": "digest-of-old"}
    assert target.store.objects[KEY][0]["holder"] is None


def test_a_first_release_starts_the_target_s_number_of_tasks(deploy, target):
    target.running.idle, target.running.image = True, None
    assert deploy()[0] is None
    assert target.calls[-1] == "change to r2 with 2"


def test_a_check_of_the_target_s_own_refuses(deploy, target):
    def refuse(_):
        raise Refusal("The target is full.", "make room.")

    target.checks["room"] = refuse
    ended, receipt = deploy()
    assert ended.outcome is Outcome.REFUSED
    assert ended.cause == Cause("preflight-room", "The target is full.", (), "make room.")
    assert target.calls == []
    assert not receipt["proven"]


def test_a_commit_without_an_image_is_refused(deploy, target, git):
    target.registry.missing.add(git("rev-parse", "HEAD"))
    assert deploy()[0].cause.kind == "preflight-image"


@pytest.mark.parametrize(
    ("states", "outcome", "sentence"),
    [
        ([State.GOING, State.UNDOING, State.UNDONE], Outcome.ROLLED_BACK, "It is broken."),
        ([State.FAILED], Outcome.FAILED, "It is broken. It could not be undone (FAILED)."),
        ([State.GOING], Outcome.TIMED_OUT, "It was starting for 0 s (DELIVERY_START_TIMEOUT). It is broken."),
    ],
)
def test_a_change_that_does_not_succeed_has_the_target_s_cause(deploy, target, states, outcome, sentence):
    target.states = states
    ended, receipt = deploy()
    assert (ended.outcome, ended.cause.sentence, ended.cause.change) == (outcome, sentence, "mend it.")
    assert receipt["diagnosis"]["evidence"] == ["a line of its log"]
    assert target.recorded == ""


def test_a_change_that_another_one_replaced_is_left_alone(deploy, target):
    target.states, target.successor = [State.REPLACED], Cause("superseded", "Another one came.")
    assert deploy()[0].outcome is Outcome.SUPERSEDED
    assert target.calls[-1] == "change to r2"


def test_a_site_that_a_gate_refuses_gets_back_what_ran(deploy, target, monkeypatch):
    monkeypatch.setattr(target, "tasks", lambda: {"t2": {"site": "digest-of-another"}})
    ended, receipt = deploy()
    assert ended.outcome is Outcome.ROLLED_BACK
    assert ended.cause.kind == "unproven"
    assert ended.cause.change == "look at what is in between."
    assert "the container site of t2 runs digest-of-another" in ended.cause.evidence
    assert target.calls[-1] == "change to r1"
    assert not receipt["proven"]


def test_a_call_that_fails_before_the_change_is_refused_with_the_target_s_cause(deploy, target, monkeypatch):
    def fail(_):
        raise OutOfOrderError("no")

    monkeypatch.setattr(target, "prepare", fail)
    ended, _ = deploy()
    assert (ended.outcome, ended.cause.kind) == (Outcome.REFUSED, "out-of-order")


@dataclass
class Clock:
    """The time of a poller, which passes only while it sleeps."""

    now: float = 0.0

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(cancellation, "time", clock)
    return clock


def going(stage, *counts):
    return Progress(State.GOING, "GOING", ("a line",), stage, counts)


BAKING = going(Stage.BAKE, 2)
SLOW = Settings(answers=1, visit=0.05, progress=10_000)


@pytest.mark.parametrize("stage", [stage for stage in Stage if stage is not Stage.BAKE])
def test_a_release_that_stays_in_a_stage_is_undone_after_that_stage_s_time(deploy, target, clock, stage):
    target.states = [going(stage)]
    ended, _ = deploy(replace(SLOW, **{stage.name.lower(): 120}))
    assert ended.outcome is Outcome.TIMED_OUT
    assert ended.cause.sentence.startswith(f"It was {stage.value} for 120 s (DELIVERY_{stage.name}_TIMEOUT). ")
    assert target.calls[-1] == "stop"
    assert 120 <= clock.now < 130


def test_each_stage_has_a_time_of_its_own_and_there_is_none_for_all(deploy, target, clock):
    stages = [stage for stage in Stage if stage is not Stage.BAKE]
    target.states = [going(stage) for stage in stages for _ in range(30)] + [State.DONE]
    assert deploy(replace(SLOW, **{stage.name.lower(): 120 for stage in stages}))[0] is None
    assert clock.now > 400


def test_tasks_that_start_and_end_in_turn_do_not_begin_a_stage_s_time_anew(deploy, target, clock):
    target.states = [step for number in range(200) for step in (going(Stage.START, number), going(Stage.HEALTHY))]
    ended, _ = deploy(replace(SLOW, start=120))
    assert ended.cause.sentence.startswith("It was starting for 120 s")


def test_a_release_of_which_nothing_changes_is_undone_before_its_stage_s_time(deploy, target, clock):
    target.states = [going(Stage.START, 1), going(Stage.START, 2)]
    ended, _ = deploy(Settings(start=10_000, progress=60))
    assert ended.outcome is Outcome.TIMED_OUT
    unchanged = "While it was starting, nothing changed for 60 s (DELIVERY_PROGRESS_TIMEOUT). It is broken."
    assert ended.cause.sentence == unchanged


def test_a_release_of_which_a_number_changes_now_and_then_has_its_stage_s_time(deploy, target, clock):
    target.states = [going(Stage.START, number) for number in range(20) for _ in range(15)] + [State.DONE]
    assert deploy(replace(SLOW, start=10_000, progress=60))[0] is None


def test_an_instance_that_starts_is_waited_for_though_nothing_changes_meanwhile(deploy, target, clock):
    target.states = [going(Stage.CAPACITY)] * 100 + [State.DONE]
    assert deploy(replace(SLOW, progress=60))[0] is None


def test_calls_that_fail_for_a_while_do_not_stop_the_clock(deploy, target, clock, monkeypatch):
    monkeypatch.setattr(OutOfOrderError, "lasts", False)
    target.states = [going(Stage.START), OutOfOrderError("no")]
    assert deploy(replace(SLOW, start=120))[0].outcome is Outcome.TIMED_OUT


def test_a_release_that_bakes_is_proven_and_never_undone_for_time(deploy, target, clock):
    target.states = [going(Stage.START), BAKING]
    ended, receipt = deploy(replace(SLOW, bake=3600))
    assert ended is None
    assert (receipt["outcome"], receipt["proven"], receipt["bake"]) == ("live", True, {"ended": False})
    assert target.calls[-1] == "change to r2"
    assert target.recorded
    assert clock.now >= 3600


def test_a_bake_is_watched_to_its_end(deploy, target, clock):
    target.states = [going(Stage.START), *[BAKING] * 100, State.DONE]
    ended, receipt = deploy(SLOW)
    assert (ended, receipt["bake"]) == (None, {"ended": True})


def test_a_task_that_is_replaced_during_the_bake_ends_neither_the_release_nor_the_watching(deploy, target, clock):
    target.states = [BAKING, *[going(Stage.START)] * 100, State.DONE]
    ended, receipt = deploy(replace(SLOW, progress=60))
    assert (ended, receipt["bake"]) == (None, {"ended": True})


def test_a_release_that_is_done_at_once_has_no_bake(deploy):
    assert deploy()[1]["bake"] is None


@pytest.mark.parametrize("first", [False, True])
def test_a_release_that_an_alarm_undoes_during_the_bake_is_rolled_back_and_no_goal_of_a_rollback(
    deploy, target, clock, first
):
    if first:
        target.running.idle, target.running.image = True, None
    target.states = [BAKING, BAKING, State.UNDOING, State.UNDOING, State.UNDONE]
    ended, receipt = deploy(SLOW)
    assert (ended.outcome, ended.cause.sentence) == (Outcome.ROLLED_BACK, "It is broken.")
    assert (receipt["proven"], target.recorded) == (False, "")
    assert "stop" not in target.calls
    assert (target.calls[-1] == "change to r1") is first


def test_a_release_that_is_replaced_during_the_bake_is_superseded(deploy, target, clock):
    target.states, target.successor = [BAKING, BAKING, State.REPLACED], Cause("superseded", "Another one came.")
    assert deploy(SLOW)[0].outcome is Outcome.SUPERSEDED


def test_a_release_that_bakes_but_is_not_proven_is_undone(deploy, target, clock, monkeypatch):
    monkeypatch.setattr(target, "tasks", lambda: {"t2": {"site": "digest-of-another"}})
    target.states = [BAKING]
    ended, receipt = deploy(SLOW)
    assert (ended.outcome, ended.cause.kind) == (Outcome.ROLLED_BACK, "unproven")
    assert target.calls[-1] == "stop"
    assert receipt["bake"] is None


def test_going_back_is_done_once_only_its_bake_remains(deploy, target, clock, monkeypatch):
    monkeypatch.setattr(target, "tasks", lambda: {"t2": {"site": "digest-of-another"}})
    target.restoring = [going(Stage.START), BAKING]
    assert deploy(SLOW)[0].outcome is Outcome.ROLLED_BACK


def test_a_stop_that_the_target_does_not_heed_is_no_undoing(deploy, target, clock, monkeypatch):
    monkeypatch.setattr(target, "tasks", lambda: {"t2": {"site": "digest-of-another"}})
    monkeypatch.setattr(MemoryChange, "stop", lambda _: None)
    target.states = [BAKING]
    ended, _ = deploy(SLOW)
    assert ended.outcome is Outcome.FAILED
    assert ended.cause.sentence.endswith("It could not be undone (GOING).")


@pytest.mark.parametrize("interruption", ["a cancellation", "a call that fails"])
def test_what_ends_the_watching_of_a_bake_undoes_nothing(deploy, target, clock, capsys, monkeypatch, interruption):
    tasks = target.tasks

    def cancel():
        os.kill(os.getpid(), signal.SIGTERM)
        return tasks()

    if interruption == "a cancellation":
        monkeypatch.setattr(target, "tasks", cancel)
        target.states = [BAKING]
    else:
        target.states = [BAKING, OutOfOrderError("The session is over")]
    ended, receipt = deploy(SLOW)
    assert (ended, receipt["bake"]) == (None, {"ended": False})
    said = "SIGTERM" if interruption == "a cancellation" else "The session is over"
    assert f"No longer watched: {said}." in capsys.readouterr().out


def test_the_stage_is_shown_when_it_changes(deploy, target, clock, capsys):
    target.states = [going(Stage.CAPACITY), going(Stage.CAPACITY), going(Stage.HEALTHY), BAKING, State.DONE]
    deploy(SLOW)
    lines = capsys.readouterr().out.splitlines()
    shown = [line for line in lines if "; a line; " in line]
    assert [line.split("; ")[0] for line in shown] == ["waiting for capacity", "being checked", "baking"]
    assert shown[1].split("; ")[2].startswith("0 s")
    assert any(line.startswith("done; ") for line in lines)  # which is in no stage any more


def test_the_story_names_no_cloud_and_no_pipeline():
    words = r"\b(aws|ecs|arn|gitlab|github|kube|cloudformation|s3)\b"
    texts = {path.name: path.read_text() for path in FOLDER.iterdir() if path.is_file()}
    assert {name: found for name, text in texts.items() if (found := re.findall(words, text, re.IGNORECASE))} == {}
    assert re.search(words, "an ARN of AWS", re.IGNORECASE)
