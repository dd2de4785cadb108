"""The scan of the image, which stands between the build and the push. What it is to find is planted."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from delivery.deployment.outcomes import Outcome
from tests.image import vulnerabilities
from tests.image.containers import commit, docker, sh

EXCEPTION = """
vulnerabilities:
  - id: CVE-2099-0001
    statement: The vulnerability of this test is made up.
    expired_at: 2999-01-01
"""
ROOT = Path(__file__).parents[2]
BASH, FLASK = ("debian 13", "bash"), ("pip::made up", "flask")


@pytest.fixture(scope="module")
def source(tmp_path_factory, engine):
    """A clone with a commit of its own, with the image that was built of it."""
    folder = tmp_path_factory.mktemp("source") / "clone"
    subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", str(ROOT), str(folder)], check=True)
    commit(folder, "Change nothing")
    made = deliver(folder, "build")
    assert made.returncode == 0, made.stderr
    yield folder
    docker("image", "rm", "--force", written(folder)["id"])


def deliver(folder, *words, **environment):
    environment = {"SCAN_OFFLINE": ""} | environment
    command = [sys.executable, "-m", "delivery", *words]
    return subprocess.run(
        command, cwd=folder, env=os.environ | environment, capture_output=True, text=True, check=False
    )


def written(folder):
    return json.loads((folder / "build/image.json").read_text())


@pytest.fixture
def scan(source, tmp_path, trivy):
    """Scan the image with a database that knows of these vulnerabilities."""
    (source / "delivery/exceptions.yaml").write_text("")

    def run(found, exceptions="", **more):
        (source / "delivery/exceptions.yaml").write_text(exceptions)
        return deliver(source, "scan-image", **vulnerabilities.write(tmp_path / "cache", found, **more))

    return run


@pytest.mark.parametrize(
    ("package", "severity", "said"),
    [
        (BASH, "CRITICAL", "(debian 13: CVE-2099-0001, critical: It is made up"),
        (FLASK, "HIGH", "Python: CVE-2099-0001, high: It is made up"),
    ],
    ids=["of the operating system", "of Python"],
)
def test_a_package_with_a_grave_vulnerability_stops_before_the_push(scan, source, tmp_path, package, severity, said):
    ended = scan({package: severity})
    assert ended.returncode == 1
    where, _, what = said.partition(": ")
    (line,) = [line for line in ended.stdout.splitlines() if "CVE-2099" in line]
    assert where in line
    assert f"({package[1]})" in line.lower()
    assert what in line
    assert written(source)["scan"] == "failed"
    # Neither the engine nor AWS is requested anything.
    for program in ("docker", "aws"):
        (tmp_path / program).write_text("#!/bin/sh\necho called >&2\nexit 99\n")
        (tmp_path / program).chmod(0o755)
    pushed = deliver(source, "push", PATH=f"{tmp_path}:{os.environ['PATH']}", AWS_REGION="eu-central-1")
    assert pushed.returncode == 3
    assert "did not pass its scan, so it is not pushed" in pushed.stderr
    assert "called" not in pushed.stderr


@pytest.mark.parametrize(("severity", "code"), [("CRITICAL", 1), ("HIGH", 0)])
def test_of_what_nobody_has_mended_only_the_critical_stops(scan, severity, code):
    ended = scan({BASH: severity}, mended=False)
    assert ended.returncode == code, ended.stdout + ended.stderr


def test_an_exception_lets_it_pass_and_stands_in_the_passport(scan, source):
    ended = scan({BASH: "CRITICAL"}, EXCEPTION)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert written(source)["scan"] == "passed"
    passport = json.loads(sh(written(source)["id"], "cat release.json"))
    assert [each["id"] for each in passport["exceptions"]] == ["CVE-2099-0001"]


def test_an_image_without_a_find_passes_and_its_passport_says_so(scan, source):
    before = docker("image", "inspect", "--format", "{{json .RootFS.Layers}}", written(source)["id"])
    ended = scan({("debian 13", "no-such-package"): "CRITICAL", FLASK: "MEDIUM"})
    assert ended.returncode == 0, ended.stdout + ended.stderr
    made = written(source)
    assert made["scan"] == "passed"
    passport = json.loads(sh(made["id"], "cat release.json"))
    assert {each["name"]: (each["verdict"], each["findings"]) for each in passport["scans"]} == {
        "image secrets": ("passed", 0),
        "image licences": ("passed", 0),
        "image vulnerabilities": ("passed", 0),
    }
    # What was scanned is what is shipped, but for the passport and its time.
    after = docker("image", "inspect", "--format", "{{json .RootFS.Layers}}", made["id"])
    assert json.loads(before)[:-2] == json.loads(after)[:-2]
    assert json.loads(before) != json.loads(after)
    assert docker("image", "inspect", "--format", "{{.Id}}", made["image"]) == made["id"]


def test_without_a_database_nothing_passes_but_on_request(source, trivy):
    nowhere = {"TRIVY_DB_REPOSITORY": "127.0.0.1:9/none", "TRIVY_CACHE_DIR": str(source / "build/cache")}
    ended = deliver(source, "scan-image", **nowhere)
    assert ended.returncode == Outcome.UNAVAILABLE.code
    assert "image vulnerabilities: not run" in ended.stdout
    assert deliver(source, "scan-image", "--offline", **nowhere).returncode == 0
    assert written(source)["scan"] == "not run"


def test_a_key_in_the_image_is_found(source, tmp_path, trivy):
    # Put together here, so that this file is not itself a find.
    fake = "AKIA" + "FAKEFAKE" + "FAKE" + "2345"
    described = written(source)
    (tmp_path / "Dockerfile").write_text(f"FROM {described['image']}\nCOPY fake.ini /srv/\n")
    (tmp_path / "fake.ini").write_text(f"aws_access_key_id = {fake}\n")
    planted = docker("build", "--quiet", str(tmp_path))
    (source / "build/image.json").write_text(json.dumps(described | {"id": planted}))
    ended = deliver(source, "scan-image", "--offline")
    (source / "build/image.json").write_text(json.dumps(described))
    docker("image", "rm", planted)
    assert ended.returncode == 1
    assert "fake.ini:1: aws-access-key-id" in ended.stdout
    assert fake not in ended.stdout + ended.stderr


def test_an_image_of_another_commit_is_not_scanned(source):
    described = written(source)
    (source / "build/image.json").write_text(json.dumps(described | {"commit": "0" * 40}))
    ended = deliver(source, "scan-image", "--offline")
    (source / "build/image.json").write_text(json.dumps(described))
    assert ended.returncode == 1
    assert "is not of" in ended.stderr
    shutil.copy(source / "build/image.json", source / "build/kept.json")
    (source / "build/image.json").unlink()
    assert "`make build` first" in deliver(source, "scan-image", "--offline").stderr
    shutil.move(source / "build/kept.json", source / "build/image.json")
