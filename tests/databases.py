"""The two kinds of database, for the fixtures in conftest.py: an empty library, a full one, and fresh ones of each."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import event, text
from sqlalchemy.engine import make_url

from colophon import database
from colophon.catalogue import built_in, writing
from colophon.database import revisions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Engine

    from tests.postgres import Postgres


class SQLite:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = count()
        _prepare(self)

    def create(self, template: str | None = None) -> str:
        """Return the URL of a new database: a copy of another, or without a schema."""
        path = self._folder / f"{next(self._numbers)}.db"
        if template:
            shutil.copy(str(make_url(template).database), path)
        else:
            path.touch()
        return f"sqlite:///{path}"

    def remove(self, url: str) -> None:
        for suffix in ("", "-wal", "-shm"):
            Path(f"{make_url(url).database}{suffix}").unlink(missing_ok=True)

    empty: str
    full: str


class PostgreSQL:
    def __init__(self, server: Postgres) -> None:
        self._server = server
        self._numbers = count()
        _prepare(self)

    def create(self, template: str | None = None) -> str:
        """Return the URL of a new database: a copy of another, which is not in use just then, or without a schema."""
        copied = str(make_url(template).database) if template else "template0"
        return self._server.create(f"test_{next(self._numbers)}", copied)

    def remove(self, url: str) -> None:
        self._server.drop(str(make_url(url).database))

    empty: str
    full: str


Databases = SQLite | PostgreSQL


@contextmanager
def statements_of(engine: Engine) -> Iterator[list[str]]:
    """Collect the statements that a database is sent meanwhile."""
    statements: list[str] = []

    def note(*arguments: Any) -> None:
        statements.append(" ".join(arguments[2].split()))

    event.listen(engine, "before_cursor_execute", note)
    yield statements
    event.remove(engine, "before_cursor_execute", note)


def _prepare(databases: Databases) -> None:
    databases.empty = databases.create()
    engine = database.connect(databases.empty)
    revisions.upgrade(engine)
    engine.dispose()
    databases.full = databases.create(databases.empty)
    engine = database.connect(databases.full)
    writing.add_books(engine, built_in.built_in_books())
    engine.dispose()


def at_revision(engine: Engine, revision: str) -> None:
    """Let a database say that its schema is at this revision."""
    with database.transaction(engine) as db:
        db.execute(text("UPDATE alembic_version SET version_num = :revision"), {"revision": revision})
