"""Several processes at one database: no work is lost, and none waits for ever."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import update
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError

from bench.made_up_books import made_up_books
from colophon import database
from colophon.catalogue import built_in, writing
from colophon.database import revisions
from colophon.database.models import CatalogueState
from tests.conftest import postgresql_only

# A constraint that PostgreSQL checks when the transaction ends, as SQLite is told to by a pragma.
DEFERRED = "ALTER TABLE book_authors ALTER CONSTRAINT fk_book_authors_author_id_authors DEFERRABLE INITIALLY DEFERRED"


def test_writers_never_lose_an_update(engine):
    with database.transaction(engine) as db:
        db.exec_driver_sql("INSERT INTO catalogue VALUES (1, '0', '2000-01-01 00:00:00')")

    def count(_):
        for _ in range(25):
            with database.transaction(engine) as db:
                number = int(db.exec_driver_sql("SELECT state FROM catalogue").scalar_one())
                db.execute(update(CatalogueState).values(state=str(number + 1)))

    with ThreadPoolExecutor(4) as writers:
        list(writers.map(count, range(4)))
    with engine.connect() as db:
        assert db.exec_driver_sql("SELECT state FROM catalogue").scalar_one() == "100"


def test_two_that_start_together_fill_an_empty_catalogue_once(own_url):
    books = list(built_in.built_in_books())
    with revisions.opened(own_url) as engine, ThreadPoolExecutor(2) as starting:
        added = list(starting.map(lambda _: writing.add_books(engine, books, only_if_empty=True), range(2)))
    assert sorted(added) == [0, len(books)]


def test_a_writer_waits_for_another_only_so_long(own_url, monkeypatch):
    monkeypatch.setattr("colophon.database.engine.BUSY_SECONDS", 0.1)
    first, second = database.connect(own_url), database.connect(own_url)
    with (
        database.transaction(first),
        pytest.raises(OperationalError, match="lock"),
        database.transaction(second),
    ):
        pass
    with database.transaction(second):  # nothing is left of the failure
        pass
    first.dispose()
    second.dispose()


def test_a_writer_s_turn_comes_when_the_one_before_has_ended(engine):
    order = []

    def write():
        with database.transaction(engine):
            order.append("second")

    second = threading.Thread(target=write)
    with database.transaction(engine):
        second.start()
        second.join(0.2)
        order.append("first")
    second.join()
    assert order == ["first", "second"]


@postgresql_only
def test_a_writer_whose_connection_is_lost_has_written_nothing(engine):
    with pytest.raises(DBAPIError), database.transaction(engine) as db:
        db.exec_driver_sql("INSERT INTO subjects (slug, name) VALUES ('lost', 'Lost')")
        own = db.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
        with engine.connect() as other:
            other.exec_driver_sql(f"SELECT pg_terminate_backend({own}, 5000)")
        db.exec_driver_sql("SELECT 1")
    with database.transaction(engine) as db:
        assert db.exec_driver_sql("SELECT count(*) FROM subjects").scalar_one() == 0


@postgresql_only
@pytest.mark.parametrize("begun", [database.transaction, database.snapshot])
def test_an_error_is_told_as_it_is_though_the_connection_was_lost_meanwhile(engine, begun):
    with pytest.raises(RuntimeError, match="planted"), begun(engine) as db:
        pid = db.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
        with engine.connect() as other:
            other.exec_driver_sql(f"SELECT pg_terminate_backend({pid}, 5000)")
        raise RuntimeError("planted")
    with database.transaction(engine):
        pass


def test_a_change_that_fails_at_its_very_end_is_not_kept(engine):
    books = made_up_books(1)
    writing.add_books(engine, books)
    deferred = "PRAGMA defer_foreign_keys = ON" if engine.dialect.name == "sqlite" else DEFERRED
    with pytest.raises(IntegrityError), database.transaction(engine) as db:
        db.exec_driver_sql(deferred)
        db.exec_driver_sql("UPDATE book_authors SET author_id = 999999")
    with database.transaction(engine) as db:
        assert db.exec_driver_sql("SELECT count(*) FROM book_authors WHERE author_id = 999999").scalar_one() == 0


@postgresql_only
def test_a_connection_that_the_server_closed_costs_no_error_afterwards(engine):
    with engine.connect() as first, engine.connect() as other:
        pid = first.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
        first.close()
        other.exec_driver_sql(f"SELECT pg_terminate_backend({pid}, 5000)")
    for _ in range(5):
        with engine.connect() as db:
            assert db.exec_driver_sql("SELECT 1").scalar_one() == 1


@postgresql_only
def test_a_writer_reads_what_was_written_while_it_waited_whatever_the_server_s_default(engine, own_url):
    name = engine.url.database
    with engine.connect() as db:
        db.exec_driver_sql(f"ALTER DATABASE {name} SET default_transaction_isolation = 'serializable'")
    engine.dispose()
    test_writers_never_lose_an_update(engine)
