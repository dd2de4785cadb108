"""A PostgreSQL server of the tests' own, from the programs that Debian's package `postgresql` installs."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import psycopg
from psycopg import sql

from tests.waiting import LONGEST, until

if TYPE_CHECKING:
    from collections.abc import Iterator

PASSWORD = "s3cret/@:"  # noqa: S105 -- of a server that lives as long as the tests; awkward in a URL, as real ones are


MEMORY = Path("/dev/shm")  # noqa: S108 -- the folder that is made in it has a name of its own
ROOM = 1_000_000_000  # bytes; two servers use less than half


def memory() -> Path | None:
    """Return a folder that is in memory, None where there is none with room.

    A test's database is some 300 files, which cost ten times as much to make on a disk.
    """
    try:
        return MEMORY if os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ROOM else None
    except OSError:
        return None


def programs() -> Path | None:
    """Return the folder of the newest server's programs, None where there is none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    return found[-1].parent if found else None


@contextmanager
def hanging(*processes: int) -> Iterator[None]:
    """Stop some processes of a server, and let them go on at the end of the block, or if it does not end."""

    def signal_all(number: int) -> None:
        for process in processes:
            with suppress(ProcessLookupError):  # it has ended
                os.kill(process, number)

    guard = threading.Timer(LONGEST, signal_all, [signal.SIGCONT])
    guard.start()
    signal_all(signal.SIGSTOP)
    try:
        yield
    finally:
        guard.cancel()
        signal_all(signal.SIGCONT)


class Postgres:
    """A server on a free port of the loopback address, which forgets everything when it is removed."""

    def __init__(self, **settings: str) -> None:
        programs_folder = programs()
        assert programs_folder
        self._programs = programs_folder
        self._settings = settings
        self._folder = Path(tempfile.mkdtemp(prefix="colophon-postgresql-", dir=memory()))
        self._process: subprocess.Popen[bytes] | None = None
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self._as_owner: list[str] = []
        if os.geteuid() == 0:  # which PostgreSQL refuses to run as
            shutil.chown(self._folder, "postgres", "postgres")
            self._as_owner = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--pdeathsig=QUIT"]
        password = self._folder / "password"
        password.write_text(PASSWORD)
        self._run(
            "initdb",
            f"--pgdata={self._folder}/data",
            "--username=colophon",
            "--auth=scram-sha-256",
            f"--pwfile={password}",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            # Another order than SQLite's, so that nothing passes which leaves the order to the server.
            "--locale-provider=icu",
            "--icu-locale=en",
            "--no-sync",
            "--no-instructions",
        )

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [*self._as_owner, self._programs / program, *arguments],
            check=True,
            stdout=subprocess.DEVNULL,
            cwd="/",
        )

    def start(self) -> Postgres:
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
            "fsync": "off",
            "full_page_writes": "off",
            "max_wal_size": "64MB",
            "shared_buffers": "64MB",
        } | self._settings
        options = [f"--{name}={value}" for name, value in settings.items()]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*self._as_owner, self._programs / "postgres", "-D", f"{self._folder}/data", *options],
                stdout=log,
                stderr=log,
                cwd="/",
            )
        process = self._process
        if not until(self._answers, alive=lambda: process.poll() is None):
            raise AssertionError((self._folder / "log").read_text())
        return self

    def _answers(self) -> bool:
        try:
            self._connect().close()
        except psycopg.OperationalError:
            return False
        return True

    def stop(self, signal_number: int = signal.SIGQUIT) -> None:
        """End the server: by default at once, as a crash would (`pg_ctl stop -m immediate`)."""
        if self._process:
            self._process.send_signal(signal_number)
            self._process.wait(LONGEST)
            self._process = None

    def hanging(self) -> AbstractContextManager[None]:
        """Stop all processes of the server, whose sockets stay open, and let them go on at the end of the block."""
        assert self._process
        parent = self._process.pid
        os.kill(parent, signal.SIGSTOP)  # so that it starts no other
        children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        return hanging(parent, *map(int, children))

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self._folder)

    def url(self, database: str) -> str:
        return f"postgresql://colophon:{quote(PASSWORD, safe='')}@127.0.0.1:{self.port}/{database}"

    def _connect(self) -> psycopg.Connection:
        return psycopg.connect(self.url("postgres"), autocommit=True, connect_timeout=3)

    def create(self, database: str, template: str = "template0") -> str:
        """Make a database, as a copy of another that has no connections, and return its URL."""
        with self._connect() as db:
            db.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(database), sql.Identifier(template))
            )
        return self.url(database)

    def drop(self, database: str) -> None:
        with self._connect() as db:
            db.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(database)))


@contextmanager
def running() -> Iterator[Postgres]:
    """Yield a server that runs and is gone when the block ends."""
    server = Postgres()
    try:
        yield server.start()
    finally:
        server.remove()
