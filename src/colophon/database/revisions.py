"""The schema: which revision a database is at, and how it comes to the one that this release needs."""

from __future__ import annotations

import logging
import time
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import create_engine
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

from .. import database
from .engine import BUSY_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Connection, Engine

log = logging.getLogger(__name__)

_MIGRATIONS = Path(__file__).parent / "migrations"
# On PostgreSQL, visitors' queries queue up behind whoever waits for a table. So a migration waits briefly, lets them
# pass, and tries again. Shorter than the server's deadlock_timeout: it is never ended for the sake of a reader's.
TABLE_SECONDS = 0.5
AGAIN_SECONDS = 2.0
LOCK_NOT_AVAILABLE = "55P03"  # https://www.postgresql.org/docs/current/errcodes-appendix.html


class DatabaseUnusableError(RuntimeError):
    """The database cannot serve this release. The message is one sentence for whoever starts it."""


@contextmanager
def opened(url: str) -> Iterator[Engine]:
    """Yield the patient engine of a database as it is, and let go of it in the end."""
    engine = database.connect(url, patient=True)
    try:
        yield engine
    finally:
        engine.dispose()


@contextmanager
def readable(url: str) -> Iterator[Engine]:
    """Yield the engine of a database for whoever only reads, and so migrates nothing.

    Raises DatabaseUnusableError when it cannot be opened, or its schema is not the one that this release needs.
    """
    with opened(url) as engine:
        with _named_in_errors(engine):
            found = revision(engine)
        if not can_serve(found):
            raise DatabaseUnusableError(
                f"The database {_name(engine)} has its schema at revision {found or 'none'}, not at {head()}. "
                f"Migrate it first: python -m colophon db upgrade."
            )
        yield engine


@contextmanager
def ready(url: str, to: str = "head") -> Iterator[Engine]:
    """Yield the engine of a database that was migrated up to a revision; an SQLite one is made where there is none.

    One that a later release has migrated stays as it is. Raises DatabaseUnusableError when it cannot be made or opened.
    """
    _make_folder(url)
    with opened(url) as engine:
        upgrade(engine, to)
        yield engine


def alembic_config(engine: Engine) -> Config:
    """Return Alembic's configuration, for the migrations that this release carries."""
    config = Config(attributes={"engine": engine})
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.set_main_option("path_separator", "os")
    return config


@cache
def head() -> str:
    """Return the revision of the schema that this release needs."""
    revision = ScriptDirectory(str(_MIGRATIONS)).get_current_head()
    assert revision is not None  # noqa: S101 -- the migrations are part of the package
    return revision


def revision(engine: Engine) -> str | None:
    """Return the revision that the database's schema is at, None for an empty one."""
    with engine.connect() as db:
        return MigrationContext.configure(db).get_current_revision()


def can_serve(found: str | None) -> bool:
    """Whether this release can serve a schema at this revision: its own, or a later one.

    The next release migrates the database while this one still serves, and may be rolled back; CONTRIBUTING.md says
    what a migration owes the release before it. Revisions are numbers of four digits.
    """
    return found is not None and (found == head() or (found.isdecimal() and len(found) == 4 and found > head()))


def upgrade(engine: Engine, to: str = "head") -> None:
    """Migrate the schema up to a revision; does nothing when it is there, or past this release's newest.

    Raises DatabaseUnusableError when the database cannot be opened, or `to` is behind a later release's revision.
    """
    if to == "head":
        with _named_in_errors(engine):
            current = revision(engine)
        if can_serve(current):
            if current != head():
                log.info("%s is at revision %s already, a later release's", _name(engine), current)
            return
    current = _known_revision(engine)
    log.info("migrating %s from %s to %s", _name(engine), current or "empty", to)
    try:
        _migrate(engine, command.upgrade, to)
    except CommandError:
        # A later release may have migrated it meanwhile, to a revision that Alembic cannot find here.
        if to != "head" or not can_serve(revision(engine)):
            raise


