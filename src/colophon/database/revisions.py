"""Schema revisions: the one that a database is at, and the migrations to the one that this release needs."""

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
from sqlalchemy import event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

from .. import database

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Connection, Engine

log = logging.getLogger(__name__)

_MIGRATIONS = Path(__file__).parent / "migrations"
# On PostgreSQL, queries queue up behind a migration that waits for a table. So it waits briefly, lets them pass, and
# tries again. The wait is shorter than the server's deadlock_timeout, so that no deadlock with a reader
# ends the migration.
TABLE_SECONDS = 0.5
RETRY_SECONDS = 2.0
LOCK_NOT_AVAILABLE = "55P03"  # https://www.postgresql.org/docs/current/errcodes-appendix.html


class DatabaseUnusableError(RuntimeError):
    """The database cannot serve this release. The message is one sentence for the operator."""


@contextmanager
def opened(url: str) -> Iterator[Engine]:
    """Yield the patient engine of a database, which is not migrated, and dispose of it at the end."""
    engine = database.connect(url, patient=True)
    try:
        yield engine
    finally:
        engine.dispose()


@contextmanager
def readable(url: str) -> Iterator[Engine]:
    """Yield the engine of a database for reading only, which is not migrated.

    Raises DatabaseUnusableError if it cannot be opened, or this release cannot serve its schema.
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
    """Yield the engine of a database that is migrated up to a revision; an SQLite file is created if there is none.

    A database of a later release stays as it is. Raises DatabaseUnusableError if it cannot be created or opened.
    """
    _make_file(url)
    with opened(url) as engine:
        upgrade(engine, to)
        yield engine


def alembic_config(engine: Engine) -> Config:
    """Return Alembic's configuration for the migrations of this release."""
    config = Config(attributes={"engine": engine})
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.set_main_option("path_separator", "os")
    return config


@cache
def head() -> str:
    """Return the newest revision of the schema, which this release needs."""
    revision = ScriptDirectory(str(_MIGRATIONS)).get_current_head()
    assert revision is not None  # noqa: S101 -- the migrations are part of the package
    return revision


def revision(engine: Engine) -> str | None:
    """Return the revision of the database's schema, None for an empty database."""
    with engine.connect() as db:
        return revision_in(db)


def revision_in(db: Connection) -> str | None:
    """Return the revision of the schema that a connection sees, None for an empty database."""
    return MigrationContext.configure(db).get_current_revision()


def can_serve(found: str | None) -> bool:
    """Return True if this release can serve a schema at this revision: its own, or a later one.

    The next release migrates the database while this one still serves, and may be rolled back; CONTRIBUTING.md says
    what that demands of a migration. Revisions are numbers of four digits.
    """
    return found is not None and (found == head() or (found.isdecimal() and len(found) == 4 and found > head()))


def upgrade(engine: Engine, to: str = "head") -> None:
    """Migrate the schema up to a revision; do nothing if it is there already, or at a later release's revision.

    Raises DatabaseUnusableError if the database cannot be opened, or `to` is behind a later release's revision.
    """
    if to == "head":
        with _named_in_errors(engine):
            current = revision(engine)
        if can_serve(current):
            if current != head():
                log.info("%s is already at revision %s, of a later release", _name(engine), current)
            return
    current = _known_revision(engine)
    log.info("migrating %s from %s to %s", _name(engine), current or "empty", to)
    try:
        _migrate(engine, command.upgrade, to)
    except CommandError:
        # A later release may have migrated it meanwhile, to a revision that this copy does not have.
        if to != "head" or not can_serve(revision(engine)):
            raise


def downgrade(engine: Engine, to: str) -> None:
    """Migrate the schema down to a revision ('base' is empty). Data of later revisions is lost.

    Raises DatabaseUnusableError as `upgrade` does.
    """
    _known_revision(engine)
    _migrate(engine, command.downgrade, to)


def _migrate(engine: Engine, move: Callable[[Config, str], None], to: str) -> None:
    logged = False
    with _named_in_errors(engine):
        while True:
            try:
                return move(alembic_config(engine), to)
            except DBAPIError as error:
                if getattr(error.orig, "sqlstate", None) != LOCK_NOT_AVAILABLE:
                    raise
            if not logged:
                log.info("a table that the migration changes is in use; retrying until it is free")
                logged = True
            time.sleep(RETRY_SECONDS)


@contextmanager
def migrating(engine: Engine) -> Iterator[Connection]:
    """Yield a connection in a transaction of its own for migrations. A second process waits for the first."""
    before = revision(engine)
    with (_migrating_sqlite if engine.dialect.name == "sqlite" else _migrating_postgresql)(engine) as db:
        found = revision_in(db)
        if found != before:
            log.info("another process has migrated it from %s to %s meanwhile", before or "empty", found or "empty")
        yield db


@contextmanager
def _migrating_postgresql(engine: Engine) -> Iterator[Connection]:
    with database.transaction(engine) as db:
        encoding = db.exec_driver_sql("SHOW server_encoding").scalar_one()
        if encoding != "UTF8":
            raise DatabaseUnusableError(f"The database's encoding is {encoding}; create it with ENCODING 'UTF8'.")
        user, may = db.exec_driver_sql("SELECT current_user, has_schema_privilege(current_schema(), 'CREATE')").one()
        if not may:
            raise DatabaseUnusableError(
                f"{user} may not migrate {_name(engine)} from {revision(engine) or 'empty'} to {head()}: first let its "
                f"owner run `python -m colophon prepare`."
            )
        db.exec_driver_sql(f"SET LOCAL lock_timeout = {database.milliseconds(TABLE_SECONDS)}")
        yield db


@contextmanager
def _migrating_sqlite(engine: Engine) -> Iterator[Connection]:
    """Yield a connection in a transaction that can rebuild tables.

    A table of SQLite is rebuilt by dropping it, which would delete the rows that refer to it while foreign keys are
    enforced. They are checked at the end instead.
    """
    unenforced = database.connect(engine.url, patient=engine.get_execution_options()["patient"])
    event.listen(unenforced, "connect", lambda connection, _: connection.execute("PRAGMA foreign_keys = OFF"))
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
    """Return the revision of the schema. Raises DatabaseUnusableError if this release does not know it."""
    with _named_in_errors(engine):
        current = revision(engine)
    known = {script.revision for script in ScriptDirectory(str(_MIGRATIONS)).walk_revisions()}
    if current is not None and current not in known:
        raise DatabaseUnusableError(
            f"The database {_name(engine)} belongs to a newer release: its schema is at revision {current}, which this "
            f"release does not know. Run that release, or name another database with DATABASE_URL."
        )
    return current


@contextmanager
def _named_in_errors(engine: Engine) -> Iterator[None]:
    """Turn a database error of the block into a DatabaseUnusableError that names the database."""
    try:
        yield
    except DBAPIError as error:
        reason = database.reason(error)
        raise DatabaseUnusableError(f"The database {_name(engine)} cannot be used: {reason}.") from None


def _name(engine: Engine) -> str:
    """Return a database's URL without what may be secret: its password and libpq's parameters."""
    return engine.url.set(query={}).render_as_string(hide_password=True)


def _make_file(url: str) -> None:
    """Make the file of an SQLite database, empty, if there is none."""
    address = make_url(url)
    if database.is_postgresql(address):
        return
    path = Path(address.database or "")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            path.touch(mode=0o644)
    except OSError as error:
        raise DatabaseUnusableError(f"{error.filename} cannot be created: {error.strerror}.") from None
