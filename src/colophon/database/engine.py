"""Engines, connections and transactions, for SQLite and PostgreSQL."""

from __future__ import annotations

import logging
import math
import sqlite3
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy import Engine, create_engine, event, func, select
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError, OperationalError

from . import sqlite_file
from .models import SEARCH_TABLE, Base
from .watch import watch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection
    from sqlalchemy.engine.interfaces import DBAPIConnection

log = logging.getLogger(__name__)

BUSY_SECONDS = 5.0  # that a request waits for a lock; then the database counts as unavailable
BRIEFLY_SECONDS = 0.02  # that a best-effort write waits for a lock
POOL_SECONDS = 3.0  # that a request waits for a free connection; likewise
CONNECT_SECONDS = 2  # the least that psycopg allows
MARGIN_SECONDS = 1.0  # after the server's own timeout of a statement, until the client's
RETRY_SECONDS = 0.1  # between two attempts to begin a write, on SQLite
ANALYZE_FROM = 500  # books; after smaller changes PostgreSQL's autovacuum does it
# The advisory lock of writers on PostgreSQL: only its holder changes the database.
_WRITING = int.from_bytes(b"colophon") >> 1


def connect(url: str | URL, *, pool_size: int = 5, statement_timeout_ms: int = 0, patient: bool = False) -> Engine:
    """Return the engine for a database URL. Nothing is opened until the first query.

    Its connections are in autocommit mode, as every page only reads; writers use `transaction`. There are at most
    `pool_size` of them. On PostgreSQL a statement fails after `statement_timeout_ms` (0: no limit), and all fail soon
    on a server that hangs. A `patient` engine waits without a limit; it is for commands, which keep no visitor waiting.
    """
    url = make_url(url)
    engine = create_engine(
        url.set(drivername="postgresql+psycopg") if is_postgresql(url) else url,
        isolation_level="AUTOCOMMIT",
        skip_autocommit_rollback=True,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=POOL_SECONDS,
        # A server that was restarted has closed its connections, so each is tested before use.
        pool_pre_ping=is_postgresql(url),
        # Keeps what visitors search for, and what programs send, out of the log.
        hide_parameters=True,
        # Of some 30 kB each; visitors can combine the filters and orders of a list in hundreds of ways.
        query_cache_size=100,
        execution_options={"patient": patient},
        connect_args=_postgresql_arguments(url) if is_postgresql(url) else {"timeout": BUSY_SECONDS},
    )
    if is_postgresql(url):
        limits = {
            "statement_timeout": str(statement_timeout_ms),
            "lock_timeout": "0" if patient else milliseconds(BUSY_SECONDS),
        }
        event.listen(engine, "connect", lambda connection, _: _prepare_postgresql(connection, limits))
        if not patient:
            watch(engine, statement_timeout_ms / 1000 + MARGIN_SECONDS if statement_timeout_ms else math.inf)
    else:
        sqlite_file.prepare(engine, BUSY_SECONDS)
    return engine


def is_postgresql(url: URL) -> bool:
    """Return True for the URL of a PostgreSQL database."""
    return url.get_backend_name() in ("postgresql", "postgres")  # some services write the second


def _postgresql_arguments(url: URL) -> dict[str, object]:
    """Return libpq's parameters (https://www.postgresql.org/docs/current/libpq-connect.html); those in the URL win.

    A server that vanishes silently, as in a failover, is noticed within half a minute.
    """
    arguments = {
        "application_name": "colophon",
        "client_encoding": "utf8",
        "connect_timeout": CONNECT_SECONDS,
        "tcp_user_timeout": 10_000,  # milliseconds that sent data may stay unacknowledged
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
    }
    # No prepared statements: a rare word needs another plan than a common one.
    return {"prepare_threshold": None} | {name: arguments[name] for name in arguments.keys() - url.query.keys()}


def _prepare_postgresql(connection: DBAPIConnection, limits: dict[str, str]) -> None:
    cursor = connection.cursor()
    # Not through libpq's `options`, which proxies such as Amazon's refuse.
    for name, value in ({"TimeZone": "UTC"} | limits).items():
        cursor.execute("SELECT set_config(%s, %s, false)", (name, value))
    cursor.close()


def milliseconds(seconds: float) -> str:
    """Return seconds as milliseconds, in the digits that a setting takes."""
    return str(int(seconds * 1000))


@contextmanager
def best_effort(db: Connection) -> Iterator[None]:
    """Run a best-effort write: it is skipped if the database is locked, read-only or full."""
    try:
        with lock_timeout(db, BRIEFLY_SECONDS):
            yield
    except DBAPIError as error:
        if error.connection_invalidated or not _cannot_write(error):
            raise


