"""Two kinds of users of PostgreSQL: the owner migrates, the site's read and write, and no more than that."""

import json

import psycopg
import pytest
from sqlalchemy.engine import make_url

from bench.made_up_books import made_up_books
from colophon import database
from colophon.catalogue import writing
from colophon.cli import main
from colophon.database import revisions
from tests.conftest import postgresql_only
from tests.databases import at_revision

pytestmark = [postgresql_only, pytest.mark.usefixtures("databases")]

PASSWORD = "fake/@:'"  # noqa: S105 -- awkward in a URL and in SQL


def user(name, password=PASSWORD):
    return json.dumps({"username": name, "password": password})


def url_of(url, name, password=PASSWORD):
    return make_url(url).set(username=name, password=password).render_as_string(hide_password=False)


@pytest.fixture
def prepare(runner, fresh_url):
    """Run `prepare` as the owner, with these users."""

    def prepare(**users):
        return runner.invoke(main, ["prepare"], env={"DATABASE_URL": fresh_url} | users)

    yield prepare
    engine = database.connect(fresh_url)
    with engine.connect() as db:
        db.exec_driver_sql(f"ALTER DATABASE {make_url(fresh_url).database} OWNER TO CURRENT_USER")
        for (role,) in db.exec_driver_sql("SELECT rolname FROM pg_roles WHERE starts_with(rolname, 'site_')").all():
            db.exec_driver_sql(f"DROP OWNED BY {role}")
            db.exec_driver_sql(f"DROP ROLE {role}")
    engine.dispose()


@pytest.fixture
def site_url(prepare, fresh_url):
    """The URL of a prepared database for the site's user."""
    prepared = prepare(DATABASE_SITE_USER=user("site_1"))
    assert prepared.exit_code == 0, prepared.output
    return url_of(fresh_url, "site_1")


@pytest.fixture
def site(site_url):
    """A connection of the site's user."""
    engine = database.connect(site_url)
    with engine.connect() as db:
        yield db
    engine.dispose()


def test_the_site_s_user_serves(make_app, site_url):
    client = make_app(database_url=site_url).test_client()
    assert [client.get(path).status_code for path in ("/readyz", "/", "/books?q=moby")] == [200, 200, 200]


def test_the_site_s_user_adds_books(runner, site_url):
    engine = database.connect(site_url)
    assert writing.add_books(engine, made_up_books(600)) == 600  # so many that the owner would renew the statistics
    engine.dispose()
    made = runner.invoke(main, ["tokens", "create", "importer"], env={"DATABASE_URL": site_url})
    assert made.exit_code == 0, made.output


@pytest.mark.parametrize(
    "statement",
    [
        "DROP TABLE books",
        "ALTER TABLE books ADD COLUMN more text",
        "CREATE TABLE more (id int)",
        "TRUNCATE books CASCADE",
        "UPDATE alembic_version SET version_num = '9999'",
        "CREATE ROLE site_3",
        "CREATE DATABASE more",
        "SELECT * FROM pg_authid",
    ],
)
def test_the_site_s_user_may_change_no_table_and_no_user(site, statement):
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        site.connection.driver_connection.execute(statement)


def test_a_table_of_a_later_migration_is_the_site_s_too(site, fresh_url):
    owner = database.connect(fresh_url)
    with owner.connect() as db:
        db.exec_driver_sql("CREATE TABLE more (id serial PRIMARY KEY, word text)")
    owner.dispose()
    site.exec_driver_sql("INSERT INTO more (word) VALUES ('a word')")
    assert site.exec_driver_sql("SELECT id, word FROM more").all() == [(1, "a word")]


def test_prepare_sets_both_users_passwords_and_can_be_run_again(prepare, fresh_url):
    for password in ("one-fake", "another-fake"):
        users = {"DATABASE_SITE_USER": user("site_1"), "DATABASE_NEXT_USER": user("site_2", password)}
        assert prepare(**users).exit_code == 0
        for name, theirs in (("site_1", PASSWORD), ("site_2", password)):
            psycopg.connect(url_of(fresh_url, name, theirs)).close()
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(url_of(fresh_url, "site_2", "one-fake"))


def test_no_password_is_written_to_a_log(prepare, monkeypatch, caplog):
    """Not even to the server's, which a statement can end up in."""
    statements, execute = [], psycopg.Connection.execute

    def note(connection, query, *rest, **more):
        statements.append(query.as_string(connection))
        return execute(connection, query, *rest, **more)

    monkeypatch.setattr(psycopg.Connection, "execute", note)
    prepared = prepare(DATABASE_SITE_USER=user("site_1"))
    assert "SCRAM-SHA-256$" in statements[0]
    assert PASSWORD not in prepared.output + caplog.text + "".join(statements)


@pytest.mark.parametrize("may", [True, False])
def test_an_owner_that_is_no_superuser_makes_the_users_if_it_may(runner, prepare, fresh_url, may):
    """As on RDS: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.MasterAccounts.html."""
    server, name = database.connect(fresh_url), make_url(fresh_url).database
    with server.connect() as db:
        db.exec_driver_sql(f"CREATE ROLE site_owner LOGIN {'CREATEROLE' if may else ''} PASSWORD 'fake'")
        db.exec_driver_sql(f"ALTER DATABASE {name} OWNER TO site_owner")
    owner = {"DATABASE_URL": url_of(fresh_url, "site_owner", "fake"), "DATABASE_SITE_USER": user("site_1")}
    for _ in range(2):
        prepared = runner.invoke(main, ["prepare"], env=owner)
        assert prepared.exit_code == (0 if may else 1), prepared.output
    if may:
        psycopg.connect(url_of(fresh_url, "site_1")).close()
    else:
        assert "Error: site_owner cannot make the user site_1: permission denied" in prepared.stderr
    server.dispose()


def test_the_owner_is_not_taken_for_the_site_s_user(prepare, fresh_url):
    prepared = prepare(DATABASE_SITE_USER=user(make_url(fresh_url).username))
    assert prepared.exit_code == 1
    assert "the site needs a user of its own" in prepared.stderr
    psycopg.connect(fresh_url).close()


def test_serving_as_the_site_s_user_waits_for_the_owner_s_migration(runner, prepare, site_url, fresh_url):
    owner = database.connect(fresh_url)
    at_revision(owner, "0001")
    owner.dispose()
    refused = runner.invoke(main, ["serve"], env={"DATABASE_URL": site_url})
    assert refused.exit_code == 1
    assert "site_1 may not migrate" in refused.stderr
    assert f"from 0001 to {revisions.head()}: first let its owner run" in refused.stderr
    assert PASSWORD not in refused.stderr


def test_a_user_that_cannot_do_all_that_serving_takes_is_not_ready(runner, make_app, site_url, fresh_url):
    owner = database.connect(fresh_url)
    with owner.connect() as db:
        db.exec_driver_sql("REVOKE INSERT ON audit FROM site_1")
    owner.dispose()
    answer = make_app(database_url=site_url).test_client().get("/readyz")
    assert (answer.status_code, answer.json["reason"]) == (503, "the database's user lacks INSERT on audit")
    refused = runner.invoke(main, ["serve"], env={"DATABASE_URL": site_url})
    assert (refused.exit_code, refused.stderr) == (1, "Error: The database's user lacks INSERT on audit.\n")
