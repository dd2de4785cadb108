"""Containers of the site, for tests."""

from __future__ import annotations

import socket
import subprocess
import urllib.error
import urllib.request
import uuid
from typing import TYPE_CHECKING

from tests.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

# As compose and ECS run it.
HARDENED = ("--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--tmpfs=/tmp:mode=1777")


def docker(*arguments: str, check: bool = True) -> str:
    ended = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)
    assert not check or ended.returncode == 0, ended.stderr
    return ended.stdout.strip()


def sh(image: str, script: str) -> str:
    """Run a line of shell in a new container, and return all that it wrote."""
    command = ["docker", "run", "--rm", "--network=none", *HARDENED, image, "sh", "-c", f"{script} 2>&1"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def probe(container: str, check: list[str]) -> int:
    """Run a health check, in the form that engines and ECS share, as an engine does; return its exit code."""
    form, *words = check
    command = {"CMD": words, "CMD-SHELL": ["/bin/sh", "-c", *words]}[form]
    return subprocess.run(["docker", "exec", container, *command], capture_output=True, check=False).returncode


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def fetch(url: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    """Return status, headers and body."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=10) as answer:
            return answer.status, dict(answer.headers), answer.read()
    except urllib.error.HTTPError as error:
        return error.code, dict(error.headers), error.read()


class Container:
    """The site in a container, hardened as it is in production, with an SQLite database that lives as long as it."""

    def __init__(self, image: str, *options: str) -> None:
        self.name = f"colophon-test-{uuid.uuid4().hex[:8]}"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        settings = ("--env=DATABASE_URL=sqlite:////tmp/site.db", f"--env=SITE_URL={self.url}")
        serve = ("sh", "-c", "python3 -m colophon prepare && exec python3 -m gunicorn --config gunicorn.conf.py")
        where = ("--name", self.name, f"--publish=127.0.0.1:{self.port}:8000")
        docker("run", "--detach", *where, *HARDENED, *settings, *options, image, *serve)

    def wait(self) -> Container:
        if not until(self._is_ready, alive=lambda: self.inspect("{{.State.Running}}") == "true"):
            raise AssertionError(f"the container did not start:\n{docker('logs', self.name)}")
        return self

    def _is_ready(self) -> bool:
        try:
            return fetch(f"{self.url}/readyz")[0] == 200
        except OSError:
            return False

    def inspect(self, form: str) -> str:
        return docker("inspect", "--format", form, self.name)

    def remove(self) -> None:
        docker("rm", "--force", "--volumes", self.name, check=False)


def commit(folder: Path, why: str) -> None:
    """Commit all changes of a clone to tracked files, or none."""
    who = ("-c", "user.name=Test", "-c", "user.email=test@example.org")
    subprocess.run(
        ["git", *who, "commit", "--quiet", "--all", "--allow-empty", "--message", why], cwd=folder, check=True
    )
