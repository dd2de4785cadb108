"""A wait for PostgreSQL ends when the server hangs, and not because a statement is slow."""

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from sqlalchemy.exc import OperationalError

from colophon import database
from colophon.database import watch
from tests.postgres import hanging, running

pytestmark = pytest.mark.usefixtures("linux")

SILENT = "has not answered"


@pytest.fixture(scope="module")
def server(postgres_is_installed):
    """A PostgreSQL server of these tests' own, for them to stop."""
    with running() as server:
        yield server


@pytest.fixture
def connect(server, monkeypatch):
    """Make an engine that suspects the server early, and soon gives it up."""
    monkeypatch.setattr(watch, "SUSPICIOUS_SECONDS", 0.05)
    monkeypatch.setattr(watch, "SILENT_SECONDS", 1.0)
    made = []

    def connect(**options):
        made.append(database.connect(server.url("postgres"), **options))
        return made[-1]

    yield connect
    for engine in made:
        engine.dispose()


def process_of(db):
    return db.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()


def test_a_slow_statement_of_a_server_that_answers_is_waited_for(connect):
    with connect().connect() as db:
        assert db.exec_driver_sql("SELECT 1 FROM pg_sleep(1.5)").scalar_one() == 1


def test_a_wait_for_a_lock_of_a_server_that_answers_ends_as_the_server_says(connect, monkeypatch):
    monkeypatch.setattr("colophon.database.engine.BUSY_SECONDS", 1.5)
    engine = connect()
    with (
        database.transaction(engine),
        pytest.raises(OperationalError, match="lock timeout"),
        database.transaction(engine),
    ):
        pass


def test_a_statement_under_way_fails_when_the_server_hangs_and_the_next_connection_at_once(connect, server):
    engine = connect()
    with engine.connect() as db, server.hanging():
        with pytest.raises(OperationalError, match=SILENT):
            db.exec_driver_sql("SELECT 1")
        with pytest.raises(OperationalError, match=SILENT):
            engine.connect()


def test_a_connection_whose_process_hangs_alone_is_replaced(connect):
    engine = connect()
    with engine.connect() as db:
        process = process_of(db)
    with hanging(process), engine.connect() as db:
        assert process_of(db) != process


def test_a_statement_is_not_waited_for_beyond_its_limit_though_the_server_answers(connect, monkeypatch):
    monkeypatch.setattr("colophon.database.engine.MARGIN_SECONDS", 0.1)
    with (
        connect(statement_timeout_ms=100).connect() as db,
        hanging(process_of(db)),
        pytest.raises(OperationalError, match=r"unanswered for 0\.2 seconds"),
    ):
        db.exec_driver_sql("SELECT 1")


def test_a_command_waits_until_the_server_goes_on(connect, server):
    with connect(patient=True).connect() as db, ThreadPoolExecutor(1) as command:
        with server.hanging():
            answer = command.submit(db.exec_driver_sql, "SELECT 1")
            with pytest.raises(psycopg.OperationalError):
                psycopg.connect(server.url("postgres"), connect_timeout=2)
            assert not answer.done()
        assert answer.result().scalar_one() == 1
