"""The file of an SQLite database: how it is opened, and that it stays the one that was opened first.

SQLite makes a file where there is none, and goes on writing to one that was removed. Neither would keep what the site
acknowledges.
"""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import event
from sqlalchemy.exc import OperationalError

if TYPE_CHECKING:
    from sqlalchemy import Engine

# WAL lets readers continue during a write. With FULL, what is committed outlasts a loss of power.
_PRAGMAS = ("synchronous = FULL", "foreign_keys = ON", "cache_size = -16000")


class DatabaseFile:
    """The file that an engine opened first."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self._first: tuple[int, int] | None = None

    def check(self) -> None:
        """Raise OperationalError if the file is missing, or another one has taken its place."""
        try:
            found = self.path.stat()
        except OSError as error:
            raise _error(f"{self.path} cannot be opened: {error.strerror}") from None
        self._first = self._first or (found.st_dev, found.st_ino)
        if (found.st_dev, found.st_ino) != self._first:
            raise _error(f"{self.path} is another file than at the start: start the site again")


def _error(reason: str) -> OperationalError:
    return OperationalError(None, None, sqlite3.OperationalError(reason))


def prepare(engine: Engine, busy_seconds: float) -> None:
    """Let an engine open only a file that exists, and use it only as long as it is the same one."""
    file = DatabaseFile(Path(engine.url.database or ""))
    engine.update_execution_options(file=file)

    @event.listens_for(engine, "do_connect")
    def open_(_dialect: object, _record: object, arguments: list[str], parameters: dict[str, Any]) -> None:
        file.check()
        arguments[0] = f"{file.path.as_uri()}?mode=rw"
        parameters["uri"] = True

    @event.listens_for(engine, "connect")
    def configure(connection: sqlite3.Connection, _record: object) -> None:
        cursor = connection.cursor()
        _begin_wal(cursor, busy_seconds)
        for pragma in _PRAGMAS:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "checkout")
    def check(*_: object) -> None:
        file.check()


def _begin_wal(cursor: sqlite3.Cursor, busy_seconds: float) -> None:
    """Switch to WAL, with retries: SQLite does not wait for another process that switches the same new database."""
    deadline = time.monotonic() + busy_seconds
    while True:
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return
