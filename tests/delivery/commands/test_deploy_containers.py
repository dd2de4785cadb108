"""`deploy` of a service whose tasks have several containers: the site, the edge before it, a vendor's agent."""

import copy

import pytest

from delivery.deployment.outcomes import Outcome
from tests.delivery.aws.fake_service import PREPARING
from tests.delivery.aws.resources import NAME, REGISTRY, agent, without_edge

ROLLED_BACK = ["IN_PROGRESS", "ROLLBACK_IN_PROGRESS", "ROLLBACK_SUCCESSFUL"]
LOGS = {"site": "the site's own words", "edge": "the edge's own words"}


@pytest.fixture
def with_agent(aws, commits):
    """Have a vendor's agent stand in every task, and first: a place in the list means nothing."""
    for definition in (aws.definitions[aws.service_definition], aws.preparing):
        definition["containerDefinitions"].insert(0, agent())


def digests(aws):
    """Return the digests that the service's containers are set to run, by their names."""
    return {name: each["image"].partition("@")[2] for name, each in aws.containers().items()}


def exited(**codes):
    """Return the end of a task whose containers ended with these codes."""
    containers = [{"name": name, "exitCode": code} for name, code in codes.items()]
    why = {"stopCode": "EssentialContainerExited", "stoppedReason": "Essential container in task exited"}
    return why | {"containers": containers}


def test_site_and_edge_get_the_release_and_a_vendor_s_agent_is_left_alone(deploy, aws, commits, with_agent):
    result = deploy()
    assert result.exit_code == 0
    new = aws.digest(commits.new)
    assert digests(aws) == {"agent": "", "site": new, "edge": new}
    assert aws.containers()["agent"] == aws.containers(aws.newest(PREPARING))["agent"] == agent()
    assert aws.receipts[0]["migration"]["exit_code"] == 0
    assert "| a line of the log" in result.output


@pytest.mark.parametrize(
    ("codes", "name", "code"),
    [
        ({"site": 0, "edge": 1}, "edge", 1),
        ({"site": 137, "edge": 1}, "edge", 1),
        ({"site": 3, "edge": 0}, "site", 3),
        ({"site": 3, "edge": 143}, "site", 3),
    ],
)
def test_the_container_that_fails_is_named_with_its_own_code_and_log(deploy, aws, commits, codes, name, code):
    aws.scripts, aws.stopped = [ROLLED_BACK], [exited(**codes)] * 2
    aws.logs |= {f"{each}/{each}": [words] for each, words in LOGS.items()}
    result = deploy()
    assert result.exit_code == Outcome.ROLLED_BACK.code
    diagnosis = aws.receipts[0]["diagnosis"]
    assert diagnosis["sentence"] == f"The new tasks exit on their own: their container {name} ended with code {code}."
    assert diagnosis["evidence"] == [f"{name}: {LOGS[name]}"]
    assert {*digests(aws).values()} == {aws.digest(commits.old)}


def test_a_container_that_has_written_nothing_yet_has_an_empty_log(deploy, aws, commits):
    aws.scripts, aws.stopped = [ROLLED_BACK], [exited(edge=0, site=3)]
    del aws.logs["edge/edge"]
    deploy()
    assert aws.receipts[0]["diagnosis"]["evidence"] == ["site: a line of the log"]


def test_an_edge_that_still_runs_another_image_is_no_proof(deploy, aws, commits, monkeypatch):
    monkeypatch.setenv("DELIVERY_PROOF_TIMEOUT", "0.2")
    monkeypatch.setenv("DELIVERY_PROOF_ANSWERS", "1")
    old = aws.containers()["edge"]["image"]

    def leave_behind():
        # What runs, not what the service is set to run.
        aws.running_definition = aws.register(aws.digest(commits.new))
        aws.containers(aws.running_definition)["edge"]["image"] = old

    aws.at("ecs", "list-tasks", leave_behind)
    aws.scripts = [["SUCCESSFUL"]]
    result = deploy()
    assert result.exit_code == Outcome.ROLLED_BACK.code
    assert "the container edge of arn:aws:ecs:" in result.output
    assert f"runs {aws.digest(commits.old)}" in result.output


def test_a_service_whose_containers_run_different_images_says_so_and_a_deployment_mends_it(
    deploy, deliver, aws, commits
):
    other = f"{REGISTRY}/{NAME}@{aws.push('another')}"
    site = aws.containers()["site"]["image"]
    aws.containers()["edge"]["image"] = other
    both = f"site {site}, edge {other}"
    shown = deliver("status").output
    assert f"image         {both}" in shown
    assert "commit        not one" in shown
    assert f"runs    {both}" in deliver("plan").output
    result = deploy("--commit", commits.old, "--allow-older")
    assert result.exit_code == 0
    assert f"colophon:2 has different images, of which a deployment makes one: {both}" in result.output
    assert {*digests(aws).values()} == {aws.digest(commits.old)}


def test_a_service_of_before_the_edge_is_deployed_as_it_is(deploy, aws, commits):
    before = without_edge(aws.definitions[aws.service_definition])
    aws.definitions[aws.service_definition] = copy.deepcopy(before)
    result = deploy()
    assert result.exit_code == 0
    assert digests(aws) == {"site": aws.digest(commits.new)}
    assert "ok       target group: port 8000 of site, checked at /readyz" in result.output


ELSEWHERE = f"registry.example.org/{NAME}@sha256:0"


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (
            lambda aws: aws.containers()["edge"].update(image="registry.example.org/vendor/proxy:1"),
            "Visitors are sent to the container edge, which runs no image of this project in colophon:2.",
        ),
        (
            lambda aws: [each.update(image="vendor/proxy:1") for each in aws.containers().values()],
            "colophon:2 has no container of an image of the repository colophon.",
        ),
        (
            lambda aws: aws.preparing["containerDefinitions"].append(aws.containers()["edge"]),
            "No task definition colophon-prepare with one container of an image of the repository colophon prepares",
        ),
        (
            lambda aws: aws.containers()["edge"].update(image=ELSEWHERE),
            f"name images of several repositories: {REGISTRY}/{NAME}, registry.example.org/{NAME}.",
        ),
    ],
)
def test_containers_that_cannot_serve_a_release_are_refused(deliver, aws, commits, spoil, said):
    spoil(aws)
    result = deliver("preflight")
    assert result.exit_code == Outcome.REFUSED.code
    assert said in result.output


def test_each_of_several_load_balancers_is_checked_and_shown(deliver, aws, commits, monkeypatch):
    service = aws.service()
    (first,) = service["loadBalancers"]
    balancers = [first, first | {"containerPort": 9000}]
    monkeypatch.setattr(aws, "service", lambda: service | {"loadBalancers": balancers})
    assert "Visitors are sent to port 9000 of edge, which has [8000]." in deliver("preflight").output
    assert "targets       4 healthy" in deliver("status").output
