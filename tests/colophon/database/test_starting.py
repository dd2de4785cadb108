"""Several that start together, or write by command: each waits for its turn, however long the others take."""

import json
import logging
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager

import pytest
from sqlalchemy import inspect, text

from colophon import database
from colophon.catalogue import built_in, writing
from colophon.catalogue.reading import Catalogue
from colophon.cli import main
from colophon.database import revisions
from tests.conftest import postgresql_only
from tests.waiting import LONGEST

BOOKS = len(list(built_in.built_in_books()))
ONE_BOOK = {
    "title": "Emma",
    "authors": [{"name": "Jane Austen"}],
    "year": 1815,
    "language": "en",
    "description": "Of a matchmaker.",
}
VISITORS_WAIT = 0.02  # seconds


@pytest.fixture(autouse=True)
def visitors_wait_briefly(monkeypatch):
    monkeypatch.setattr("colophon.database.engine.BUSY_SECONDS", VISITORS_WAIT)


@contextmanager
def said(logger, words):
    """Yield what is done as soon as a line of the log has these words."""
    heard = Future()

    class Ear(logging.Handler):
        def emit(self, record):
            if words in record.getMessage() and not heard.done():
                heard.set_result(None)

    ear = Ear()
    logging.getLogger(logger).addHandler(ear)
    yield heard
    logging.getLogger(logger).removeHandler(ear)


@pytest.fixture
def start(runner):
    """Start a command in a thread; what it returns is the command's result, once it has one."""
    with ThreadPoolExecutor(1) as threads:
        yield lambda url, *words: threads.submit(runner.invoke, main, words, env={"DATABASE_URL": url})


def start_behind(start, url, *words, logger="colophon.database", says="waiting until"):
    """Start a command that has to wait, and return when it has waited for longer than a visitor would."""
    with said(logger, says) as heard:
        command = start(url, *words)
        wait([heard, command], LONGEST, FIRST_COMPLETED)
    assert heard.done(), command.result(0).output
    time.sleep(5 * VISITORS_WAIT)
    assert not command.done(), command.result().output
    return command


def ended_well(command):
    result = command.result(LONGEST)
    assert result.exit_code == 0, result.output
    return result.stderr


@pytest.mark.parametrize(
    "command",
    ["prepare", "books import one.jsonl", "tokens create x", "db downgrade base"],
)
def test_a_command_waits_for_whoever_writes(start, tmp_path, engine, own_url, command):
    (tmp_path / "one.jsonl").write_text(json.dumps(ONE_BOOK))
    with database.transaction(engine):
        behind = start_behind(start, own_url, *command.split())
    told = ended_well(behind)
    assert told.count("waiting until another process has finished") == 1
    assert told.count("the other process has finished, after") == 1


@pytest.mark.parametrize("revision", [revisions.head(), "9999"], ids=["this release's", "a later one's"])
def test_the_second_of_two_that_migrate_finds_it_done(start, fresh_url, revision):
    with revisions.opened(fresh_url) as first:
        with database.transaction(first) as db:
            command = start_behind(start, fresh_url, "db", "upgrade")
            db.exec_driver_sql("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
            db.execute(text("INSERT INTO alembic_version VALUES (:revision)"), {"revision": revision})
        assert f"migrated it from empty to {revision} meanwhile" in ended_well(command)
        assert inspect(first).get_table_names() == ["alembic_version"]


def test_the_second_of_two_that_fill_the_catalogue_finds_it_full(start, own_url):
    begun = []

    def books():
        yield from built_in.built_in_books()
        begun.append(start_behind(start, own_url, "prepare"))

    with revisions.opened(own_url) as first:
        assert writing.add_books(first, books(), only_if_empty=True) == BOOKS
        assert "another process has loaded the books meanwhile" in ended_well(begun[0])
        with first.connect() as db:
            assert Catalogue(db).totals().books == BOOKS


@pytest.mark.parametrize(("sent", "code", "words"), [(signal.SIGTERM, 143, ""), (signal.SIGINT, 1, "\nAborted!\n")])
def test_a_signal_ends_the_wait_at_once(engine, own_url, sent, code, words):
    with database.transaction(engine):
        command = subprocess.Popen(
            [sys.executable, "-m", "colophon", "prepare"],
            env=os.environ | {"DATABASE_URL": own_url},
            stderr=subprocess.PIPE,
            text=True,
        )
        assert any("waiting until" in line for line in command.stderr)
        command.send_signal(sent)
        assert command.communicate(timeout=LONGEST)[1] == words
        assert command.returncode == code
        if engine.dialect.name == "postgresql":
            assert not waits_for_a_lock(engine)


def waits_for_a_lock(engine):
    with engine.connect() as db:
        waiting = (
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return db.exec_driver_sql(waiting).scalar_one() > 0


@postgresql_only
def test_a_start_waits_for_a_table_that_a_migration_changes(start, engine, own_url):
    with engine.connect() as migration:
        migration.exec_driver_sql("BEGIN")
        migration.exec_driver_sql("LOCK TABLE books IN ACCESS EXCLUSIVE MODE")
        command = start(own_url, "prepare")
        while not waits_for_a_lock(engine):
            assert not command.done(), command.result().output
        time.sleep(5 * VISITORS_WAIT)
        assert not command.done(), command.result().output
        migration.exec_driver_sql("COMMIT")
    assert f"loaded {BOOKS} books" in ended_well(command)


@postgresql_only
def test_a_migration_waits_for_readers_and_lets_visitors_pass(start, engine, own_url, monkeypatch):
    monkeypatch.setattr(revisions, "TABLE_SECONDS", 0.01)
    monkeypatch.setattr(revisions, "RETRY_SECONDS", 0.01)
    with database.snapshot(engine) as reader:
        assert Catalogue(reader).totals().books == 0
        command = start_behind(start, own_url, "db", "downgrade", "base", says="is in use")
        monkeypatch.setattr("colophon.database.engine.BUSY_SECONDS", 5.0)
        with revisions.opened(own_url) as visitors, visitors.connect() as visitor:
            assert Catalogue(visitor).totals().books == 0
    assert ended_well(command).count("is in use; retrying until it is free") == 1
    assert revisions.revision(engine) is None
