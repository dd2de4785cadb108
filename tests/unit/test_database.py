import os
import sqlite3
import subprocess
import sys

import pytest
from alembic import command
from sqlalchemy import inspect

from colophon import cataloguing, database, importer
from colophon.database import DatabaseUnusableError
from conftest import sqlite_only


@pytest.fixture
def fresh(fresh_url):
    engine = database.connect(fresh_url)
    yield engine
    engine.dispose()


def test_migrations_go_up_from_empty_down_and_up_again(fresh):
    config = database.alembic_config(fresh)
    database.upgrade(fresh)
    tables = inspect(fresh).get_table_names()
    assert "books" in tables
    command.downgrade(config, "base")
    assert inspect(fresh).get_table_names() == ["alembic_version"]
    database.upgrade(fresh)
    assert inspect(fresh).get_table_names() == tables
    assert database.revision(fresh) == database.head()


def test_the_models_match_the_migrations(fresh):
    database.upgrade(fresh)
    command.check(database.alembic_config(fresh))


def test_migrating_twice_changes_nothing(fresh, caplog):
    database.upgrade(fresh)
    caplog.clear()
    database.upgrade(fresh)
    assert not caplog.records


def test_processes_that_start_together_migrate_once(fresh_url):
    environment = os.environ | {"DATABASE_URL": fresh_url, "LOG_LEVEL": "warning"}
    command = [sys.executable, "-m", "colophon", "db", "upgrade"]
    starting = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(3)
    ]
    assert [(process.communicate()[1], process.returncode) for process in starting] == [(b"", 0)] * 3
    engine = database.connect(environment["DATABASE_URL"])
    assert database.revision(engine) == database.head()
    engine.dispose()


def test_a_migration_that_fails_changes_nothing(fresh):
    with pytest.raises(RuntimeError, match="planted"), database.migrating(fresh) as db:
        db.exec_driver_sql("CREATE TABLE half (id INTEGER)")
        raise RuntimeError("planted")
    assert inspect(fresh).get_table_names() == []


@sqlite_only
def test_a_migration_may_rebuild_a_table_that_others_refer_to(engine):
    cataloguing.add_books(engine, importer.made_up_books(5))
    with database.migrating(engine) as db:
        db.exec_driver_sql("CREATE TABLE rebuilt AS SELECT * FROM books")
        db.exec_driver_sql("DROP TABLE books")
        db.exec_driver_sql("ALTER TABLE rebuilt RENAME TO books")
        assert db.exec_driver_sql("SELECT count(*) FROM book_authors").scalar_one() >= 5
        db.exec_driver_sql("CREATE UNIQUE INDEX rebuilt_id ON books (id)")


@sqlite_only
def test_a_migration_that_would_break_references_is_refused(engine):
    cataloguing.add_books(engine, importer.made_up_books(5))
    with pytest.raises(DatabaseUnusableError, match="foreign keys"), database.migrating(engine) as db:
        db.exec_driver_sql("DELETE FROM authors")
    with engine.connect() as db:
        assert db.exec_driver_sql("SELECT count(*) FROM authors").scalar_one() >= 5


def test_a_database_of_a_newer_release_is_left_alone(fresh):
    database.upgrade(fresh)
    with database.transaction(fresh) as db:
        db.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(DatabaseUnusableError, match="newer release: its schema is at revision 9999"):
        database.upgrade(fresh)


def test_a_file_that_is_no_database_is_left_alone(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("These are notes, not a database. " * 100)
    engine = database.connect(f"sqlite:///{path}")
    with pytest.raises(DatabaseUnusableError, match="cannot be used"):
        database.upgrade(engine)
    engine.dispose()
    assert path.read_text().startswith("These are notes")


def test_readers_go_on_while_one_writes(engine):
    cataloguing.add_books(engine, importer.made_up_books(3))
    with database.transaction(engine) as writer:
        writer.exec_driver_sql("DELETE FROM book_authors")
        with engine.connect() as reader:
            assert reader.exec_driver_sql("SELECT count(*) FROM book_authors").scalar_one() >= 3


def test_foreign_keys_are_enforced(engine):
    with engine.connect() as db, pytest.raises(Exception, match=r"(?i)foreign key"):
        db.exec_driver_sql("INSERT INTO book_subjects (subject_id, book_id) VALUES (1, 1)")


def test_this_python_s_sqlite_has_the_full_text_index():
    with sqlite3.connect(":memory:") as db:
        db.execute("CREATE VIRTUAL TABLE t USING fts5(x)")
    db.close()


def test_a_request_has_one_connection_which_ends_with_it(app):
    with app.test_request_context():
        connection = database.current()
        assert database.current() is connection
    assert connection.closed
