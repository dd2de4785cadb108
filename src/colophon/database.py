"""The database: its engine, and the schema at this release's revision."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, cast

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask import current_app, g
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DatabaseError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flask import Flask
    from sqlalchemy import Connection
    from sqlalchemy.engine.interfaces import DBAPIConnection
    from sqlalchemy.pool import ConnectionPoolEntry

    from .settings import Settings

SQLITE_BUSY_SECONDS = 5.0
_MIGRATIONS = Path(__file__).parent / "migrations"


class DatabaseUnusableError(RuntimeError):
    """The database cannot serve this release. The message is one sentence for whoever starts it."""


def connect(url: str) -> Engine:
    """Return the engine for a database URL. Nothing is opened until the first query.

    Its connections are in autocommit mode, as every page only reads; writers use `transaction`.
    """
    engine = create_engine(
        url,
        isolation_level="AUTOCOMMIT",
        skip_autocommit_rollback=True,
        connect_args={"timeout": SQLITE_BUSY_SECONDS},
    )
    event.listen(engine, "connect", _prepare_sqlite)
    return engine


def init_app(app: Flask, settings: Settings) -> None:
    app.extensions["settings"] = settings
    app.extensions["engine"] = connect(settings.database_url)
    app.teardown_appcontext(_close)


def engine_of(app: Flask) -> Engine:
    engine: Engine = app.extensions["engine"]
    return engine


def current() -> Connection:
    """Return the request's connection, opened when it is first asked for and closed when the request ends."""
    if "db" not in g:
        g.db = engine_of(current_app).connect()
    return cast("Connection", g.db)


def _close(_error: BaseException | None) -> None:
    if (db := g.pop("db", None)) is not None:
        db.close()


@contextmanager
def transaction(engine: Engine) -> Iterator[Connection]:
    """Yield a connection whose work is kept whole when the block ends well, and not at all otherwise.

    The write lock is taken at the start: SQLite cannot let a transaction that began by reading write later.
    """
    with engine.connect() as db:
        db.exec_driver_sql("BEGIN IMMEDIATE")
        try:
            yield db
        except BaseException:
            db.exec_driver_sql("ROLLBACK")
            raise
        db.exec_driver_sql("COMMIT")


@contextmanager
def snapshot(engine: Engine) -> Iterator[Connection]:
    """Yield a connection that sees the database as it is at its first query, whatever others write meanwhile."""
    with engine.connect() as db:
        db.exec_driver_sql("BEGIN")
        try:
            yield db
        finally:
            db.exec_driver_sql("ROLLBACK")


@contextmanager
def migrating(engine: Engine) -> Iterator[Connection]:
    """Yield a connection for migrations: one transaction, in which a table can be rebuilt.

    SQLite rebuilds a table by dropping it, which would delete all that refers to it while foreign keys are enforced;
    they are checked at the end instead.
    """
    unenforced = create_engine(engine.url, isolation_level="AUTOCOMMIT", connect_args={"timeout": SQLITE_BUSY_SECONDS})
    try:
        with transaction(unenforced) as db:
            yield db
            broken = db.exec_driver_sql("PRAGMA foreign_key_check").all()
            if broken:
                raise DatabaseUnusableError(
                    f"The migration would break foreign keys, so nothing was changed: {broken}."
                )
    finally:
        unenforced.dispose()


def _prepare_sqlite(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    cursor = connection.cursor()
    # WAL lets readers go on while one writes; NORMAL is safe with it.
    for pragma in ("journal_mode = WAL", "synchronous = NORMAL", "foreign_keys = ON", "cache_size = -16000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def ready(url: str, revision: str = "head") -> Engine:
    """Return the engine of a database that is there, with its schema at a revision. Raises DatabaseUnusableError."""
    prepare_folder(url)
    engine = connect(url)
    upgrade(engine, revision)
    return engine


def prepare_folder(url: str) -> None:
    """Make the folder of an SQLite database. Raises DatabaseUnusableError when it cannot be made."""
    folder = Path(make_url(url).database or "").parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DatabaseUnusableError(f"The folder {folder} cannot be made: {error.strerror}.") from None


def alembic_config(engine: Engine) -> Config:
    """Return Alembic's configuration, for the migrations that this release carries."""
    config = Config(attributes={"engine": engine})
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.set_main_option("path_separator", "os")
    return config


def head() -> str:
    """Return the revision of the schema that this release needs."""
    revision = ScriptDirectory(str(_MIGRATIONS)).get_current_head()
    assert revision is not None  # noqa: S101 -- the migrations are part of the package
    return revision


def revision(engine: Engine) -> str | None:
    """Return the revision that the database's schema is at, None for an empty one."""
    with engine.connect() as db:
        return MigrationContext.configure(db).get_current_revision()


def upgrade(engine: Engine, to: str = "head") -> None:
    """Migrate the schema up to a revision; does nothing when it is there.

    Raises DatabaseUnusableError when the database cannot be opened, or belongs to a newer release.
    """
    url = engine.url.render_as_string(hide_password=True)
    try:
        current = revision(engine)
        known = {script.revision for script in ScriptDirectory(str(_MIGRATIONS)).walk_revisions()}
        if current is not None and current not in known:
            raise DatabaseUnusableError(
                f"The database {url} is of a newer release: its schema is at revision {current}, which this release "
                f"does not know. Run that release, or name another database with DATABASE_URL."
            )
        if current != head() or to != "head":
            logging.getLogger(__name__).info("migrating %s from %s to %s", url, current or "empty", to)
            command.upgrade(alembic_config(engine), to)
    except DatabaseError as error:
        raise DatabaseUnusableError(f"The database {url} cannot be used: {error.orig}.") from None
