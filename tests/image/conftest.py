"""What the tests of the image can use: an engine, the image that `make build` left, containers of it, and clones."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import unavailable
from tests.image.containers import Container, docker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session", autouse=True)
def engine() -> None:
    """A container engine, which every test here needs."""
    if not shutil.which("docker") or subprocess.run(["docker", "info"], capture_output=True, check=False).returncode:
        unavailable("no container engine answers (Docker 20.10 or newer)")


@pytest.fixture(scope="session")
def described(engine: None) -> dict[str, Any]:
    """What `make build` said of the image it made, which must be of the commit that is checked out."""
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True)
    try:
        found: dict[str, Any] = json.loads((ROOT / "build/image.json").read_text())
    except FileNotFoundError:
        found = {"commit": None}
    if found["commit"] != head.stdout.strip():
        unavailable("there is no image of this commit (make build)")
    return found


@pytest.fixture(scope="session")
def image(described: dict[str, Any]) -> str:
    """The image, by its id. A clone's image has a name of its own, so no test takes this one's away."""
    id_: str = described["id"]
    return id_


@pytest.fixture
def named(image: str) -> Iterator[str]:
    """The image, by a name of the test's own: BuildKit would look for an id on the hub."""
    name = f"colophon-test:{uuid.uuid4().hex[:8]}"
    docker("tag", image, name)
    yield name
    docker("image", "rm", name)


@pytest.fixture(scope="module")
def container(image: str) -> Iterator[Container]:
    """The site, running in a container."""
    running = Container(image)
    yield running.wait()
    running.remove()


@pytest.fixture
def start(image: str) -> Iterator[Callable[..., Container]]:
    """Start containers of the test's own."""
    started: list[Container] = []

    def run(*options: str) -> Container:
        started.append(Container(image, *options))
        return started[-1]

    yield run
    for one in started:
        one.remove()


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone of this checkout's commit, for the test to change."""
    folder = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", str(ROOT), str(folder)], check=True)
    return folder


@pytest.fixture
def build(described: dict[str, Any]) -> Iterator[Callable[..., dict[str, Any]]]:
    """Build a clone's commit as `make build` does; the images that come of it are removed afterwards."""
    built: set[str] = set()

    def run(folder: Path, *options: str) -> dict[str, Any]:
        command = [sys.executable, "-m", "delivery", "build", "--root", str(folder), *options]
        ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert ended.returncode == 0, ended.stderr
        described: dict[str, Any] = json.loads((folder / "build/image.json").read_text())
        built.add(described["image"])
        return described

    yield run
    for name in built:
        docker("image", "rm", name, check=False)
