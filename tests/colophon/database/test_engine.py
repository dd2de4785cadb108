"""What both databases do for readers and writers alike."""

import sqlite3

import pytest

from bench.made_up_books import made_up_books
from colophon import database
from colophon.catalogue import writing
from colophon.web import state


def test_readers_go_on_while_one_writes(engine):
    writing.add_books(engine, made_up_books(3))
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
        connection = state.connection()
        assert state.connection() is connection
    assert connection.closed
