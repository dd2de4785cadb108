"""The schema goes up and down whole or not at all, and a database that cannot be used is named."""

import os
import subprocess
import sys

import pytest
from alembic import command
from sqlalchemy import inspect

from bench.made_up_books import made_up_books
from colophon import database
from colophon.catalogue import writing
from colophon.database import revisions
from colophon.database.revisions import DatabaseUnusableError
from tests.conftest import sqlite_only
from tests.databases import at_revision


@pytest.fixture
def fresh(fresh_url):
    engine = database.connect(fresh_url)
    yield engine
    engine.dispose()


def test_migrations_go_up_from_empty_down_and_up_again(fresh):
    config = revisions.alembic_config(fresh)
    revisions.upgrade(fresh)
    tables = inspect(fresh).get_table_names()
    assert "books" in tables
    command.downgrade(config, "base")
    assert inspect(fresh).get_table_names() == ["alembic_version"]
    revisions.upgrade(fresh)
    assert inspect(fresh).get_table_names() == tables
    assert revisions.revision(fresh) == revisions.head()


def test_the_models_match_the_migrations(fresh):
    revisions.upgrade(fresh)
    command.check(revisions.alembic_config(fresh))


def test_migrating_twice_changes_nothing(fresh, caplog):
    revisions.upgrade(fresh)
    caplog.clear()
    revisions.upgrade(fresh)
    assert not caplog.records


@pytest.mark.slow
def test_processes_that_start_together_migrate_once(fresh_url):
    environment = os.environ | {"DATABASE_URL": fresh_url, "LOG_LEVEL": "warning"}
    command = [sys.executable, "-m", "colophon", "db", "upgrade"]
    starting = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(3)
    ]
    assert [(process.communicate()[1], process.returncode) for process in starting] == [(b"", 0)] * 3
    engine = database.connect(environment["DATABASE_URL"])
    assert revisions.revision(engine) == revisions.head()
    engine.dispose()


def test_a_migration_that_fails_changes_nothing(fresh):
    with pytest.raises(RuntimeError, match="planted"), revisions.migrating(fresh) as db:
        db.exec_driver_sql("CREATE TABLE half (id INTEGER)")
        raise RuntimeError("planted")
    assert inspect(fresh).get_table_names() == []


@sqlite_only
def test_a_migration_may_rebuild_a_table_that_others_refer_to(engine):
    writing.add_books(engine, made_up_books(5))
    with revisions.migrating(engine) as db:
        db.exec_driver_sql("CREATE TABLE rebuilt AS SELECT * FROM books")
        db.exec_driver_sql("DROP TABLE books")
        db.exec_driver_sql("ALTER TABLE rebuilt RENAME TO books")
        assert db.exec_driver_sql("SELECT count(*) FROM book_authors").scalar_one() >= 5
        db.exec_driver_sql("CREATE UNIQUE INDEX rebuilt_id ON books (id)")


@sqlite_only
def test_a_migration_that_would_break_references_is_refused(engine):
    writing.add_books(engine, made_up_books(5))
    with pytest.raises(DatabaseUnusableError, match="foreign keys"), revisions.migrating(engine) as db:
        db.exec_driver_sql("DELETE FROM authors")
    with engine.connect() as db:
        assert db.exec_driver_sql("SELECT count(*) FROM authors").scalar_one() >= 5


def test_a_database_of_a_newer_release_is_left_alone(fresh):
    revisions.upgrade(fresh)
    at_revision(fresh, "9999")
    revisions.upgrade(fresh)
    assert revisions.revision(fresh) == "9999"
    with pytest.raises(DatabaseUnusableError, match="newer release: its schema is at revision 9999"):
        revisions.upgrade(fresh, "0001")


def test_a_file_that_is_no_database_is_left_alone(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("These are notes, not a database. " * 100)
    engine = database.connect(f"sqlite:///{path}")
    with pytest.raises(DatabaseUnusableError, match="cannot be used"):
        revisions.upgrade(engine)
    engine.dispose()
    assert path.read_text().startswith("These are notes")
