"""`push`: one image for a commit, for ever."""

import functools
import json
from pathlib import Path

import pytest

from delivery.deployment.outcomes import Outcome
from delivery.terminal import shell
from tests.delivery.aws.calls import PUSH
from tests.delivery.aws.resources import NAME, REGISTRY, digest_of

COMMIT = "1" * 40
DOCKER = """#!/bin/sh
echo "$@" >> {log}
if [ "$1" = login ]; then cat >> {log}; echo "$DOCKER_CONFIG" >> {log}; fi
{then}
"""


@pytest.fixture
def push(deliver):
    return functools.partial(deliver, "push")


@pytest.fixture
def built(aws, root):
    """An image whose ID is known, as `build` leaves it."""
    (root / "build").mkdir()
    written = {"image": f"colophon:{COMMIT}", "id": digest_of(f"id {COMMIT}"), "commit": COMMIT, "scan": "passed"}
    (root / "build/image.json").write_text(json.dumps(written))
    return written


@pytest.fixture
def docker(aws, tmp_path):
    """A Docker that notes what it is told; `docker push` has the image appear in the registry."""
    log = tmp_path / "docker.log"
    program = tmp_path / "bin/docker"
    program.write_text(DOCKER.format(log=log, then=""))
    program.chmod(0o755)
    aws.at("ecr", "describe-images", lambda: None, lambda: aws.push(COMMIT))
    return log


def test_the_image_is_pushed_under_its_commit_and_its_digest_written_down(push, aws, built, docker, root):
    result = push()
    assert result.exit_code == 0
    digest = aws.digest(COMMIT)
    assert f"push {REGISTRY}/{NAME}:{COMMIT}" in docker.read_text()
    written = json.loads((root / "build/image.json").read_text())
    assert written == built | {"digest": digest, "repository": f"{REGISTRY}/{NAME}"}
    assert (root / "build/image.env").read_text() == f"IMAGE={REGISTRY}/{NAME}@{digest}\n"
    assert result.stdout.splitlines()[-1] == f"{REGISTRY}/{NAME}@{digest}"


def test_the_password_goes_through_a_pipe_into_a_configuration_that_is_gone_afterwards(push, aws, built, docker):
    result = push()
    log = docker.read_text().splitlines()
    assert f"login --username AWS --password-stdin {REGISTRY}" in log
    assert "a fake password" in log
    assert "a fake password" not in result.output
    assert not Path(log[log.index("a fake password") + 1]).exists()


def test_the_same_image_again_is_harmless(push, aws, built, docker, root):
    aws.before.clear()
    aws.push(COMMIT)
    result = push()
    assert result.exit_code == 0
    assert "is already in the registry, as this same image" in result.output
    assert not docker.exists()
    assert (root / "build/image.env").exists()


def test_another_build_of_the_commit_is_refused(push, aws, built, docker, root):
    aws.before.clear()
    aws.push(COMMIT, content="another build")
    result = push()
    assert result.exit_code == Outcome.REFUSED.code
    assert "another build of" in result.output
    assert not docker.exists()
    assert not (root / "build/image.env").exists()


def test_the_build_that_is_there_is_taken_on_request(push, aws, built, docker, root):
    aws.before.clear()
    digest = aws.push(COMMIT, content="another build")
    assert push("--keep-existing").exit_code == 0
    assert digest in (root / "build/image.env").read_text()


def test_the_scan_of_one_build_says_nothing_of_another_that_is_taken(push, deliver, aws, built, root, commits):
    (root / "build/image.json").write_text(json.dumps(built | {"commit": commits.new}))
    aws.scan = None
    for _ in range(2):
        assert push("--keep-existing").exit_code == 0
    assert json.loads((root / "build/image.json").read_text())["digest"] == aws.digest(commits.new)
    refused = deliver("preflight")
    assert refused.exit_code == Outcome.REFUSED.code
    assert "no `make scan-image` that passed it is known here" in refused.output


