"""The schema goes up and down whole or not at all, and a database that cannot be used is named."""

import os
import subprocess
import sys

import pytest
from alembic import command
from sqlalchemy import inspect

from colophon import cataloguing, database, importer, schema
from colophon.schema import DatabaseUnusableError
from tests.conftest import sqlite_only
from tests.databases import at_revision


@pytest.fixture
def fresh(fresh_url):
    engine = database.connect(fresh_url)
    yield engine
    engine.dispose()


def test_migrations_go_up_from_empty_down_and_up_again(fresh):
    config = schema.alembic_config(fresh)
    schema.upgrade(fresh)
    tables = inspect(fresh).get_table_names()
    assert "books" in tables
    command.downgrade(config, "base")
    assert inspect(fresh).get_table_names() == ["alembic_version"]
    schema.upgrade(fresh)
    assert inspect(fresh).get_table_names() == tables
    assert schema.revision(fresh) == schema.head()


def test_the_models_match_the_migrations(fresh):
    schema.upgrade(fresh)
    command.check(schema.alembic_config(fresh))


def test_migrating_twice_changes_nothing(fresh, caplog):
    schema.upgrade(fresh)
    caplog.clear()
    schema.upgrade(fresh)
    assert not caplog.records


def test_processes_that_start_together_migrate_once(fresh_url):
    environment = os.environ | {"DATABASE_URL": fresh_url, "LOG_LEVEL": "warning"}
    command = [sys.executable, "-m", "colophon", "db", "upgrade"]
    starting = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(3)
    ]
    assert [(process.communicate()[1], process.returncode) for process in starting] == [(b"", 0)] * 3
    engine = database.connect(environment["DATABASE_URL"])
    assert schema.revision(engine) == schema.head()
    engine.dispose()


def test_a_migration_that_fails_changes_nothing(fresh):
    with pytest.raises(RuntimeError, match="planted"), schema.migrating(fresh) as db:
        db.exec_driver_sql("CREATE TABLE half (id INTEGER)")
        raise RuntimeError("planted")
    assert inspect(fresh).get_table_names() == []


@sqlite_only
def test_a_migration_may_rebuild_a_table_that_others_refer_to(engine):
    cataloguing.add_books(engine, importer.made_up_books(5))
    with schema.migrating(engine) as db:
        db.exec_driver_sql("CREATE TABLE rebuilt AS SELECT * FROM books")
        db.exec_driver_sql("DROP TABLE books")
        db.exec_driver_sql("ALTER TABLE rebuilt RENAME TO books")
        assert db.exec_driver_sql("SELECT count(*) FROM book_authors").scalar_one() >= 5
        db.exec_driver_sql("CREATE UNIQUE INDEX rebuilt_id ON books (id)")


@sqlite_only
def test_a_migration_that_would_break_references_is_refused(engine):
    cataloguing.add_books(engine, importer.made_up_books(5))
    with pytest.raises(DatabaseUnusableError, match="foreign keys"), schema.migrating(engine) as db:
        db.exec_driver_sql("DELETE FROM authors")
    with engine.connect() as db:
        assert db.exec_driver_sql("SELECT count(*) FROM authors").scalar_one() >= 5


def test_a_database_of_a_newer_release_is_left_alone(fresh):
    schema.upgrade(fresh)
    at_revision(fresh, "9999")
    schema.upgrade(fresh)
    assert schema.revision(fresh) == "9999"
    with pytest.raises(DatabaseUnusableError, match="newer release: its schema is at revision 9999"):
        schema.upgrade(fresh, "0001")


def test_a_file_that_is_no_database_is_left_alone(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("These are notes, not a database. " * 100)
    engine = database.connect(f"sqlite:///{path}")
    with pytest.raises(DatabaseUnusableError, match="cannot be used"):
        schema.upgrade(engine)
    engine.dispose()
    assert path.read_text().startswith("These are notes")
