"""Who may write, and how often."""

import re
from datetime import timedelta

import pytest
from sqlalchemy import event, update

from colophon import database
from colophon.access import limits, tokens
from colophon.access.limits import Limit
from colophon.cli import main
from colophon.database.models import Allowance, Token
from colophon.web import state
from tests.colophon.api.apiclient import ANGLER
from tests.conftest import any_database
from tests.databases import statements_of


def test_without_a_token_reading_is_free_and_writing_is_not(make_program):
    stranger = make_program(None)
    assert stranger.get("/books").status_code == 200
    response = stranger.add()
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == 'Bearer realm="colophon"'


def test_a_token_to_read_may_not_write(make_program, make_token):
    reader = make_program(make_token(scope="read"))
    assert reader.get("/books").status_code == 200
    response = reader.add()
    assert response.status_code == 403
    assert 'error="insufficient_scope"' in response.headers["WWW-Authenticate"]


@pytest.mark.parametrize(
    "shown",
    ["nonsense", "colophon_1_wrong", "colophon_999_x", "colophon_x_y", "colophon__", "other_1_x", "colophon_²_x"],
)
def test_a_token_that_is_not_known_is_refused_for_reading_too(make_program, make_token, shown):
    make_token()
    for method in ("GET", "POST"):
        response = make_program(shown)(method, "/books", json=ANGLER)
        assert response.status_code == 401
        assert 'error="invalid_token"' in response.headers["WWW-Authenticate"]


@pytest.mark.parametrize("header", ["Basic dXNlcjpwYXNz", "Bearer", "Bearer a b", ""])
def test_another_way_to_prove_oneself_is_refused(make_program, header):
    assert make_program(None)("POST", "/books", json=ANGLER, headers={"Authorization": header}).status_code == 401


def test_a_token_that_has_expired_is_refused(make_program, make_token):
    response = make_program(make_token(lifetime=timedelta(seconds=-1))).add()
    assert response.status_code == 401
    assert response.json["detail"] == "The token has expired."


def test_a_token_that_was_revoked_is_refused(make_program, make_token, engine):
    program = make_program(make_token())
    assert program.add().status_code == 201
    with database.transaction(engine) as db:
        assert tokens.revoke(db, 1)
        assert not tokens.revoke(db, 99)
    assert program.add().status_code == 401


def test_a_token_is_kept_as_a_hash_only(make_token, engine):
    token = make_token()
    with engine.connect() as db:
        (row,) = db.execute(Token.__table__.select()).all()
    assert token.split("_", 2)[2] not in str(row)
    assert re.fullmatch(r"[0-9a-f]{64}", row.hash)


def test_the_use_of_a_token_is_noted_once_a_minute(make_program, make_token, engine):
    program = make_program(make_token())

    def last_used():
        with engine.connect() as db:
            return tokens.all_tokens(db)[0].last_used_at

    assert last_used() is None
    program.get("/books")
    first = last_used()
    program.get("/books")
    assert last_used() == first
    with database.transaction(engine) as db:
        db.execute(update(Token).values(last_used_at=first - timedelta(minutes=2)))
    program.get("/books")
    assert last_used() > first - timedelta(minutes=1)


def test_a_token_whose_use_was_noted_lately_costs_one_query(make_program, make_token):
    program = make_program(make_token(scope="read"))
    requested = []
    for _ in range(2):
        with statements_of(state.of(program.app).engine) as statements:
            program.get("/openapi.json")
        requested.append(statements)
    first, (verified,) = requested
    assert any(statement.startswith("UPDATE tokens") for statement in first)
    assert verified.startswith("SELECT tokens.")


def test_how_often_a_token_may_write_is_limited_and_told(make_program, make_token):
    program = make_program(make_token(), writes_per_minute=3)
    answers = [program.add(title=f"Book {number}") for number in range(5)]
    statuses = [answer.status_code for answer in answers]
    # A minute may have begun in between.
    assert statuses[:3] == [201, 201, 201]
    assert 429 in statuses
    assert answers[0].headers["RateLimit-Policy"] == '"writes";q=3;w=60'
    assert re.fullmatch(r'"writes";r=2;t=\d+', answers[0].headers["RateLimit"])
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert 0 < int(refused.headers["Retry-After"]) <= 60
    assert refused.mimetype == "application/problem+json"


def test_one_token_s_writes_do_not_count_for_another(make_program, make_token):
    for _ in range(2):
        assert make_program(make_token(), writes_per_minute=1).add().status_code == 201


def test_whoever_tries_tokens_is_stopped_and_nobody_else_is(make_program, make_token):
    guesser = make_program("colophon_1_wrong", failed_logins_per_minute=3)
    answers = [guesser.get("/books") for _ in range(10)]
    assert {answer.status_code for answer in answers} == {401, 429}
    assert 0 < int(next(answer for answer in answers if answer.status_code == 429).headers["Retry-After"]) <= 60
    guesser.token = make_token()  # of another program behind the same address
    assert guesser.get("/books").status_code == 200
    guesser.token = None
    assert guesser.get("/books").status_code == 200


