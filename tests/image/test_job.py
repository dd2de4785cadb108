"""A job of the pipeline, in a container such as the runner's docker executor makes. No runner has a part in it."""

import os
import subprocess
import tomllib
import uuid
from pathlib import Path
from string import Template

import pytest
import yaml

from tests.image.containers import free_port

ROOT = Path(__file__).parents[2]
RUNNER = tomllib.loads((ROOT / "delivery/runner/branches.toml").read_text())["runners"][0]
PIPELINE = yaml.safe_load((ROOT / ".gitlab-ci.yml").read_text())
# GitLab Runner's documentation, "Advanced configuration", the section [runners.docker].
OPTIONS = {"network_mode": "--network", "volumes": "--volume", "memory": "--memory", "cpus": "--cpus"}
UNPACK = 'mkdir -p "$CI_PROJECT_DIR" && tar -x --no-same-owner -C "$CI_PROJECT_DIR"'
FETCH = "import os, urllib.request as u; print(u.urlopen('http://127.0.0.1:' + os.environ['PORT']).read().decode())"


@pytest.fixture
def job(clone):
    """Run lines of a shell where a clone of this commit lies in the runner's folder, and return what they said."""
    settings = RUNNER["docker"]
    assert set(settings) <= {*OPTIONS, "image", "pull_policy"}, "the test knows no such option"
    folder = f"{RUNNER['builds_dir']}/try-{uuid.uuid4().hex[:8]}"
    variables = {"CI": "true", "CI_PROJECT_DIR": folder, "CI_JOB_ID": "1"}
    variables |= {name: Template(str(value)).substitute(variables) for name, value in PIPELINE["variables"].items()}
    variables |= {name: os.environ[name] for name in ("BASE", "POSTGRES_IMAGE") if name in os.environ}
    variables["PORT"] = str(free_port())
    given = [f"--env={name}={value}" for name, value in variables.items()]
    for name, option in OPTIONS.items():
        values = settings.get(name, [])
        given += [f"{option}={value}" for value in ([values] if isinstance(values, str) else values)]

    def run(*lines, **streams):
        command = ["docker", "run", "--rm", "--interactive", *given, os.environ.get("BASE") or settings["image"]]
        ended = subprocess.run([*command, "bash", "-ec", "\n".join(lines)], capture_output=True, **streams)
        assert ended.returncode == 0, (ended.stdout + ended.stderr).decode()
        return ended.stdout.decode()

    # GitLab clones with a container of its own, as root.
    packed = subprocess.run(["tar", "-c", "-C", str(clone), "."], capture_output=True, check=True)
    run(UNPACK, input=packed.stdout)
    try:
        yield lambda *lines: run('cd "$CI_PROJECT_DIR"', *lines)
    finally:
        run('rm -rf "$CI_PROJECT_DIR"')


def test_a_job_brings_the_site_up_beside_it_and_reaches_it(job, described):
    project = f"export COMPOSE_PROJECT_NAME=colophon-test-{uuid.uuid4().hex[:8]}"
    image = "docker image rm colophon:working-copy-$COMPOSE_PROJECT_NAME"
    clean = f"trap 'docker compose down --volumes --timeout=5; {image}' EXIT"
    fetch = f'python3 -c "{FETCH}"'
    said = job(*PIPELINE[".image"]["before_script"], project, clean, "make up", fetch)
    assert "A catalogue of 515 books" in said
