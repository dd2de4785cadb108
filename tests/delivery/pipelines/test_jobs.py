"""The checkout and artifacts of every job of .gitlab-ci.yml, prepared as GitLab's runner prepares them."""

import json
import os
import re
import shlex
import subprocess
import sys
import tarfile
from io import BytesIO
from pathlib import Path, PurePosixPath

import pytest

from delivery.commands import push, scan
from delivery.deployment import receipts
from delivery.release import image
from tests.delivery.pipelines.gitlab_ci import ROOT, Pipeline
from tests.delivery.pipelines.job_runner import PROJECT, JobError, Runner, Server

pytestmark = pytest.mark.slow

BRANCH = {"CI_COMMIT_REF_PROTECTED": "false", "CI_COMMIT_BRANCH": "feature/covers"}
MASTER = {"CI_COMMIT_REF_PROTECTED": "true", "CI_COMMIT_BRANCH": "master"}
MASTER |= {"AWS_ROLE_PUSH": "arn:push", "AWS_ROLE_DEPLOY": "arn:deploy"}
JOBS = {name: of for of in (MASTER, BRANCH) for name in Pipeline().jobs(of | {"CI_PIPELINE_SOURCE": "push"})}
# Each variable with its reader. Before the script only the runner may read one, and GitLab documents which.
MAY_BE_SET = {
    "AWS_ROLE_ARN": "the delivery",
    "FF_DISABLE_UMASK_FOR_DOCKER_EXECUTOR": "the runner: who may write to the checkout",
    "GIT_DEPTH": "the runner: how much it fetches",
    "PIP_CACHE_DIR": "pip",
}
# All that the steps ask Git, in the folder where they run.
ASK = """
import json, pathlib, sys, tempfile
from delivery import pipelines
from delivery.release import checkout, git_history, reports, trivy
root = pathlib.Path.cwd()
source = checkout.read(root, pipelines.current().ref)
with tempfile.TemporaryDirectory() as folder:
    source.copy("src", pathlib.Path(folder, "src"))
    copied = pathlib.Path(folder, "src/requirements.txt").exists()
with trivy._as_committed(root) as folder:
    scanned = (folder / "Makefile").exists()
order = git_history.order(root, sys.argv[1], source.commit)
print(json.dumps({"commit": source.commit, "ref": source.ref, "changed": source.changed, "order": order.value,
    "copied": copied, "scanned": scanned, "tested": reports.tested(root / "build")}))
"""


@pytest.fixture(scope="module")
def gitlab(tmp_path_factory):
    """A GitLab with this working copy, but for what only fills it: two commits of `master`, and a branch of it."""
    folder = tmp_path_factory.mktemp("gitlab")
    (folder / PROJECT).parent.mkdir()
    who = {"GIT_AUTHOR_NAME": "Test", "GIT_AUTHOR_EMAIL": "test@example.org"}
    who |= {name.replace("AUTHOR", "COMMITTER"): value for name, value in who.items()}
    environment = who | {"GIT_DIR": f"{folder / PROJECT}.git", "PATH": os.environ["PATH"]}

    def run(*words):
        ended = subprocess.run(("git", *words), cwd=ROOT, env=environment, check=True, capture_output=True, text=True)
        return ended.stdout.strip()

    run("init", "--bare")
    run("--work-tree=.", "add", "--all", "--", ".", ":!src/colophon", ":!assets", ":!tests", ":!README.md")
    run("--work-tree=.", "add", "--", "tests/*requirements.txt")
    commits = [run("commit-tree", run("write-tree"), "-m", "Begin")]
    run("--work-tree=.", "add", "--", "README.md")
    commits.append(run("commit-tree", run("write-tree"), "-m", "Go on", "-p", commits[0]))
    for branch in (MASTER, BRANCH):
        run("update-ref", f"refs/heads/{branch['CI_COMMIT_BRANCH']}", commits[1])
    server = Server(folder)
    server.commits = commits
    yield server
    server.close()


@pytest.fixture
def pipeline():
    return Pipeline()


@pytest.fixture
def runner(tmp_path, pipeline, gitlab):
    return Runner(tmp_path, pipeline, gitlab.url)


def given(name, commit):
    of = JOBS[name]
    return of | {"CI_PIPELINE_SOURCE": "push", "CI_COMMIT_SHA": commit, "CI_COMMIT_REF_NAME": of["CI_COMMIT_BRANCH"]}


def asks(pipeline, name, of):
    """Return the lines that run what a job's own script runs of Git, and ask all that the delivery asks it."""
    calls = [line.partition(" || ")[0] for line in pipeline.jobs_by_name[name]["script"]]
    steps = [f"{call} --dry-run | {{ grep -E '^(mkdir|git|mv) ' || true; }} | bash -e" for call in calls]
    return [*steps, f"{sys.executable} -c {shlex.quote(ASK)} {of}"]


def hand_on(runner, pipeline, name, commit):
    """Have the jobs of earlier stages leave their artifacts, which say of which commit they are."""
    for earlier in pipeline.earlier(name, given(name, commit)):
        with tarfile.open(runner.kept / f"{earlier}.tar", "w") as archive:
            for path in pipeline.jobs_by_name[earlier]["artifacts"]["paths"]:
                entry = tarfile.TarInfo(path)
                entry.size = len(commit)
                archive.addfile(entry, BytesIO(commit.encode()))


