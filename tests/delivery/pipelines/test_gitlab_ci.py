"""Which jobs a pipeline has: the rules of .gitlab-ci.yml, evaluated as GitLab does, over all that starts a pipeline."""

import re

import pytest

from tests.delivery.pipelines.gitlab_ci import ROOT, Pipeline, truth

SHARED = {
    "CI": "true",
    "CI_COMMIT_SHA": "4b825dc642cb6eb9a060e54bf8d69288fbee4904",
    "CI_DEFAULT_BRANCH": "master",
    "CI_PIPELINE_SOURCE": "push",
    "CI_PROJECT_PATH": "books/colophon",
}
# GitLab hands these to pipelines of protected branches alone.
PROTECTED = {"AWS_ROLE_PUSH": "arn:push", "AWS_ROLE_DEPLOY": "arn:deploy", "CI_COMMIT_REF_PROTECTED": "true"}
OPEN = {"CI_COMMIT_REF_PROTECTED": "false"}
REQUESTED = {"CI_OPEN_MERGE_REQUESTS": "books/colophon!1"}
FORK = {"CI_PROJECT_PATH": "fork/colophon"}
EVERYWHERE = ["build", "scan", "test"]
RELEASED = ["deploy", "push", "scan", "test"]


def branch(name, protected=False, **more):
    return SHARED | {"CI_COMMIT_BRANCH": name, "CI_COMMIT_REF_NAME": name} | (PROTECTED if protected else OPEN) | more


def merge_request(source, **more):
    """A merge request into master. Its pipeline is of no branch."""
    names = {"CI_MERGE_REQUEST_SOURCE_BRANCH_NAME": source, "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "master"}
    started = {"CI_PIPELINE_SOURCE": "merge_request_event", "CI_COMMIT_REF_NAME": source}
    return SHARED | OPEN | names | started | more


def tag(name):
    return SHARED | PROTECTED | {"CI_COMMIT_TAG": name, "CI_COMMIT_REF_NAME": name}


PIPELINES = {
    "push to master": (branch("master", protected=True), RELEASED),
    "master, by hand": (branch("master", protected=True, CI_PIPELINE_SOURCE="web"), RELEASED),
    "push to master, from which a merge request goes out": (branch("master", protected=True, **REQUESTED), RELEASED),
    "schedule": (branch("master", protected=True, CI_PIPELINE_SOURCE="schedule"), EVERYWHERE),
    "api": (branch("master", protected=True, CI_PIPELINE_SOURCE="api"), EVERYWHERE),
    "trigger": (branch("master", protected=True, CI_PIPELINE_SOURCE="trigger"), EVERYWHERE),
    "other pipeline": (branch("master", protected=True, CI_PIPELINE_SOURCE="pipeline"), EVERYWHERE),
    "master, not protected": (branch("master"), EVERYWHERE),
    "a fork's master": (branch("master", **FORK), EVERYWHERE),
    "a fork's protected master": (branch("master", **FORK, CI_COMMIT_REF_PROTECTED="true"), EVERYWHERE),
    "branch": (branch("feature/covers"), EVERYWHERE),
    "branch, by hand": (branch("feature/covers", CI_PIPELINE_SOURCE="web"), EVERYWHERE),
    "another protected branch": (branch("feature/covers", protected=True), EVERYWHERE),
    "protected release branch": (branch("release", protected=True), EVERYWHERE),
    "renamed default branch": (branch("main", protected=True, CI_DEFAULT_BRANCH="main"), EVERYWHERE),
    "branch with a merge request": (branch("feature/covers", **REQUESTED), []),
    "merge request": (merge_request("feature/covers"), EVERYWHERE),
    "merge request of a branch named master": (merge_request("master"), EVERYWHERE),
    "merge request with protected variables": (merge_request("master") | PROTECTED, EVERYWHERE),
    "protected tag": (tag("v1.0.0"), []),
    "tag named master": (tag("master"), []),
}
LOOK_ALIKES = ("Master", "MASTER", "master2", "xmaster", "master/x", "x/master", "master-fix", "m\u0430ster")
PIPELINES |= {f"look-alike {name}": (branch(name, protected=True), EVERYWHERE) for name in LOOK_ALIKES}


@pytest.mark.parametrize(("pipeline", "jobs"), PIPELINES.values(), ids=PIPELINES)
def test_a_pipeline_has_these_jobs(pipeline, jobs):
    assert Pipeline().jobs(pipeline) == jobs


def test_a_job_that_can_release_has_every_lock(config):
    for name in ("push", "deploy"):
        job = config.jobs_by_name[name]
        assert job["tags"] == ["production"], "only the protected runner takes it"
        assert job["interruptible"] is False
        assert list(job["id_tokens"]) == ["AWS_ID_TOKEN"]
        assert job["cache"] == {}, "what a branch has cached must not run there"
    assert config.jobs_by_name["deploy"]["resource_group"] == "production"
    assert config.jobs_by_name["deploy"]["environment"]["name"] == "production"


@pytest.mark.parametrize("name", EVERYWHERE)
def test_a_job_of_a_branch_holds_no_way_to_production(config, name):
    job = config.jobs_by_name[name]
    assert not {"id_tokens", "secrets", "environment", "resource_group", "tags"} & set(job)
    assert not any("push" in line or "deploy" in line for line in job["script"])
    assert "AWS" not in str(job.get("variables", ""))


def test_every_script_is_a_line_of_the_menu(config):
    menu = set(re.findall(r"^([a-z-]+):.* ## ", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for job in config.jobs_by_name.values():
        for line in job["script"]:
            assert re.fullmatch(r"make [a-z-]+", line)
            assert line.removeprefix("make ") in menu


def test_what_is_pushed_was_built_then_scanned_then_tried_and_the_deployment_is_told(config):
    """The scan makes the image anew, with its verdict in the passport, so it is that one which has to be tried."""
    image = ["make build", "make scan-image", "make try"]
    assert config.jobs_by_name["build"]["script"] == image
    assert config.jobs_by_name["push"]["script"] == [*image, "make push"]
    assert "build/image.json" in config.jobs_by_name["push"]["artifacts"]["paths"]
    assert "push" in config.earlier("deploy", branch("master", protected=True))


def test_artifacts_end(config):
    for name, job in config.jobs_by_name.items():
        assert job["artifacts"]["expire_in"], name


@pytest.fixture
def config():
    return Pipeline()


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("$A", True),
        ("$B", False),
        ("$NONE", False),
        ('$A == "a"', True),
        ('$A != "a"', False),
        ("$NONE == null", True),
        ("$A =~ /^a$/", True),
        ("$A !~ /b/", True),
        ('$A == "b" || $A && $NONE == null', True),
        ('$A && $A == "b"', False),
    ],
)
def test_expressions_are_read_as_gitlab_reads_them(expression, expected):
    assert truth(expression, {"A": "a", "B": ""}) is expected
