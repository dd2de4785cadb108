"""A call whose outcome is unknown, since its command was killed or its answer lost, is followed by another look.

For every call of a deployment the service is left whole, the message is true, and the next deployment succeeds.
"""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import Result

from delivery.deployment.lock import KEY
from delivery.deployment.outcomes import Outcome
from tests.delivery.aws.fake_cli import Fate, writes
from tests.delivery.aws.fake_service import UNDER_WAY

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
TIMED_OUT = 'Read timeout on endpoint URL: "https://ecs.eu-central-1.amazonaws.com/"'


def cancelled(_):
    os.kill(os.getpid(), signal.SIGTERM)


KILLED = {
    "killed before it arrived": Fate(received=0, killed=True, then=cancelled),
    "killed after it arrived": Fate(killed=True, then=cancelled),
}
LOST = {"its answer lost once": Fate(received=2), "its answer lost for good": Fate(lost=TIMED_OUT)}


def commit_of(aws, definition):
    return aws.images[aws.image_of(definition).partition("@")[2]]["tags"][0]


def done(aws, before):
    """Return the changes in the account, in the words of the record."""
    tags = {tag for image in aws.images.values() for tag in image["tags"]}
    known = {tag for image in before["images"].values() for tag in image["tags"]}
    others = {
        "a task definition with the image in it was registered": aws.definitions.keys() - before["definitions"].keys(),
        "a task was started that prepares the database": aws.one_off.keys() - before["one_off"].keys(),
        f"the service was told to run {aws.newest().rsplit('/')[-1]}": aws.deployments[len(before["deployments"]) :],
    }
    return {f"the image was tagged {tag}" for tag in tags - known} | {words for words, made in others.items() if made}


def said(output):
    """Return the changes that the output names, the certain and the uncertain."""
    line = re.search(r"^Changed so far: (.*)\.$", output, re.MULTILINE)
    changes = set(line[1].split("; ")) if line else set()
    uncertain = {change for change in changes if change.startswith("perhaps ")}
    return changes - uncertain, {change.removeprefix("perhaps ") for change in uncertain}


@dataclass(frozen=True)
class Act:
    """A command that replaces one commit by another, and the calls that it will make."""

    run: Callable[[], Result]
    before: str
    after: str
    calls: list[str]


@pytest.fixture(params=["deploy", "rollback"])
def act(request, deliver, deploy, aws, commits):
    options, before, after = [], commits.old, commits.new
    if request.param == "rollback":
        options, before, after = ["--yes"], commits.new, commits.old
        aws.run(commits.old)
        assert deploy("--force", "--commit", commits.old).exit_code == 0
        assert deploy().exit_code == 0
    state = aws.state()
    aws.restore(state)
    assert deliver(request.param, *options).exit_code == 0
    calls = [" ".join(words[:2]) for words in aws.program.calls]
    aws.restore(state)
    return Act(lambda: deliver(request.param, *options), before, after, calls)


@pytest.mark.parametrize("fate", KILLED.values(), ids=KILLED)
def test_a_job_that_is_cancelled_at_any_call_leaves_the_service_whole_and_says_what_it_did(act, aws, deliver, fate):
    """GitLab's Cancel ends every process of the job, the running `aws` first."""
    before = aws.state()
    for number, call in enumerate(act.calls):
        aws.restore(before)
        aws.program.fates[number] = fate
        result = act.run()
        told = f"call {number}, {call}:\n{result.output}"
        live = result.exit_code == 0
        assert live or result.exit_code == Outcome.CANCELLED.code, told
        assert commit_of(aws, aws.running_definition) == (act.after if live else act.before), told
        assert aws.service_definition == aws.running_definition, told
        assert not [each for each in aws.deployments if each["status"] in UNDER_WAY], told
        assert all(task["lastStatus"] == "STOPPED" for task in aws.one_off.values()), told
        assert KEY not in aws.objects or aws.lock["holder"] is None, told
        certain, uncertain = said(result.output)
        assert live or done(aws, before) <= certain | uncertain, told
        assert "nothing was changed" not in result.output.lower(), told
        assert commit_of(aws, aws.running_definition) in deliver("status").output, told
        if not live:
            assert act.run().exit_code == 0, told
        assert commit_of(aws, aws.running_definition) == act.after, told


