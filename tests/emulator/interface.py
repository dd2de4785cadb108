"""The emulator from outside: start it, call AWS's API or the `aws` command against it, read its state, stop it."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Json = dict[str, Any]

ROOT = Path(__file__).parents[2]
PROGRAMS = ROOT / "build/rehearsal-venv/bin"  # with what requirements.txt lists
ACCOUNT, REGION = "123456789012", "eu-central-1"
ROOT_SECRET = "not-a-secret"  # noqa: S105
WRONG_ANSWERS = 3  # the emulator's exit status after an answer that AWS's models do not allow
LONGEST = 300.0  # seconds; whatever takes longer hangs


class CallError(Exception):
    """AWS's API or the `aws` command refused a call. `code` is the name of its error."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


class Program:
    """A module of this package that runs as a program, and ends when its input does."""

    def __init__(self, module: str, *arguments: str, **environment: str) -> None:
        self.process = subprocess.Popen(
            [PROGRAMS / "python", "-m", module, *arguments],
            env={"PYTHONPATH": str(ROOT), **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            process_group=0,  # a Ctrl-C at the terminal is for the program that started it, and ends it in due time
        )

    def read(self) -> str:
        """Return the next line that it prints; empty when it has ended."""
        assert self.process.stdout
        return self.process.stdout.readline().strip()

    def write(self, line: str) -> None:
        assert self.process.stdin
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()

    def close(self, how: signal.Signals | None = None) -> int:
        """Send it a signal, or end its input, wait for its end, and return its exit status."""
        assert self.process.stdin
        assert self.process.stdout
        if how:
            self.process.send_signal(how)
        else:
            self.process.stdin.close()
        try:
            self.process.wait(LONGEST)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()
        return self.process.returncode


class Client(Program):
    """A program that calls AWS's API, or what stands for it, as botocore does."""

    def __call__(self, service: str, operation: str, credentials: tuple[str, str, str], arguments: Json) -> Json:
        """Call an operation, and return its answer. Raises CallError."""
        self.write(json.dumps([service, operation, arguments, credentials]))
        result: Json = json.loads(self.read())
        if "error" in result:
            raise CallError(result["error"], result["message"])
        answer: Json = result["answer"]
        return answer


class Emulator:
    """A running emulator, which ends with this process at the latest.

    `url` is the endpoint of AWS's API, `registry` the image registry's HOST:PORT. `variables` are what any program
    needs to reach it; `environment` are these with the credentials of the account's root.
    """

    def __init__(
        self,
        *arguments: str,
        pace: float = 10.0,
        region: str = REGION,
        account: str = ACCOUNT,
        awkward: Iterable[str] = (),
    ) -> None:
        """Start it with arguments of its command, and wait until it answers.

        AWS's waits pass `pace` times faster. `awkward` has faults of AWS itself, and `region` its partition.
        """
        self.region, self.account = region, account
        command = (f"--region={region}", f"--account={account}", f"--pace={pace:g}", "--until-input-ends", *arguments)
        machine = {name: os.environ[name] for name in ("PATH", "DOCKER_HOST") if name in os.environ}
        self._server = Program("tests.emulator", *command, **machine)
        try:
            self.url = self._server.read()
        except BaseException:
            self._server.process.terminate()
            raise
        assert self.url, "the emulator did not start"
        self.registry = self.url.removeprefix("http://")
        endpoint = {"AWS_ENDPOINT_URL": self.url, "AWS_REGION": region, "AWS_EC2_METADATA_DISABLED": "true"}
        self.variables = {**machine, **endpoint}
        key = {"AWS_ACCESS_KEY_ID": account, "AWS_SECRET_ACCESS_KEY": ROOT_SECRET, "AWS_DEFAULT_REGION": region}
        self.environment = {**self.variables, **key, "HOME": "/nonexistent"}
        self._client = Client("tests.emulator.client", **self.environment)
        self.partition: str = self.behave(*awkward)["partition"]

    def behave(self, *faults: str) -> Json:
        """Have these faults of AWS itself, and no others; return the emulator's state."""
        request = urllib.request.Request(f"{self.url}/_emulator", json.dumps(faults).encode())
        with urllib.request.urlopen(request, timeout=10) as answer:
            found: Json = json.load(answer)
        return found

    def __call__(
        self, service: str, operation: str, credentials: tuple[str, str, str] | None = None, /, **arguments: Any
    ) -> Json:
        """Call an operation of AWS's API by the names that botocore has, and return its answer. Raises CallError."""
        return self._client(service, operation, credentials or (self.account, ROOT_SECRET, ""), arguments)

    def cli(self, command: str, *more: str) -> Any:
        """Run the real `aws` command, and return its output, read as JSON where it is. Raises CallError."""
        words = [str(PROGRAMS / "aws"), *shlex.split(command), *more, "--output=json"]
        done = subprocess.run(words, env=self.environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise CallError(f"aws exited with {done.returncode}", done.stderr.strip())
        return json.loads(done.stdout) if done.stdout.startswith(("{", "[")) else done.stdout.strip()

    def state(self) -> Json:
        """Return the emulator's own state: its network, its load balancers' addresses, its limitations."""
        with urllib.request.urlopen(f"{self.url}/_emulator", timeout=10) as answer:
            found: Json = json.load(answer)
        return found

    def log_in(self) -> None:
        """Log the engine in to the registry, as `aws ecr get-login-password | docker login` does."""
        docker(f"login --username=AWS --password-stdin {self.registry}", feed=self.cli("ecr get-login-password"))

    def end(self, how: signal.Signals | None = signal.SIGTERM) -> int:
        """End the emulator with all that it made, and return its exit status. Without a signal its input just ends.

        Raises AssertionError when it gave an answer that AWS's models do not allow.
        """
        self._client.close()
        status = self._server.close(how)
        subprocess.run(["docker", "logout", self.registry], capture_output=True, check=False)
        assert status != WRONG_ANSWERS, "the emulator gave answers that AWS's models do not allow: it named them above"
        return status


def docker(command: str, *more: str, feed: str = "") -> str:
    """Run Docker's command, and return its output. Raises AssertionError with its complaint."""
    words = ["docker", *shlex.split(command), *more]
    done = subprocess.run(words, input=feed, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def until(condition: Callable[[], Any]) -> Any:
    """Call a function until its result is true, and return that. Raises AssertionError after LONGEST."""
    end = time.monotonic() + LONGEST
    while not (result := condition()):
        assert time.monotonic() < end, f"not within {LONGEST:g} seconds"
        time.sleep(0.05)
    return result
