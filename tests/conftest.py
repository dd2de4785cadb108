"""What every test can use: the app, a client, the command line, and pages that are checked as they are fetched."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from colophon import cataloguing, create_app, database, importer
from colophon.books import Catalogue
from colophon.settings import Settings
from pagecheck import PageClient

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from flask import Flask
    from flask.testing import FlaskClient
    from sqlalchemy import Engine


def unavailable(reason: str) -> None:
    """Skip a test that this machine cannot run. In CI, where every suite is required, it fails instead."""
    if os.environ.get("CI"):
        pytest.fail(f"required in CI: {reason}")
    pytest.skip(reason)


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with the built-in books. Tests share it, so they only read it."""
    path: Path = tmp_path_factory.mktemp("library") / "colophon.db"
    engine = database.connect(f"sqlite:///{path}")
    database.upgrade(engine)
    cataloguing.add_books(engine, importer.built_in_books())
    engine.dispose()
    return path


@pytest.fixture(scope="session")
def empty_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = tmp_path_factory.mktemp("library") / "empty.db"
    engine = database.connect(f"sqlite:///{path}")
    database.upgrade(engine)
    engine.dispose()
    return path


@pytest.fixture
def engine(empty_library: Path, tmp_path: Path) -> Iterator[Engine]:
    """An empty database of the test's own, for it to fill."""
    shutil.copy(empty_library, tmp_path / "own.db")
    engine = database.connect(f"sqlite:///{tmp_path / 'own.db'}")
    yield engine
    engine.dispose()


@pytest.fixture
def catalogue(library: Path) -> Iterator[Catalogue]:
    engine = database.connect(f"sqlite:///{library}")
    with engine.connect() as db:
        yield Catalogue(db)
    engine.dispose()


@pytest.fixture(scope="session")
def app(library: Path) -> Iterator[Flask]:
    app = create_app(Settings(database_url=f"sqlite:///{library}", site_url="http://localhost"))
    yield app
    database.engine_of(app).dispose()


@pytest.fixture
def make_app(library: Path) -> Iterator[Callable[..., Flask]]:
    """Make an app whose settings differ from the defaults."""
    made: list[Flask] = []

    def make(**changed: object) -> Flask:
        settings: dict[str, object] = {"database_url": f"sqlite:///{library}", "site_url": "http://localhost"} | changed
        made.append(create_app(Settings(**settings)))  # type: ignore[arg-type]  # the test knows the settings' types
        return made[-1]

    yield make
    for app in made:
        database.engine_of(app).dispose()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def runner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    """The command line, in a folder of its own and with no setting from outside."""
    for name in Settings.__dataclass_fields__:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)
    return CliRunner()


@pytest.fixture(scope="session")
def resolved() -> dict[str, int]:
    """The links that were followed already, with their answers' statuses."""
    return {}


@pytest.fixture
def page(client: FlaskClient, resolved: dict[str, int]) -> PageClient:
    """Fetch pages, each checked for what every page must obey."""
    return PageClient(client, resolved)


class Server:
    """The site as `make run` serves it: a process of its own, on a free port."""

    def __init__(self, folder: Path, **environment: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        settings = {name: value for name, value in os.environ.items() if name not in SETTING_NAMES}
        self.log = folder / "server.log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "colophon", "serve"],
                cwd=folder,
                env=settings | {"PORT": str(self.port)} | environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self._wait_until_ready()

    def _wait_until_ready(self) -> None:
        for _ in range(300):
            if self.process.poll() is not None:
                break
            try:
                with urllib.request.urlopen(f"{self.url}/readyz", timeout=1):
                    return
            except OSError:
                time.sleep(0.1)
        self.stop()
        raise AssertionError(f"the server did not start:\n{self.log.read_text()}")

    def stop(self, signal_number: int = signal.SIGTERM) -> int:
        """End the server and return its exit code."""
        self.process.send_signal(signal_number)
        return self.process.wait(timeout=30)


SETTING_NAMES = frozenset(name.upper() for name in Settings.__dataclass_fields__)


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The site with its built-in books, running."""
    server = Server(tmp_path_factory.mktemp("site"))
    yield server
    server.stop()