@pytest.mark.parametrize("fate", LOST.values(), ids=LOST)
def test_a_write_whose_answer_is_lost_is_read_back(act, aws, fate):
    """The CLI makes such a call again by itself, so the answer is that of the second, which may be a refusal."""
    before = aws.state()
    receipts = len(aws.receipts)
    for number, call in enumerate(act.calls):
        if not writes(call):
            continue
        aws.restore(before)
        aws.program.fates[number] = fate
        result = act.run()
        told = f"call {number}, {call}:\n{result.output}"
        assert result.exit_code == 0, told
        assert commit_of(aws, aws.service_definition) == act.after, told
        assert len(aws.one_off) - len(before["one_off"]) == act.calls.count("ecs run-task"), told
        (receipt,) = aws.receipts[receipts:]
        assert receipt["proven"], told
        assert receipt["image"] == aws.released, told
        assert receipt["deployment"] == aws.deployments[0]["serviceDeploymentArn"], told
        assert aws.lock["holder"] is None, told


@pytest.mark.parametrize("fate", LOST.values(), ids=LOST)
@pytest.mark.parametrize("operation", ["stop-service-deployment", "stop-task"])
def test_a_stop_works_though_its_answer_is_lost(deploy, aws, commits, monkeypatch, fate, operation):
    aws.scripts = [["IN_PROGRESS"]]
    before = aws.state()
    if operation == "stop-task":
        monkeypatch.setenv("DELIVERY_MIGRATION_TIMEOUT", "0")
    monkeypatch.setenv("DELIVERY_START_TIMEOUT", "0")
    aws.after_stop = ["ROLLBACK_SUCCESSFUL"]
    ended = deploy().exit_code
    number = next(at for at, words in enumerate(aws.program.calls) if words[1] == operation)
    aws.restore(before)
    aws.program.fates[number] = fate
    assert deploy().exit_code == ended
    assert commit_of(aws, aws.service_definition) == commits.old
    assert aws.lock["holder"] is None


def test_of_two_deployments_of_its_own_the_newer_is_followed_even_when_it_is_seen_late(
    deploy, aws, commits, monkeypatch
):
    listed = aws._ecs_list_service_deployments
    late = [0, 1]

    def list_(given):
        found = listed(given)["serviceDeployments"]
        return {"serviceDeployments": found[: len(found) - (late.pop(0) if late else 0)]}

    monkeypatch.setattr(aws, "_ecs_list_service_deployments", list_)
    aws.at("ecs", "update-service", lambda: aws.deploy(aws.newest()))
    assert deploy().exit_code == 0
    assert [each["status"] for each in aws.deployments] == ["SUCCESSFUL", "STOPPED"]
    assert aws.receipts[0]["deployment"] == aws.deployments[0]["serviceDeploymentArn"]


@pytest.mark.parametrize("operation", ["run-task", "update-service"])
def test_a_job_whose_processes_are_all_killed_ends_whole(aws, commits, root, processes, operation):
    """The `aws` of that call is killed first, and then the delivery."""
    started = subprocess.Popen(
        [sys.executable, "-m", "delivery", "deploy", "--root", root],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )

    def kill(process):
        os.kill(process, signal.SIGTERM)
        os.kill(started.pid, signal.SIGTERM)

    aws.program.fates[operation] = Fate(then=kill)
    output, _ = started.communicate(timeout=120)
    assert started.returncode == Outcome.CANCELLED.code, output
    assert "Changed so far: " in output
    assert commit_of(aws, aws.service_definition) == commits.old
    assert all(task["lastStatus"] == "STOPPED" for task in aws.one_off.values())
    assert aws.lock["holder"] is None
