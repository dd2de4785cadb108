"""Which jobs a pipeline has: the rules of .gitlab-ci.yml, evaluated as GitLab does, over all that starts a pipeline."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from delivery.deployment.outcomes import Outcome
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
RELEASED = ["deploy", "push", "rollback", "scan", "test"]


RELEASES = ("push", "deploy", "rollback")
CODED = ("scan", "scan-image", *RELEASES)  # the steps whose exit codes a pipeline tells apart


def steps(job):
    """Return the lines of the menu that a job's script calls."""
    return [line.split()[1] for line in job["script"]]


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
    for name in RELEASES:
        job = config.jobs_by_name[name]
        assert job["tags"] == ["production"], "only the protected runner takes it"
        assert job["interruptible"] is False
        assert list(job["id_tokens"]) == ["AWS_ID_TOKEN"]
        assert job["cache"] == {}, "what a branch has cached must not run there"
    for name in ("deploy", "rollback"):
        assert config.jobs_by_name[name]["resource_group"] == "production"
        assert config.jobs_by_name[name]["environment"]["name"] == "production"


@pytest.mark.parametrize("name", EVERYWHERE)
def test_a_job_of_a_branch_holds_no_way_to_production(config, name):
    job = config.jobs_by_name[name]
    assert not {"id_tokens", "secrets", "environment", "resource_group", "tags"} & set(job)
    assert not any(step in line for line in job["script"] for step in RELEASES)
    assert "AWS" not in str(job.get("variables", ""))


def test_every_script_is_a_line_of_the_menu(config):
    menu = set(re.findall(r"^([a-z-]+):.* ## ", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for job in config.jobs_by_name.values():
        for line in job["script"]:
            step = re.fullmatch(r"make ([a-z-]+)(?: ARGS=--yes)?( \|\| exit \$\(cat build/exit-code\))?", line)
            assert step, line
            assert step[1] in menu
            # The one addition: it hands on the code that a step left, which make does not.
            assert bool(step[2]) is (step[1] in CODED), line


def test_what_is_pushed_was_built_then_scanned_then_tried_and_the_deployment_is_told(config):
    """The scan makes the image anew, with its verdict in the passport, so it is that one which has to be tried."""
    image = ["build", "scan-image", "try"]
    assert steps(config.jobs_by_name["build"]) == image
    assert steps(config.jobs_by_name["push"]) == [*image, "push"]
    assert "build/image.json" in config.jobs_by_name["push"]["artifacts"]["paths"]
    assert "push" in config.earlier("deploy", branch("master", protected=True))


def test_a_job_that_acts_on_the_world_is_repeated_only_when_it_changed_nothing(config):
    again = {name: config.jobs_by_name[name]["retry"] for name in RELEASES}
    nothing_changed = [Outcome.UNAVAILABLE.code]
    # Without `when`, `exit_codes` alone decide; a lost runner may have left a deployment behind.
    assert again == {
        "push": {"max": 1, "exit_codes": nothing_changed},
        "deploy": {"max": 2, "exit_codes": nothing_changed},
        "rollback": 0,
    }


def test_the_only_failure_that_is_allowed_is_a_scan_that_could_not_run(config):
    allowed = {name: job["allow_failure"] for name, job in config.jobs_by_name.items() if "allow_failure" in job}
    assert allowed == {"scan": {"exit_codes": [Outcome.UNAVAILABLE.code]}}


def test_a_rollback_waits_for_a_person_and_for_no_other_job_and_is_noted_as_no_deployment(config):
    job = config.jobs_by_name["rollback"]
    assert job["needs"] == []
    assert job["environment"]["action"] == "access"
    (rule,) = job["rules"]
    # Without `allow_failure`, a manual job of `rules` blocks its pipeline.
    assert (rule["when"], rule["allow_failure"]) == ("manual", True)
    assert rule["if"] == config.jobs_by_name["deploy"]["rules"][0]["if"]


def test_the_image_of_jobs_is_pinned_where_the_site_s_base_is(config):
    (base,) = re.findall(r"^ARG BASE=(\S+@sha256:[0-9a-f]{64})$", (ROOT / "src/Dockerfile").read_text(), re.MULTILINE)
    assert {name: job["image"] for name, job in config.jobs_by_name.items()} == dict.fromkeys(config.jobs_by_name, base)
    for entry in ("branches", "master"):
        runner = tomllib.loads((ROOT / f"delivery/runner/{entry}.toml").read_text())["runners"][0]
        assert runner["docker"]["image"] == base


@pytest.mark.parametrize(("old", "new", "code"), [("", "", 0), ("exit_codes: [9]", "exit_codes: [nine]", 1)])
def test_the_file_is_what_gitlab_s_own_schema_takes(tmp_path, old, new, code):
    """The schema is GitLab's, as check-jsonschema ships it."""
    planted = tmp_path / "planted.yml"
    planted.write_text((ROOT / ".gitlab-ci.yml").read_text().replace(old, new))
    checker = Path(sys.executable).with_name("check-jsonschema")
    ended = subprocess.run([checker, "--builtin-schema=vendor.gitlab-ci", planted], capture_output=True, text=True)
    assert ended.returncode == code, ended.stdout + ended.stderr


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
