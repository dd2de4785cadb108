"""docker-compose.yml of a clone, as a project of a test's own."""

from __future__ import annotations

import json
import os
import subprocess
import uuid
from typing import TYPE_CHECKING, Any

from tests.image.containers import docker, free_port

if TYPE_CHECKING:
    from pathlib import Path


class Compose:
    """A project, with these variables beside its own."""

    def __init__(self, folder: Path, **variables: str) -> None:
        self.folder, self.port = folder, free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.name = f"colophon-test-{uuid.uuid4().hex[:8]}"
        own = {"COMPOSE_PROJECT_NAME": self.name, "PORT": str(self.port)}
        self.environment = os.environ | own | variables

    def run(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        command, environment = ["docker", "compose", *arguments], self.environment | variables
        return subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False)

    def __call__(self, *arguments: str) -> str:
        ended = self.run(*arguments)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout.strip()

    def inspect(self, service: str, form: str) -> str:
        return docker("inspect", "--format", form, self("ps", "--all", "--quiet", service))

    def down(self) -> None:
        """Remove all of it, with its volumes and what it built."""
        self("down", "--volumes", "--timeout=5")
        docker("image", "rm", f"colophon:working-copy-{self.name}", check=False)

    def check_hardening(self, service: str, user: str, *capabilities: str, megabytes: int = 512) -> None:
        """Fail for a container that may do more than it must, has no limits, or lets its log grow."""
        config: dict[str, Any] = json.loads(self.inspect(service, "{{json .HostConfig}}"))
        assert config["ReadonlyRootfs"]
        assert config["CapDrop"] == ["ALL"]
        assert tuple(config["CapAdd"] or ()) == capabilities
        assert config["SecurityOpt"] == ["no-new-privileges:true"]
        assert 0 < config["Memory"] <= megabytes * 2**20
        assert config["NanoCpus"] > 0
        assert 0 < config["PidsLimit"] <= 256
        assert config["LogConfig"] == {"Type": "json-file", "Config": {"max-file": "3", "max-size": "10m"}}
        assert self.inspect(service, "{{.Config.User}}") == user
