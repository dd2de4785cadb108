"""The emulator, for tests: started, called, and ended; with images that behave in every way a release can."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests import waiting

if TYPE_CHECKING:
    from collections.abc import Callable

Json = dict[str, Any]

ROOT = Path(__file__).parents[2]
PROGRAMS = ROOT / "build/rehearsal-venv/bin"
ACCOUNT, REGION = "123456789012", "eu-central-1"
ROOT_KEY = (ACCOUNT, "not-a-secret", "")
BASE = os.environ.get("BASE", "python:3.13-slim")

# A site of one file. Its image's environment says how it behaves.
SITE = Path(__file__).parent / "tests/with_engine/sample_site.py"


class CallError(Exception):
    """AWS's API refused a call. `code` is the name of its error."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


class Emulator:
    """A running emulator. `settings` are arguments of its command."""

    def __init__(self, *settings: str, pace: float = 10.0) -> None:
        self._emulator = subprocess.Popen(
            [
                PROGRAMS / "python",
                "-m",
                "tests.emulator",
                f"--region={REGION}",
                f"--pace={pace:g}",
                "--until-input-ends",
                *settings,
            ],
            env=machine() | {"PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            process_group=0,  # a Ctrl-C at the terminal is for whoever started it, and ends it in due time
        )
        assert self._emulator.stdout
        try:
            self.url = self._emulator.stdout.readline().strip()
        except BaseException:
            self._emulator.terminate()
            raise
        assert self.url, "the emulator did not start"
        self.environment = {
            "PATH": os.environ["PATH"],
            "AWS_ENDPOINT_URL": self.url,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": ROOT_KEY[0],
            "AWS_SECRET_ACCESS_KEY": ROOT_KEY[1],
            "AWS_EC2_METADATA_DISABLED": "true",
            "HOME": "/nonexistent",
        }
        self._calls = subprocess.Popen(
            [PROGRAMS / "python", Path(__file__).with_name("client.py")],
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            process_group=0,
        )

    @property
    def registry(self) -> str:
        return self.url.removeprefix("http://")

    def __call__(
        self, service: str, operation: str, credentials: tuple[str, str, str] = ROOT_KEY, /, **arguments: Any
    ) -> Json:
        """Call an operation of AWS's API, and return its answer. Raises CallError."""
        assert self._calls.stdin
        assert self._calls.stdout
        self._calls.stdin.write(json.dumps([service, operation, arguments, credentials]) + "\n")
        self._calls.stdin.flush()
        result: Json = json.loads(self._calls.stdout.readline())
        if "error" in result:
            raise CallError(result["error"], result["message"])
        answer: Json = result["answer"]
        return answer

    def aws(self, *arguments: str) -> Any:
        """Run the real `aws` command, and return what it printed as JSON.

        Raises CallError with what it complained of.
        """
        done = subprocess.run(
            [PROGRAMS / "aws", *arguments, "--output=json"],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise CallError(f"aws exited with {done.returncode}", done.stderr.strip())
        return json.loads(done.stdout) if done.stdout.startswith(("{", "[")) else {}

    def state(self) -> Json:
        """Return what the emulator says of itself."""
        with urllib.request.urlopen(f"{self.url}/_rehearsal", timeout=10) as answer:
            found: Json = json.load(answer)
        return found

    def end(self, how: signal.Signals | None = signal.SIGTERM) -> int:
        """End the emulator with all that it made, and return its exit status. Without a signal its input just ends."""
        _close(self._calls)
        if how:
            self._emulator.send_signal(how)
            _wait(self._emulator)
        _close(self._emulator)
        subprocess.run(["docker", "logout", self.registry], capture_output=True, check=False)
        return self._emulator.returncode

    # -- images

    def log_in(self) -> None:
        """Log the engine in to the registry, as `aws ecr get-login-password | docker login` does."""
        password = subprocess.run(
            [PROGRAMS / "aws", "ecr", "get-login-password"],
            env=self.environment,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        docker("login", "--username=AWS", "--password-stdin", self.registry, feed=password)

    def push(self, tag: str, **behaviour: str) -> str:
        """Build a site that behaves as said, push it, and return its name by digest."""
        name = f"{self.registry}/site:{tag}"
        variables = "".join(f"ENV {key}={value}\n" for key, value in behaviour.items())
        recipe = f'FROM {BASE}\nCOPY {SITE.name} /\nENV RELEASE={tag}\n{variables}CMD ["python3", "/{SITE.name}"]\n'
        docker("build", "--quiet", "--tag", name, "--file=-", str(SITE.parent), feed=recipe)
        docker("push", "--quiet", name)
        known: list[str] = json.loads(docker("image", "inspect", "--format={{json .RepoDigests}}", name))
        return next(digest for digest in known if digest.startswith(f"{self.registry}/site@sha256:"))


def machine() -> dict[str, str]:
    """Return the variables that say where programs and the engine are on this machine; no others, and no secrets."""
    return {name: os.environ[name] for name in ("PATH", "DOCKER_HOST") if name in os.environ}


def _close(process: subprocess.Popen[str]) -> None:
    """Let a process know that nobody listens to it any more, and wait for its end."""
    assert process.stdin
    assert process.stdout
    process.stdin.close()
    _wait(process)
    process.stdout.close()


def _wait(process: subprocess.Popen[str]) -> None:
    try:
        process.wait(waiting.LONGEST)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def docker(*arguments: str, feed: str = "") -> str:
    """Run Docker's command, and return what it printed."""
    done = subprocess.run(["docker", *arguments], input=feed, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def until(true: Callable[[], Any]) -> Any:
    """Ask again and again until the answer is true, and return it. Fails when it does not come to be."""
    answer = waiting.until(true)
    assert answer, f"not within {waiting.LONGEST:g} seconds"
    return answer
