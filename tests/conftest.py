"""What every test can use: the app, a client, the command line, and pages that are checked as they are fetched."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest
from click.testing import CliRunner
from flask import Flask
from jinja2 import FileSystemBytecodeCache

from colophon import create_app, database
from colophon.catalogue.reading import Catalogue
from colophon.settings import Settings
from colophon.web import state
from tests import releases
from tests.databases import PostgreSQL, SQLite
from tests.pagecheck import PageClient
from tests.postgres import Postgres, programs, running
from tests.quick import (  # noqa: F401 -- pytest finds these hooks here
    pytest_addoption,
    pytest_collection_modifyitems,
    pytest_sessionfinish,
    pytest_terminal_summary,
    pytest_testnodedown,
)
from tests.untraced import untraced
from tests.waiting import LONGEST, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from flask.testing import FlaskClient
    from sqlalchemy import Engine

    from colophon.release.passport import Passport
    from tests.databases import Databases


# How long an example takes says more of the machine than of the code.
hypothesis.settings.register_profile("patient", hypothesis.settings(), deadline=None)
hypothesis.settings.load_profile("patient")

# For tests that need fixtures with a database but have nothing to do with which.
any_database = pytest.mark.parametrize("databases", ["sqlite"], indirect=True, scope="session")
# For what only one kind of database has.
sqlite_only = any_database
postgresql_only = pytest.mark.parametrize("databases", ["postgresql"], indirect=True, scope="session")


# Read before any test, for some take it away.
NOTHING_IS_SKIPPED = bool(os.environ.get("CI"))


def unavailable(reason: str) -> None:
    """Skip a test that this machine cannot run. In CI, where every suite is required, it fails instead."""
    if NOTHING_IS_SKIPPED:
        pytest.fail(f"required in CI: {reason}")
    pytest.skip(reason)


@pytest.fixture(scope="session", autouse=True)
def compiled_templates(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Templates that are compiled once: each app that a test makes would compile them again."""
    cache = FileSystemBytecodeCache(str(tmp_path_factory.mktemp("templates")))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Flask, "jinja_options", {"bytecode_cache": cache})
        yield


@pytest.fixture
def without_coverage() -> Iterator[None]:
    """Nothing of the test is traced."""
    with untraced():
        yield


@pytest.fixture(scope="session")
def trivy() -> None:
    """Trivy, which `make scan` installs."""
    if not shutil.which("trivy", path=Path(sys.executable).parent):
        unavailable("Trivy is not installed (make setup FOR=delivery)")


@pytest.fixture(scope="session")
def postgres_is_installed() -> None:
    if programs() is None:
        unavailable("PostgreSQL's server is not installed (Debian: postgresql)")


@pytest.fixture(scope="session")
def postgres(postgres_is_installed: None) -> Iterator[Postgres]:
    """A PostgreSQL server that runs for as long as the tests."""
    with running() as server:
        yield server


@pytest.fixture
def own_postgres(postgres_is_installed: None) -> Iterator[Postgres]:
    """A PostgreSQL server of the test's own, for it to stop."""
    with running() as server:
        yield server


@pytest.fixture(scope="session")
def sqlite(tmp_path_factory: pytest.TempPathFactory) -> SQLite:
    return SQLite(tmp_path_factory.mktemp("databases"))


@pytest.fixture(scope="session")
def postgresql(postgres: Postgres) -> PostgreSQL:
    return PostgreSQL(postgres)


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def databases(request: pytest.FixtureRequest) -> Databases:
    """Where a test's databases are. What asks for this, or for a fixture that does, is tested on both kinds."""
    found: Databases = request.getfixturevalue(request.param)
    return found


@pytest.fixture(scope="session")
def library(databases: Databases) -> str:
    """The URL of a database with the built-in books. Tests share it, so they only read it."""
    return databases.full


@pytest.fixture(scope="session")
def empty_library(databases: Databases) -> str:
    """The URL of a database with a schema and no book; shared, too."""
    return databases.empty


@pytest.fixture
def fresh_url(databases: Databases) -> Iterator[str]:
    """The URL of a database of the test's own, which has no schema yet."""
    url = databases.create()
    yield url
    databases.remove(url)


@pytest.fixture
def own_url(databases: Databases) -> Iterator[str]:
    """The URL of an empty database of the test's own, for it to fill."""
    url = databases.create(databases.empty)
    yield url
    databases.remove(url)


@pytest.fixture
def engine(own_url: str) -> Iterator[Engine]:
    """An empty database of the test's own, for it to fill."""
    engine = database.connect(own_url)
    yield engine
    engine.dispose()


@pytest.fixture
def catalogue(library: str) -> Iterator[Catalogue]:
    engine = database.connect(library)
    with engine.connect() as db:
        yield Catalogue(db)
    engine.dispose()


@pytest.fixture(scope="session")
def app(library: str) -> Iterator[Flask]:
    app = create_app(Settings(database_url=library, site_url="http://localhost"))
    yield app
    state.of(app).engine.dispose()


@pytest.fixture
def make_app(library: str) -> Iterator[Callable[..., Flask]]:
    """Make an app that is of a release, perhaps, and whose settings differ from the defaults."""
    made: list[Flask] = []

    def make(release: Passport | None = None, **changed: object) -> Flask:
        settings: dict[str, object] = {"database_url": library, "site_url": "http://localhost"} | changed
        made.append(create_app(Settings(**settings), release))  # type: ignore[arg-type]  # the test knows the types
        return made[-1]

    yield make
    for app in made:
        state.of(app).engine.dispose()


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

    def __init__(self, folder: Path, source: Path | None = None, **environment: str) -> None:
        """Start it in a folder; `source` holds the package, where it is not this copy's."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        settings = {name: value for name, value in os.environ.items() if name not in SETTING_NAMES}
        settings |= {"PYTHONPATH": str(source)} if source else {}
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
        if not until(self._is_ready, alive=lambda: self.process.poll() is None):
            self.stop()
            raise AssertionError(f"the server did not start:\n{self.log.read_text()}")

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=10):
                return True
        except OSError:
            return False

    def workers(self) -> list[int]:
        """Return the processes that serve. Only Linux tells: a test that asks takes the fixture `linux`."""
        listed = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(child) for child in listed.read_text().split()]

    def stop(self, signal_number: int = signal.SIGTERM) -> int:
        """End the server and return its exit code."""
        self.process.send_signal(signal_number)
        return self.process.wait(LONGEST)


@pytest.fixture
def linux() -> None:
    """The system that lists the processes of others, their children and their files, in /proc."""
    if sys.platform != "linux":
        unavailable("only Linux lists processes in /proc")


SETTING_NAMES = frozenset(name.upper() for name in Settings.__dataclass_fields__)


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The site with its built-in books, running."""
    server = Server(tmp_path_factory.mktemp("site"))
    yield server
    server.stop()


@pytest.fixture(scope="session")
def released_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The same as a release: laid out as an image has it, with its passport."""
    server = Server(tmp_path_factory.mktemp("released"), releases.lay_out(tmp_path_factory.mktemp("image")))
    yield server
    server.stop()
