"""Two jobs of one commit, at once on one engine: a branch's, and master's."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.image.containers import docker, sh

ROOT = Path(__file__).parents[2]
REFS = ("feature/covers", "master")


def step(folder, ref, *words):
    job = {"CI": "true", "CI_COMMIT_REF_NAME": ref, "CI_PIPELINE_URL": f"https://gitlab.example.org/{ref}"}
    words = [sys.executable, "-m", "delivery", *words, "--root", str(folder)]
    return subprocess.Popen(
        words, cwd=ROOT, env=os.environ | job, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )


@pytest.fixture(scope="module")
def jobs(engine, tmp_path_factory):
    """The folders of the two, by their refs, in which each has built its image and scanned it."""
    folders = {ref: tmp_path_factory.mktemp("slot") / "colophon" for ref in REFS}
    for folder in folders.values():
        subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", str(ROOT), str(folder)], check=True)
    for words in (["build"], ["scan-image", "--offline"]):
        running = [step(folder, ref, *words) for ref, folder in folders.items()]
        said = [each.communicate()[1] for each in running]
        assert [each.returncode for each in running] == [0, 0], said
    yield folders
    for folder in folders.values():
        docker("image", "rm", "--force", written(folder)["image"], check=False)


def written(folder):
    return json.loads((folder / "build/image.json").read_text())


def passport(image):
    return json.loads(sh(image, "cat release.json"))


def test_each_has_an_image_of_its_own_with_its_own_passport(jobs):
    commits, names = set(), set()
    for ref, folder in jobs.items():
        image = written(folder)
        commits.add(image["commit"])
        names.add(image["image"])
        assert docker("image", "inspect", "--format", "{{.Id}}", image["image"]) == image["id"]
        assert (
            passport(image["id"]) == passport(image["image"]) == json.loads((folder / "build/release.json").read_text())
        )
        assert passport(image["id"])["ref"] == ref
    assert (len(commits), len(names)) == (1, 2)


def test_nothing_else_of_them_is_left_on_the_engine(jobs):
    (commit,) = {written(folder)["commit"] for folder in jobs.values()}
    listed = docker("image", "ls", "--format", "{{.Repository}}:{{.Tag}}", "--filter", f"reference=colophon:{commit}*")
    assert {written(folder)["image"] for folder in jobs.values()} <= set(listed.split())
    assert f"colophon:{commit}" not in listed.split()


def test_one_that_removes_its_image_leaves_the_other_s(jobs):
    first, second = (written(folder) for folder in jobs.values())
    docker("image", "rm", first["image"])
    try:
        assert passport(second["id"])["ref"] == "master"
    finally:
        docker("tag", first["id"], first["image"], check=False)
