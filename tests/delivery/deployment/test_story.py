"""The story of a deployment, told to a target in memory: it knows no cloud and no pipeline."""

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

import delivery.deployment
from delivery.deployment.cancellation import Cancellation, Poller
from delivery.deployment.deployment import Deployment
from delivery.deployment.errors import Refusal
from delivery.deployment.lock import KEY
from delivery.deployment.outcomes import Cause, Ended, Outcome
from delivery.deployment.seam import Candidate, State
from delivery.pipelines import current
from delivery.settings import Settings
from delivery.terminal.display import Display
from tests.delivery.deployment.memory_target import MemoryTarget, OutOfOrderError, as_target

FOLDER = Path(delivery.deployment.__file__).parent
SETTINGS = Settings(poll=0, rollout=0.2, proof=0.2, answers=1, visit=0.05)


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

    def deploy(**options):
        commit = git("rev-parse", "HEAD")
        candidate = Candidate(commit, root, "master", current({}), as_target(target), allow_older=True)
        ended = None
        try:
            poller = Poller(SETTINGS.poll, Cancellation())
            Deployment(candidate, poller, SETTINGS, tmp_path, Display(), **options).run(0)
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
        ([State.GOING], Outcome.TIMED_OUT, "Not done after 0 s. It is broken."),
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
    monkeypatch.setattr(target, "tasks", lambda: {"t2": "digest-of-another"})
    ended, receipt = deploy()
    assert ended.outcome is Outcome.ROLLED_BACK
    assert ended.cause.kind == "unproven"
    assert ended.cause.change == "look at what is in between."
    assert "t2 runs digest-of-another" in ended.cause.evidence
    assert target.calls[-1] == "change to r1"
    assert not receipt["proven"]


def test_a_call_that_fails_before_the_change_is_refused_with_the_target_s_cause(deploy, target, monkeypatch):
    def fail(_):
        raise OutOfOrderError("no")

    monkeypatch.setattr(target, "prepare", fail)
    ended, _ = deploy()
    assert (ended.outcome, ended.cause.kind) == (Outcome.REFUSED, "out-of-order")


def test_the_story_names_no_cloud_and_no_pipeline():
    words = r"\b(aws|ecs|arn|gitlab|github|kube|cloudformation|s3)\b"
    texts = {path.name: path.read_text() for path in FOLDER.iterdir() if path.is_file()}
    assert {name: found for name, text in texts.items() if (found := re.findall(words, text, re.IGNORECASE))} == {}
    assert re.search(words, "an ARN of AWS", re.IGNORECASE)