def left_to_another_user(folder):
    """Leave what a job leaves whose image has a user of its own, and return what makes Git on this machine see it."""
    (folder / ".venv").mkdir(exist_ok=True)
    (folder / "build").mkdir(exist_ok=True)
    (folder / "build/tested").write_text("another commit\n")
    if os.geteuid():
        return {"GIT_TEST_ASSUME_DIFFERENT_OWNER": "1"}
    subprocess.run(["chown", "-RPh", "1000:1000", folder], check=True)
    return {}


@pytest.mark.parametrize("name", JOBS)
def test_a_job_knows_its_commit_in_an_empty_folder_and_in_one_that_another_user_left(name, runner, pipeline, gitlab):
    old, new = gitlab.commits
    seen = {}
    for commit, other, order in ((new, old, "older"), (old, new, "newer")):
        hand_on(runner, pipeline, name, commit)
        said = runner.play(name, given(name, commit) | seen, asks(pipeline, name, other))
        assert f"Checking out {commit[:8]} as detached HEAD" in said["get_sources"]
        # Reports on tests are of this commit: the job wrote them, or they came from an earlier stage.
        tested = None if name in ("scan", "rollback") else commit
        assert json.loads(said["step_script"].splitlines()[-1]) == {
            "commit": commit,
            "ref": JOBS[name]["CI_COMMIT_BRANCH"],
            "changed": [],
            "order": order,
            "copied": True,
            "scanned": True,
            "tested": tested,
        }
        seen = left_to_another_user(runner.folder())


def test_no_other_user_of_the_machine_can_change_a_checkout(runner, gitlab):
    runner.play("scan", given("scan", gitlab.commits[1]), ["mkdir build"])
    assert [path for path in runner.folder().rglob("*") if not path.is_symlink() and path.stat().st_mode & 0o022] == []


def test_two_jobs_at_once_have_folders_of_their_own(runner, gitlab):
    for slot, commit in enumerate(gitlab.commits):
        said = runner.play("scan", given("scan", commit), ["git rev-parse HEAD", 'echo "$PIP_CACHE_DIR"'], slot)
        assert said["step_script"].split() == [commit, f"{runner.folder(slot)}/.cache/pip"]
    assert runner.folder(0) != runner.folder(1)


@pytest.mark.parametrize("name", JOBS)
def test_a_job_keeps_what_its_script_writes_in_its_folder(name, runner, pipeline, gitlab):
    job = pipeline.jobs_by_name[name]
    artifacts, cached = job["artifacts"]["paths"], job["cache"].get("paths", [])
    assert not [path for path in artifacts + cached if PurePosixPath(path).is_absolute() or ".." in path]
    writers = {"scan": scan, "build": image, "push": push, "deploy": receipts, "rollback": receipts}
    # Without what `make` of this test was told.
    plain = {"PATH": os.environ["PATH"], "CI": "true"}
    dry = {"cwd": ROOT, "env": plain, "check": True, "text": True, "stdout": subprocess.PIPE}
    calls = [line.partition(" || ")[0].split() for line in job["script"]]
    recipes = "".join(subprocess.run([*call, "--dry-run"], **dry).stdout for call in calls)
    sources = [Path(writers[step].__file__).read_text() for step in re.findall(r"-m delivery ([a-z]+)", recipes)]
    for path in artifacts:
        assert any(PurePosixPath(path).name in text for text in (recipes, *sources)), f"nothing writes {path}"
    written = [f"mkdir -p {PurePosixPath(path).parent}; echo > {path}" for path in artifacts + cached]
    runner.play(name, given(name, gitlab.commits[1]), written)
    with tarfile.open(runner.kept / f"{name}.tar") as kept:
        assert kept.getnames() == sorted(artifacts)


@pytest.mark.parametrize(("name", "code"), [("deploy", 9), ("scan", 1)])
def test_gitlab_is_told_the_code_that_a_step_left(name, code, runner, pipeline, gitlab):
    made = f"make() {{ mkdir -p build; echo {code} >build/exit-code; return 2; }}"
    (line,) = pipeline.jobs_by_name[name]["script"]
    with pytest.raises(JobError) as failed:
        runner.play(name, given(name, gitlab.commits[0]), [made, line])
    assert failed.value.code == code


def test_of_a_line_that_only_fails_gitlab_is_told_1(runner, gitlab):
    with pytest.raises(JobError) as failed:
        runner.play("scan", given("scan", gitlab.commits[0]), ["bash -c 'exit 9'"])
    assert failed.value.code == 1


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("HOME", "$CI_PROJECT_DIR/.home/$CI_JOB_ID", "get_sources.* could not lock config file"),
        ("GIT_CONFIG_GLOBAL", "$CI_PROJECT_DIR/gitconfig", "get_sources.* could not lock config file"),
        ("GIT_DIR", "$CI_PROJECT_DIR/git", "get_sources.* must be run in a work tree"),
        ("PATH", "$CI_PROJECT_DIR/.venv/bin", "get_sources.* command not found"),
        ("http_proxy", "http://127.0.0.1:9", "get_sources.* Failed to connect to 127.0.0.1 port 9"),
        ("TMPDIR", "$CI_PROJECT_DIR/tmp", "download_artifacts.* failed to create file"),
    ],
)
def test_a_variable_that_the_runner_needs_fails_a_job_before_its_script(
    variable, value, said, runner, pipeline, gitlab
):
    pipeline.config["variables"][variable] = value
    hand_on(runner, pipeline, "deploy", gitlab.commits[0])
    with pytest.raises(JobError, match=f"(?s){said}"):
        runner.play("deploy", given("deploy", gitlab.commits[0]), [])


def test_no_variable_of_the_file_is_read_before_the_script():
    assert Pipeline().names() <= set(MAY_BE_SET), "MAY_BE_SET says who reads it, if that is not the runner or Git"