def test_an_engine_that_names_images_by_their_manifest_is_understood(push, aws, built, docker, root):
    aws.before.clear()
    digest = aws.push(COMMIT)
    (root / "build/image.json").write_text(json.dumps(built | {"id": digest}))
    assert "as this same image" in push().output


@pytest.mark.parametrize(
    ("scan", "said"), [(None, "was not scanned"), ("failed", "did not pass its scan"), ("odd", "was not scanned")]
)
def test_an_image_that_has_not_passed_its_scan_is_not_pushed(push, aws, built, docker, root, scan, said):
    (root / "build/image.json").write_text(json.dumps(built | {"scan": scan}))
    result = push()
    assert result.exit_code == Outcome.REFUSED.code
    assert f"colophon:{COMMIT} {said}" in result.output
    assert not docker.exists()
    assert aws.operations == []


def test_one_that_could_not_be_scanned_for_vulnerabilities_on_request_is_pushed(push, aws, built, docker, root):
    (root / "build/image.json").write_text(json.dumps(built | {"scan": "not run"}))
    assert push().exit_code == 0


@pytest.mark.parametrize("there", [False, True], ids=["pushed now", "pushed before"])
def test_an_index_of_images_is_refused_for_no_registry_scans_it(push, aws, built, docker, root, there):
    """As newer engines make, when an image comes with attestations."""
    aws.media_type = "application/vnd.oci.image.index.v1+json"
    if there:
        aws.before.clear()
        aws.push(COMMIT)
    result = push("--keep-existing")
    assert result.exit_code == Outcome.REFUSED.code
    assert "is no image but application/vnd.oci.image.index.v1+json, which it cannot scan" in result.output
    assert not (root / "build/image.env").exists()


def test_an_image_that_the_registry_shows_a_little_later_is_waited_for(push, aws, built, docker):
    aws.before.clear()
    aws.at("ecr", "describe-images", *[lambda: None] * 3, lambda: aws.push(COMMIT))
    assert push().exit_code == 0


def test_what_is_pushed_is_what_was_built_even_when_another_image_took_its_name(push, aws, built, docker):
    push()
    assert f"tag {built['id']} {REGISTRY}/{NAME}:{COMMIT}" in docker.read_text()


def test_a_push_that_is_cancelled_says_that_it_may_have_been_done(push, aws, built, docker, tmp_path):
    """GitLab's Cancel ends every process of the job, `docker` before the delivery."""
    program = tmp_path / "bin/docker"
    program.write_text(DOCKER.format(log=docker, then='if [ "$1" = push ]; then kill -TERM $$; fi'))
    result = push()
    assert result.exit_code == Outcome.CANCELLED.code
    assert f"Changed so far: perhaps {REGISTRY}/{NAME}:{COMMIT} was pushed." in result.output
    program.write_text(DOCKER.format(log=docker, then=""))
    assert push().exit_code == 0


def test_without_a_build_there_is_nothing_to_push(push, aws, root):
    result = push()
    assert result.exit_code == 1
    assert "build/image.json does not exist" in result.output


def test_a_damaged_build_is_said_to_be(push, aws, root):
    (root / "build").mkdir()
    (root / "build/image.json").write_text("{")
    assert "build/image.json is damaged" in push().output


def test_a_push_that_fails_says_so(push, aws, built, docker, tmp_path):
    program = tmp_path / "bin/docker"
    program.write_text(DOCKER.format(log=docker, then='[ "$1" != push ]'))
    result = push()
    assert result.exit_code == 1
    assert f"docker push {REGISTRY}/{NAME}:{COMMIT}` ended with exit code 1" in result.output


def test_what_a_command_reads_is_given_to_it():
    assert shell.output("cat", given="words") == "words"


def test_it_asks_for_no_more_than_its_role_allows(push, aws, built, docker):
    push()
    aws.images.clear()
    aws.push(COMMIT)
    push()
    assert set(aws.operations) == PUSH | {"ecr get-login-password"}
