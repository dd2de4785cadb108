"""An engine without containers, for deliveries whose tasks need nothing but to be there.

Each task in awsvpc mode is a site of a few lines, in a thread, that says which release it is, as the tag of its first
image does; in another mode each container is. A command that listens at no port ends at once, with 0.
"""

from __future__ import annotations

import itertools
import json
import re
import threading
import uuid
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from ministack.services import ecr

from .engine import Engine, EngineError, Look, container_ports

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .model import Json
    from .pace import Pace

COMMIT = re.compile(r"[0-9a-f]{40}")
KILLED = 137


@dataclass
class Scripted:
    """A container: its site, if it is one, and whether it has ended."""

    address: str
    ports: list[int]
    site: ThreadingHTTPServer | None
    ended: threading.Event = field(default_factory=threading.Event)


class ScriptedEngine(Engine):
    """The containers of one emulator, by their ID."""

    network = "none"
    gateway = "127.0.0.1"

    def __init__(self) -> None:
        self._containers: dict[str, Scripted] = {}
        self._addresses = (f"10.0.{number // 250}.{number % 250 + 4}" for number in itertools.count())

    def pull(self, image: str, _credentials: Json) -> tuple[str, str]:
        """Return the digest of an image of the registry, twice. Raises EngineError for one that is not there."""
        digest = image.partition("@")[2]
        if not _tags(digest):
            raise EngineError(f"{image}: not found")
        return digest, digest

    def pause(self, _name: str, image: str, ports: list[int]) -> str:
        """Start a site for a task, and return its ID."""
        container = self._make(ports, _site(image.partition("@")[2]))
        self.start(container)
        return container

    def create(self, _name: str, image: str, definition: Json, _env: Json, _task: Json, _pace: Pace, pause: str) -> str:
        """Make a container, and return its ID."""
        ports, command = container_ports(definition), definition.get("command")
        container = self._make(ports, None if command or pause else _site(image.partition("@")[2]))
        if command and not ports:
            self._containers[container].ended.set()
        return container

    def _make(self, ports: list[int], site: ThreadingHTTPServer | None) -> str:
        container = uuid.uuid4().hex
        self._containers[container] = Scripted(next(self._addresses), ports, site)
        return container

    def start(self, container: str) -> None:
        """Start a container's site, if it is one."""
        if site := self._containers[container].site:
            threading.Thread(target=site.serve_forever, name="site", daemon=True).start()

    def look(self, container: str) -> Look:
        """Return the state of a container."""
        found = self._containers.get(container)
        if found is None:
            return Look(False, KILLED, False, "UNKNOWN", "", "", {})
        ports = dict.fromkeys(found.ports, found.site.server_port) if found.site else {}
        return Look(not found.ended.is_set(), 0, False, "HEALTHY", found.address, "", ports)

    def output(self, container: str) -> Iterator[bytes]:
        """Yield the output of a container: a line, and then nothing until it ends."""
        yield b"scripted\n"
        if found := self._containers.get(container):
            found.ended.wait()

    def stop(self, container: str, _seconds: int) -> None:
        """End a container."""
        found = self._containers.get(container)
        if found and not found.ended.is_set():
            found.ended.set()
            if found.site:
                found.site.shutdown()
                found.site.server_close()

    def remove(self, container: str) -> None:
        """Remove a container, running or not."""
        self.stop(container, 0)
        self._containers.pop(container, None)

    def clean(self, _registry: str = "") -> None:
        """Remove all containers."""
        for container in list(self._containers):
            self.remove(container)


def _tags(digest: str) -> list[str]:
    """Return the tags of an image of any account."""
    images = [image for held in ecr._images.to_dict().values() for image in held]
    return [tag for image in images if image["imageDigest"] == digest for tag in image["imageTags"]]


def _site(digest: str) -> ThreadingHTTPServer:
    commit = next((tag for tag in _tags(digest) if COMMIT.fullmatch(tag)), None)
    passport = json.dumps({"commit": commit, "image_digest": digest}).encode()

    class Site(BaseHTTPRequestHandler):
        """A site that answers everything with its passport."""

        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(passport)))
            self.send_header("Colophon-Release", str(commit))
            self.end_headers()
            self.wfile.write(passport)

        def log_message(self, *_: Any) -> None:
            """Nothing is logged."""

    return ThreadingHTTPServer(("127.0.0.1", 0), Site)
