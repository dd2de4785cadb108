"""What PostgreSQL needs beyond what both databases do."""

import pytest
from click.testing import CliRunner
from sqlalchemy import inspect, literal, select

from bench.made_up_books import made_up_books
from colophon import database
from colophon.catalogue import writing
from colophon.catalogue.reading import Catalogue
from colophon.cli import main
from colophon.database import revisions
from colophon.database.engine import ANALYZE_FROM
from colophon.database.revisions import DatabaseUnusableError
from tests.conftest import postgresql_only
from tests.postgres import PASSWORD

pytestmark = [postgresql_only, pytest.mark.usefixtures("databases")]


def test_a_session_is_in_utc_and_has_its_limits(own_url):
    engine = database.connect(own_url, statement_timeout_ms=1234)
    with engine.connect() as db:
        shown = {
            name: db.exec_driver_sql(f"SHOW {name}").scalar_one()
            for name in ("timezone", "statement_timeout", "lock_timeout", "client_encoding", "application_name")
        }
    engine.dispose()
    assert shown == {
        "timezone": "UTC",
        "statement_timeout": "1234ms",
        "lock_timeout": "5s",
        "client_encoding": "UTF8",
        "application_name": "colophon",
    }


def test_parameters_in_the_url_go_before_the_defaults(own_url):
    engine = database.connect(own_url + "?application_name=another&connect_timeout=9")
    with engine.connect() as db:
        assert db.exec_driver_sql("SHOW application_name").scalar_one() == "another"
    engine.dispose()


def test_each_query_is_planned_for_its_own_values(engine):
    with engine.connect() as db:
        for number in range(20):
            db.execute(select(literal(number)))
        assert db.exec_driver_sql("SELECT count(*) FROM pg_prepared_statements").scalar_one() == 0


def test_services_may_write_postgres_for_postgresql(own_url):
    engine = database.connect(own_url.replace("postgresql://", "postgres://"))
    assert revisions.revision(engine) == revisions.head()
    engine.dispose()


def test_every_text_is_compared_by_code_point(engine):
    tables = inspect(engine)
    collations = {
        f"{table}.{column['name']}": getattr(column["type"], "collation", None)
        for table in tables.get_table_names()
        for column in tables.get_columns(table)
        if str(column["type"]).startswith("TEXT")
    }
    assert len(collations) > 15
    assert set(collations.values()) == {"C"}


def test_times_come_back_in_utc(engine):
    writing.add_books(engine, made_up_books(1))
    with engine.connect() as db:
        changed = Catalogue(db).changed_at()
        db.exec_driver_sql("SET TimeZone = 'Asia/Tokyo'")
        assert Catalogue(db).changed_at() == changed
        assert Catalogue(db).changed_at().utcoffset().total_seconds() == 0


def test_a_migration_that_fails_half_way_changes_nothing(fresh_url):
    engine = database.connect(fresh_url)
    with pytest.raises(RuntimeError, match="planted"), revisions.migrating(engine) as db:
        db.exec_driver_sql("CREATE TABLE half (id INTEGER)")
        db.exec_driver_sql("CREATE INDEX half_id ON half (id)")
        raise RuntimeError("planted")
    assert inspect(engine).get_table_names() == []
    engine.dispose()


def test_a_database_in_another_encoding_is_refused(postgres):
    with postgres._connect() as db:
        db.execute("CREATE DATABASE ascii TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE_PROVIDER libc LOCALE 'C'")
    engine = database.connect(postgres.url("ascii"))
    with pytest.raises(DatabaseUnusableError, match="encoding is SQL_ASCII"):
        revisions.upgrade(engine)
    engine.dispose()
    postgres.drop("ascii")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (("//colophon:", "//stranger:"), "password authentication failed"),
        ((":", ":1/"), "Connection refused"),
        (("/test_", "/no_such_"), "does not exist"),
    ],
)
@pytest.mark.parametrize("arguments", [["db", "upgrade"], ["db", "downgrade", "base"], ["tokens", "list"]])
def test_a_server_that_cannot_be_used_is_named_without_the_password(runner, own_url, wrong, said, arguments):
    url = wrong[1].join(own_url.rsplit(wrong[0], 1))
    for address in (url, f"{url}?sslpassword=s3cret"):
        result = runner.invoke(main, arguments, env={"DATABASE_URL": address})
        assert_one_sentence(result, said)


def test_a_schema_that_is_not_this_release_s_is_said_to_be_without_the_password(runner, fresh_url):
    result = runner.invoke(main, ["tokens", "list"], env={"DATABASE_URL": f"{fresh_url}?sslpassword=s3cret"})
    assert_one_sentence(result, "has its schema at revision none")


def assert_one_sentence(result, said):
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: The database postgresql")
    assert len(result.stderr.splitlines()) == 1
    assert said in result.stderr
    for secret in (PASSWORD, "s3cret"):
        assert secret not in result.output


def test_an_unknown_parameter_of_the_url_is_said_to_be(runner: CliRunner, own_url):
    result = runner.invoke(main, ["db", "upgrade"], env={"DATABASE_URL": own_url + "?sslmod=require"})
    assert result.exit_code == 1
    assert len(result.stderr.splitlines()) == 1
    assert "sslmod" in result.stderr


def test_statistics_are_renewed_after_many_books(engine):
    writing.add_books(engine, made_up_books(ANALYZE_FROM))
    with engine.connect() as db:
        rows = db.exec_driver_sql(
            "SELECT relname, reltuples FROM pg_class WHERE relname IN ('books', 'book_search')"
        ).all()
    counted = {row.relname: row.reltuples for row in rows}
    assert counted == {"books": ANALYZE_FROM, "book_search": ANALYZE_FROM}
