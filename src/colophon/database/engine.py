"""The database, SQLite or PostgreSQL: its engine, its connections and its transactions."""

from __future__ import annotations

import logging
import sqlite3
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy import Engine, create_engine, event, func, select
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError, OperationalError

from .models import SEARCH_TABLE, Base

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection
    from sqlalchemy.engine.interfaces import DBAPIConnection, DBAPICursor
    from sqlalchemy.pool import ConnectionPoolEntry

log = logging.getLogger(__name__)

BUSY_SECONDS = 5.0  # how long a visitor waits for another's lock; then the database is out of reach
POOL_SECONDS = 3.0  # how long to wait for a free connection; likewise
CONNECT_SECONDS = 3
AGAIN_SECONDS = 0.1  # between two tries to begin to write, on SQLite
ANALYZE_FROM = 500  # books; PostgreSQL's own autovacuum counts after smaller changes
# An advisory lock is a number that means what the program says: here, that its holder alone changes the database.
_WRITING = int.from_bytes(b"colophon") >> 1


def connect(url: str | URL, *, pool_size: int = 5, statement_timeout_ms: int = 0, patient: bool = False) -> Engine:
    """Return the engine for a database URL. Nothing is opened until the first query.

    Its connections are in autocommit mode, as every page only reads; writers use `transaction`. There are never more
    than `pool_size`. On PostgreSQL a statement that takes longer than `statement_timeout_ms` (0: no limit) fails.
    A `patient` one is for whoever keeps no visitor waiting: it waits for its turn however long others take.
    """
    url = make_url(url)
    engine = create_engine(
        url.set(drivername="postgresql+psycopg") if is_postgresql(url) else url,
        isolation_level="AUTOCOMMIT",
        skip_autocommit_rollback=True,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=POOL_SECONDS,
        # A server that was restarted closed its connections: each is tried before it is used.
        pool_pre_ping=is_postgresql(url),
        # What a visitor searches for is not written down, nor is what the API is sent.
        hide_parameters=True,
        execution_options={"patient": patient},
        connect_args=_postgresql_arguments(url) if is_postgresql(url) else {"timeout": BUSY_SECONDS},
    )
    if is_postgresql(url):
        limits = {
            "statement_timeout": str(statement_timeout_ms),
            "lock_timeout": "0" if patient else milliseconds(BUSY_SECONDS),
        }
        event.listen(engine, "connect", lambda connection, _: _prepare_postgresql(connection, limits))
    else:
        event.listen(engine, "connect", _prepare_sqlite)
    return engine


def is_postgresql(url: URL) -> bool:
    return url.get_backend_name() in ("postgresql", "postgres")  # the second is how some services write it


def _postgresql_arguments(url: URL) -> dict[str, object]:
    """Return libpq's parameters (https://www.postgresql.org/docs/current/libpq-connect.html); the URL's own go before.

    A server that vanishes without a word, as in a failover, is noticed within half a minute.
    """
    arguments = {
        "application_name": "colophon",
        "client_encoding": "utf8",
        "connect_timeout": CONNECT_SECONDS,
        "tcp_user_timeout": 10_000,  # milliseconds that a query may wait to be received
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
    }
    # Each query is planned for its own values, as a rare word needs another plan than a common one.
    return {"prepare_threshold": None} | {name: arguments[name] for name in arguments.keys() - url.query.keys()}


def _prepare_postgresql(connection: DBAPIConnection, limits: dict[str, str]) -> None:
    cursor = connection.cursor()
    # Not as libpq's `options`, which proxies such as Amazon's refuse.
    for name, value in ({"TimeZone": "UTC"} | limits).items():
        cursor.execute("SELECT set_config(%s, %s, false)", (name, value))
    cursor.close()


def milliseconds(seconds: float) -> str:
    return str(int(seconds * 1000))


@contextmanager
def best_effort(db: Connection) -> Iterator[None]:
    """Do what is worth no waiting: on SQLite it is left undone when somebody else is writing just then."""
    if db.dialect.name != "sqlite":
        yield
        return
    try:
        with _busy_timeout(db, 0.02):
            yield
    except OperationalError as error:
        if not _is_busy(error):
            raise


@contextmanager
def _busy_timeout(db: Connection, seconds: float) -> Iterator[None]:
    db.exec_driver_sql(f"PRAGMA busy_timeout = {milliseconds(seconds)}")
    try:
        yield
    finally:
        db.exec_driver_sql(f"PRAGMA busy_timeout = {milliseconds(BUSY_SECONDS)}")


def _is_busy(error: DBAPIError) -> bool:
    # The low byte is the kind of error, the rest says more of it (https://www.sqlite.org/rescode.html#pve).
    return getattr(error.orig, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY


@contextmanager
def transaction(engine: Engine) -> Iterator[Connection]:
    """Yield a connection whose work is kept whole when the block ends well, and not at all otherwise.

    One writes at a time, on both databases, and sees all that those before it wrote: the lock is taken at the start.
    Raises sqlalchemy.exc.OperationalError when another keeps it for longer than BUSY_SECONDS; a patient engine waits
    however long that is, and says so in the log.
    """
    with engine.connect() as db:
        _begin(db, patient=engine.get_execution_options()["patient"])
        try:
            yield db
            db.exec_driver_sql("COMMIT")
        except BaseException:
            _roll_back(db)
            raise


def _begin(db: Connection, *, patient: bool) -> None:
    if db.dialect.name == "sqlite":
        # SQLite cannot let a transaction that began by reading write later.
        if not patient:
            db.exec_driver_sql("BEGIN IMMEDIATE")
        elif not _begins_at_once(db):
            with _waiting():
                # SQLite's own wait would hear no signal before its end.
                while not _begins_at_once(db):
                    time.sleep(AGAIN_SECONDS)
        return
    # At this level each statement sees what was written before it; at a higher one, what was written before the lock
    # was asked for.
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
    """Begin to write on SQLite; return whether that could be, as nobody else writes."""
    try:
        with _busy_timeout(db, 0):
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
        return  # the connection was lost, and with it what was begun
    try:
        db.exec_driver_sql("ROLLBACK")
    except DBAPIError:
        db.invalidate()


@contextmanager
def snapshot(engine: Engine) -> Iterator[Connection]:
    """Yield a connection that sees the database as it is at its first query, whatever others write meanwhile."""
    with engine.connect() as db:
        sqlite = engine.dialect.name == "sqlite"
        db.exec_driver_sql("BEGIN" if sqlite else "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        try:
            yield db
        finally:
            _roll_back(db)


def analyze(db: Connection, added: int) -> None:
    """Count anew what the query planner chooses by, after so many books were added."""
    if db.dialect.name == "sqlite":
        db.exec_driver_sql("ANALYZE")
    elif added >= ANALYZE_FROM:
        tables = ", ".join([*Base.metadata.tables, SEARCH_TABLE])
        db.exec_driver_sql(f"ANALYZE {tables}")


def _prepare_sqlite(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    cursor = connection.cursor()
    # WAL lets readers go on while one writes; NORMAL is safe with it.
    _begin_wal(cursor)
    for pragma in ("synchronous = NORMAL", "foreign_keys = ON", "cache_size = -16000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_wal(cursor: DBAPICursor) -> None:
    """Switch to WAL. For that alone, SQLite does not wait for whoever else opens the same new database."""
    patience = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > patience:
                raise
            time.sleep(0.05)
        else:
            return


def reason(error: DBAPIError) -> str:
    """Return what the database said, on one line and without a full stop."""
    return " ".join(str(error.orig).split()).rstrip(".")
