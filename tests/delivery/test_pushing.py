"""`push`: one image for a commit, for ever."""

import functools
import json
from pathlib import Path

import pytest

from delivery import shell
from delivery.outcomes import Outcome
from tests.deliverycalls import PUSH
from tests.fakesite import NAME, REGISTRY, digest_of

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
    """What `build` leaves: an image whose ID is known."""
    (root / "build").mkdir()
    written = {"image": f"colophon:{COMMIT}", "id": digest_of(f"id {COMMIT}"), "commit": COMMIT}
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
    assert "was pushed before, and is this very image" in result.output
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


def test_an_engine_that_names_images_by_their_manifest_is_understood(push, aws, built, docker, root):
    aws.before.clear()
    digest = aws.push(COMMIT)
    (root / "build/image.json").write_text(json.dumps(built | {"id": digest}))
    assert "is this very image" in push().output


def test_without_a_build_there_is_nothing_to_push(push, aws, root):
    result = push()
    assert result.exit_code == 1
    assert "build/image.json is not there" in result.output


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