def downgrade(engine: Engine, to: str) -> None:
    """Migrate the schema down to a revision ('base' is empty). What the later ones held is lost.

    Raises DatabaseUnusableError as `upgrade` does.
    """
    _known_revision(engine)
    _migrate(engine, command.downgrade, to)


def _migrate(engine: Engine, move: Callable[[Config, str], None], to: str) -> None:
    told = False
    with _named_in_errors(engine):
        while True:
            try:
                return move(alembic_config(engine), to)
            except DBAPIError as error:
                if getattr(error.orig, "sqlstate", None) != LOCK_NOT_AVAILABLE:
                    raise
            if not told:
                log.info("a table that the migration changes is in use: trying again until it is free")
                told = True
            time.sleep(AGAIN_SECONDS)


@contextmanager
def migrating(engine: Engine) -> Iterator[Connection]:
    """Yield a connection for migrations: one transaction, alone. A second one waits here for the first to end."""
    before = revision(engine)
    with (_migrating_sqlite if engine.dialect.name == "sqlite" else _migrating_postgresql)(engine) as db:
        found = MigrationContext.configure(db).get_current_revision()
        if found != before:
            log.info("another process has migrated it from %s to %s meanwhile", before or "empty", found or "empty")
        yield db


@contextmanager
def _migrating_postgresql(engine: Engine) -> Iterator[Connection]:
    with database.transaction(engine) as db:
        encoding = db.exec_driver_sql("SHOW server_encoding").scalar_one()
        if encoding != "UTF8":
            raise DatabaseUnusableError(f"The database's encoding is {encoding}; make it anew with ENCODING 'UTF8'.")
        db.exec_driver_sql(f"SET LOCAL lock_timeout = {database.milliseconds(TABLE_SECONDS)}")
        yield db


@contextmanager
def _migrating_sqlite(engine: Engine) -> Iterator[Connection]:
    """Yield a connection in whose transaction a table can be rebuilt.

    SQLite rebuilds a table by dropping it, which would delete all that refers to it while foreign keys are enforced;
    they are checked at the end instead.
    """
    unenforced = create_engine(
        engine.url,
        isolation_level="AUTOCOMMIT",
        connect_args={"timeout": BUSY_SECONDS},
        execution_options=engine.get_execution_options(),
    )
    try:
        with database.transaction(unenforced) as db:
            yield db
            broken = db.exec_driver_sql("PRAGMA foreign_key_check").all()
            if broken:
                raise DatabaseUnusableError(
                    f"The migration would break foreign keys, so nothing was changed: {broken}."
                )
    finally:
        unenforced.dispose()


def _known_revision(engine: Engine) -> str | None:
    """Return the revision that the schema is at. Raises DatabaseUnusableError when this release does not know it."""
    with _named_in_errors(engine):
        current = revision(engine)
    known = {script.revision for script in ScriptDirectory(str(_MIGRATIONS)).walk_revisions()}
    if current is not None and current not in known:
        raise DatabaseUnusableError(
            f"The database {_name(engine)} is of a newer release: its schema is at revision {current}, which this "
            f"release does not know. Run that release, or name another database with DATABASE_URL."
        )
    return current


@contextmanager
def _named_in_errors(engine: Engine) -> Iterator[None]:
    """Raise DatabaseUnusableError, which says which database it is and why, for what goes wrong in the block."""
    try:
        yield
    except DBAPIError as error:
        reason = database.reason(error)
        raise DatabaseUnusableError(f"The database {_name(engine)} cannot be used: {reason}.") from None


def _name(engine: Engine) -> str:
    """Return a database's URL without what may be secret: its password, and libpq's parameters, which may hold more."""
    return engine.url.set(query={}).render_as_string(hide_password=True)


def _make_folder(url: str) -> None:
    address = make_url(url)
    if database.is_postgresql(address):
        return
    folder = Path(address.database or "").parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DatabaseUnusableError(f"The folder {folder} cannot be made: {error.strerror}.") from None