@pytest.fixture
def readers(make_program, make_token):
    """A program with a good token and one with a bad token, each counted before."""
    readers = make_program(make_token()), make_program("colophon_1_wrong", failed_logins_per_minute=3)
    assert [reader.get("/books").status_code for reader in readers] == [200, 401]
    return readers


@pytest.fixture
def use_is_due(monkeypatch):
    """Each use of a token is to be noted."""
    monkeypatch.setattr(tokens, "USE_NOTED_EVERY", timedelta(0))


def test_a_program_that_reads_does_not_wait_for_a_writer(readers, use_is_due, engine):
    with database.transaction(engine) as db:
        db.execute(update(Token).values(name=Token.name))
        db.execute(update(Allowance).values(used=Allowance.used))
        assert [reader.get("/books").status_code for reader in readers] == [200, 401]


def test_reading_needs_no_write(readers, use_is_due):
    for reader in readers:
        engine = state.of(reader.app).engine
        setting = (
            "PRAGMA query_only = ON" if engine.dialect.name == "sqlite" else "SET default_transaction_read_only = on"
        )
        event.listen(engine, "checkout", lambda connection, *_, setting=setting: connection.execute(setting))
    assert [reader.get("/books").status_code for reader in readers] == [200, 401]
    assert [reader.add().status_code for reader in readers] == [503, 401]


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::1", "::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:0:1:2:3:4:5", "2001:db8:0:1::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("x" * 8_000, "unknown"),
        (None, "unknown"),
    ],
)
def test_a_visitor_is_counted_by_the_network_that_they_can_choose_addresses_of(address, counted):
    assert limits.network(address) == counted


@any_database
def test_other_addresses_of_a_network_are_not_a_way_past_a_limit(make_program):
    app = make_program(failed_logins_per_minute=3).app
    answers = [
        app.test_client().get(
            "/api/v1/books",
            headers={"Authorization": "Bearer colophon_1_wrong"},
            environ_base={"REMOTE_ADDR": f"2001:db8::{number}"},
        )
        for number in range(10)
    ]
    assert 429 in {answer.status_code for answer in answers}


def test_a_limit_counts_what_all_workers_see(engine):
    limit = Limit("test", quota=2)
    found = []
    for _ in range(3):
        with database.transaction(engine) as db:
            found.append(limits.count(db, limit, "someone", now=120.0))
    assert [each.remaining for each in found] == [1, 0, -1]
    assert [each.exceeded for each in found] == [False, False, True]
    with database.transaction(engine) as db:
        assert limits.count(db, limit, "someone", now=130.0).reset == 50
        assert limits.count(db, limit, "someone", now=181.0).remaining == 1
        assert limits.count(db, limit, "someone else", now=181.0).remaining == 1
        limits.count(db, limit, "someone else", now=600.0)
        assert db.exec_driver_sql("SELECT count(*) FROM allowances").scalar_one() == 1


def test_tokens_are_made_listed_and_revoked_on_the_command_line(runner, engine, make_program):
    def run(*arguments):
        return runner.invoke(
            main, ["tokens", *arguments], env={"DATABASE_URL": engine.url.render_as_string(hide_password=False)}
        )

    made = run("create", "the importer", "--scope", "write", "--days", "7")
    assert made.exit_code == 0
    token = made.stdout.strip()
    assert make_program(token).add().status_code == 201
    listed = run("list").stdout
    assert re.search(r"1 +write +valid until \d{4}-\d\d-\d\d +last used .* the importer", listed)
    assert token not in listed
    assert run("revoke", "1").stdout == "Token 1 is revoked.\n"
    assert "revoked" in run("list").stdout
    assert make_program(token).add().status_code == 401
    gone = run("revoke", "2")
    assert (gone.exit_code, gone.stderr) == (1, "Error: There is no token 2.\n")


@pytest.mark.parametrize("name", ["", "  ", "evil\n  99  write  good", "x" * 101])
def test_a_token_s_name_is_one_line(runner, engine, name):
    url = engine.url.render_as_string(hide_password=False)
    assert runner.invoke(main, ["tokens", "create", name], env={"DATABASE_URL": url}).exit_code == 2
    assert runner.invoke(main, ["tokens", "revoke", "9" * 20], env={"DATABASE_URL": url}).exit_code == 2


def test_a_token_is_all_that_standard_output_holds(runner, fresh_url):
    made = runner.invoke(main, ["tokens", "create", "first"], env={"DATABASE_URL": fresh_url})
    assert re.fullmatch(r"colophon_1_[\w-]{43}\n", made.stdout)
    assert "migrating" in made.stderr


@pytest.mark.parametrize("command", [["tokens", "list"], ["books", "export"]])
def test_whoever_only_reads_migrates_nothing(runner, fresh_url, command):
    result = runner.invoke(main, command, env={"DATABASE_URL": fresh_url})
    assert result.exit_code == 1
    assert "Migrate it first" in result.stderr