@contextmanager
def lock_timeout(db: Connection, seconds: float) -> Iterator[None]:
    """Let the statements of the block wait for a lock no longer than this."""
    setting = "PRAGMA busy_timeout" if db.dialect.name == "sqlite" else "SET lock_timeout"
    db.exec_driver_sql(f"{setting} = {milliseconds(seconds)}")
    try:
        yield
    finally:
        if not db.invalidated:
            db.exec_driver_sql(f"{setting} = {milliseconds(BUSY_SECONDS)}")


def _is_busy(error: DBAPIError) -> bool:
    return _sqlite_code(error) == sqlite3.SQLITE_BUSY


def _cannot_write(error: DBAPIError) -> bool:
    # https://www.postgresql.org/docs/current/errcodes-appendix.html: read-only, a lock not available, no room.
    if (sqlstate := getattr(error.orig, "sqlstate", None)) is not None:
        return sqlstate in ("25006", "55P03") or sqlstate.startswith("53")
    return _sqlite_code(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_FULL)


def _sqlite_code(error: DBAPIError) -> int:
    # The low byte is the primary result code (https://www.sqlite.org/rescode.html#pve).
    return getattr(error.orig, "sqlite_errorcode", 0) & 0xFF


@contextmanager
def transaction(engine: Engine) -> Iterator[Connection]:
    """Yield a connection in a transaction that is committed at the end of the block, or rolled back on an error.

    There is one writer at a time on both databases, and it sees all earlier writes: the lock is taken at the start.
    Raises sqlalchemy.exc.OperationalError if the lock is not free within BUSY_SECONDS; a patient engine waits without a
    limit, and logs that it waits. Raises it, too, if the file of an SQLite database was removed meanwhile.
    """
    options = engine.get_execution_options()
    with engine.connect() as db:
        _begin(db, patient=options["patient"])
        try:
            yield db
            db.exec_driver_sql("COMMIT")
            if file := options.get("file"):
                file.check()
        except BaseException:
            _roll_back(db)
            raise


def _begin(db: Connection, *, patient: bool) -> None:
    if db.dialect.name == "sqlite":
        # On SQLite, a transaction that began with a read cannot always write later.
        if not patient:
            db.exec_driver_sql("BEGIN IMMEDIATE")
        elif not _begins_at_once(db):
            with _waiting():
                # SQLite's own wait cannot be interrupted by a signal.
                while not _begins_at_once(db):
                    time.sleep(RETRY_SECONDS)
        return
    # At this level each statement sees what was committed before it; at a higher one, only what was committed before
    # the wait for the lock.
    db.exec_driver_sql("BEGIN ISOLATION LEVEL READ COMMITTED")
    try:
        if not patient:
            db.execute(select(func.pg_advisory_xact_lock(_WRITING)))
        elif not db.scalar(select(func.pg_try_advisory_xact_lock(_WRITING))):
            with _waiting():
                db.execute(select(func.pg_advisory_xact_lock(_WRITING)))
    except BaseException:
        _roll_back(db)
        raise


def _begins_at_once(db: Connection) -> bool:
    """Begin a write on SQLite; return False if the database is locked."""
    try:
        with lock_timeout(db, 0):
            db.exec_driver_sql("BEGIN IMMEDIATE")
    except OperationalError as error:
        if not _is_busy(error):
            raise
        return False
    return True


@contextmanager
def _waiting() -> Iterator[None]:
    log.info("waiting until another process has finished writing to the database")
    began = time.monotonic()
    yield
    log.info("the other process has finished, after %.1f seconds", time.monotonic() - began)


def _roll_back(db: Connection) -> None:
    if db.invalidated:
        return  # the connection was lost, and the transaction with it
    try:
        db.exec_driver_sql("ROLLBACK")
    except DBAPIError:
        db.invalidate()


@contextmanager
def snapshot(engine: Engine) -> Iterator[Connection]:
    """Yield a connection that sees the database as of its first query, whatever is written meanwhile."""
    with engine.connect() as db:
        sqlite = engine.dialect.name == "sqlite"
        db.exec_driver_sql("BEGIN" if sqlite else "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        try:
            yield db
        finally:
            _roll_back(db)


def analyze(db: Connection, added: int) -> None:
    """Renew the statistics of the query planner after books were added."""
    if db.dialect.name == "sqlite":
        db.exec_driver_sql("ANALYZE")
    elif added >= ANALYZE_FROM:
        tables = ", ".join([*Base.metadata.tables, SEARCH_TABLE])
        db.exec_driver_sql(f"ANALYZE {tables}")


def reason(error: DBAPIError) -> str:
    """Return the message of the database, on one line and without a full stop."""
    return " ".join(str(error.orig).split()).rstrip(".")
