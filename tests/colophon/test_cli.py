"""The command line: what it does, and the one sentence that it says when it cannot."""

import runpy
import shutil
import socket
import sqlite3

import pytest

from bench.made_up_books import made_up_books
from colophon import cli, database
from colophon.cli import main
from colophon.database import revisions
from colophon.release import passport
from tests.conftest import sqlite_only
from tests.databases import at_revision


def run(runner, *arguments, **environment):
    return runner.invoke(main, arguments, env={name: str(value) for name, value in environment.items()})


def fails_with_one_sentence(result):
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: ")
    assert len(result.stderr.splitlines()) == 1
    assert isinstance(result.exception, SystemExit)
    return result.stderr


@pytest.fixture
def started(monkeypatch):
    """What `serve` would have become, instead of a server."""
    programs = []
    monkeypatch.setattr(cli.os, "execv", lambda _path, program: programs.append(program))
    return programs


@pytest.fixture
def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], ["serve", "--help"], ["db", "--help"], ["books", "-h"]])
def test_every_command_explains_itself(runner, arguments):
    result = run(runner, *arguments)
    assert result.exit_code == 0
    assert "Usage:" in result.output


def test_serve_prepares_the_database_and_loads_the_catalogue_once(runner, started, free_port, tmp_path):
    for _ in range(2):
        result = run(runner, "serve", PORT=free_port)
        assert result.exit_code == 0, result.output
    assert len(started) == 2
    assert "gunicorn" in started[0]
    with sqlite3.connect(tmp_path / "var/colophon.db") as db:
        assert db.execute("SELECT count(*) FROM books").fetchone()[0] >= 200
    db.close()


def test_prepare_does_the_same_and_serves_nothing(runner, started, tmp_path):
    for _ in range(2):
        result = run(runner, "prepare")
        assert result.exit_code == 0, result.output
    assert not started
    with sqlite3.connect(tmp_path / "var/colophon.db") as db:
        assert db.execute("SELECT count(*) FROM books").fetchone()[0] >= 200
    db.close()


def test_release_prints_the_passport_and_needs_no_database(runner, tmp_path):
    result = run(runner, "release", DATABASE_URL="postgresql://stranger@127.0.0.1:1/none")
    assert result.exit_code == 0
    assert result.stdout == passport.current().json()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["release", "serve"])
def test_a_damaged_passport_stops_the_start_with_one_sentence(runner, started, monkeypatch, tmp_path, command):
    monkeypatch.setattr(passport, "RELEASE", tmp_path / "release.json")
    passport.RELEASE.write_text("{}")
    assert "The release's passport does not match its schema" in fails_with_one_sentence(run(runner, command))
    assert not started
    assert not (tmp_path / "var").exists()


def test_a_port_in_use_is_said_to_be(runner, started):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        sentence = fails_with_one_sentence(run(runner, "serve", PORT=port))
    assert f"Port {port} of 127.0.0.1 cannot be used: another program uses it" in sentence
    assert not started


def test_a_host_that_is_not_this_machine_is_said_to_be(runner, started):
    assert "192.0.2.1" in fails_with_one_sentence(run(runner, "serve", HOST="192.0.2.1"))


def test_a_host_that_does_not_exist_is_said_not_to(runner, started):
    assert "no-such-host" in fails_with_one_sentence(run(runner, "serve", HOST="no-such-host.invalid"))


def test_a_wrong_setting_is_named(runner):
    assert "PORT" in fails_with_one_sentence(run(runner, "db", "upgrade", PORT="x"))


@pytest.mark.parametrize(
    ("arguments", "environment"),
    [
        (["books", "import", "{}"], {}),
        (["books", "import", "{}.txt"], {}),
        (["books", "import", "books.csv", "--report", "{}/report"], {}),
        (["books", "export", "{}/books.csv"], {}),
        (["tokens", "create", "{}"], {}),
        (["{}"], {}),
        (["prepare"], {"SITE_URL": "{}"}),
        (["prepare"], {"ALLOWED_HOSTS": "{}"}),
        (["prepare"], {"PORT": "{}"}),
        (["prepare"], {"LOG_FORMAT": "{}"}),
        (["prepare"], {"DATABASE_URL": "{}://books"}),
        (["prepare"], {"DATABASE_URL": "sqlite:///{}"}),
    ],
)
def test_a_name_or_a_value_that_is_repeated_cannot_drive_the_terminal(runner, tmp_path, arguments, environment):
    driving = "\x1b[31m\x1b]0;owned\x07\x9b31m\x7f\u202e"
    (tmp_path / driving).mkdir()
    for name in (f"{driving}.txt", "books.csv"):
        (tmp_path / name).touch()
    given = {name: value.format(driving) for name, value in environment.items()}
    result = run(runner, *(argument.format(driving) for argument in arguments), **given)
    assert result.exit_code in (1, 2)
    assert all(line.isprintable() for line in result.stderr.splitlines()), result.stderr


def test_a_folder_that_cannot_be_made_is_named(runner, tmp_path):
    (tmp_path / "file").touch()
    sentence = fails_with_one_sentence(run(runner, "db", "upgrade", DATABASE_URL=f"sqlite:///{tmp_path}/file/x.db"))
    assert f"{tmp_path}/file" in sentence


@pytest.mark.parametrize("arguments", [["db", "upgrade"], ["db", "downgrade", "base"], ["tokens", "list"]])
def test_a_database_that_cannot_be_opened_is_named(runner, tmp_path, arguments):
    (tmp_path / "notes.txt").write_text("not a database" * 100)
    sentence = fails_with_one_sentence(run(runner, *arguments, DATABASE_URL=f"sqlite:///{tmp_path}/notes.txt"))
    assert "notes.txt cannot be used: file is not a database" in sentence


def test_a_database_that_the_next_release_has_migrated_is_used_as_it_is(runner, own_url, engine):
    at_revision(engine, "9999")
    for arguments in (["prepare"], ["db", "upgrade"], ["tokens", "create", "x"], ["tokens", "list"]):
        result = run(runner, *arguments, DATABASE_URL=own_url)
        assert result.exit_code == 0, result.output
    assert revisions.revision(engine) == "9999"


def test_it_is_not_taken_to_a_revision_of_an_older_release(runner, own_url, engine):
    at_revision(engine, "9999")
    for arguments in (["db", "upgrade", "0001"], ["db", "downgrade", "base"]):
        assert "newer release" in fails_with_one_sentence(run(runner, *arguments, DATABASE_URL=own_url))


@pytest.mark.parametrize("revision", ["abcd", "00021", "a1b2c3d4e5f6"])
def test_a_database_of_something_else_is_named(runner, own_url, engine, revision):
    at_revision(engine, revision)
    for arguments in (["prepare"], ["db", "upgrade"], ["tokens", "list"]):
        assert f"at revision {revision}" in fails_with_one_sentence(run(runner, *arguments, DATABASE_URL=own_url))


def test_the_schema_goes_up_and_down(runner, own_url, engine):
    assert run(runner, "db", "downgrade", "base", DATABASE_URL=own_url).exit_code == 0
    assert revisions.revision(engine) is None
    assert run(runner, "db", "upgrade", DATABASE_URL=own_url).exit_code == 0
    assert revisions.revision(engine) == revisions.head()


def test_the_schema_goes_down_from_where_it_is(runner, fresh_url):
    run(runner, "db", "upgrade", "0001", DATABASE_URL=fresh_url)
    with revisions.opened(fresh_url) as engine, database.transaction(engine) as db:
        db.exec_driver_sql("CREATE TABLE tokens (upgrade TEXT)")  # in the way of the next migration
    result = run(runner, "db", "downgrade", "base", DATABASE_URL=fresh_url)
    assert result.exit_code == 0, result.output
    with revisions.opened(fresh_url) as engine:
        assert revisions.revision(engine) is None


def test_a_revision_that_does_not_exist_is_named(runner, own_url, engine):
    sentence = fails_with_one_sentence(run(runner, "db", "downgrade", "nope", DATABASE_URL=own_url))
    assert "nope" in sentence


def test_an_interruption_adds_nothing(runner, own_url, engine, monkeypatch):
    def interrupted():
        yield from made_up_books(600)
        raise KeyboardInterrupt

    monkeypatch.setattr(cli.built_in, "built_in_books", interrupted)
    assert run(runner, "prepare", DATABASE_URL=own_url).exit_code == 1
    with engine.connect() as db:
        assert db.exec_driver_sql("SELECT count(*) FROM books").scalar_one() == 0


def test_a_new_migration_is_written_from_the_models(runner, own_url, engine, monkeypatch, tmp_path):
    shutil.copytree(revisions._MIGRATIONS, tmp_path / "migrations")
    monkeypatch.setattr(revisions, "_MIGRATIONS", tmp_path / "migrations")
    result = run(runner, "db", "revision", "a new field", DATABASE_URL=own_url)
    assert result.exit_code == 0, result.output
    before = revisions.head()
    (written,) = (tmp_path / "migrations/versions").glob("*_a_new_field.py")
    assert written.name.startswith(f"{int(before) + 1:04d}_")
    assert f'down_revision = "{before}"' in written.read_text().replace("'", '"')


def test_the_package_itself_is_the_program(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["colophon", "--version"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_module("colophon", run_name="__main__")
    assert ended.value.code == 0
    assert "colophon, version" in capsys.readouterr().out


@sqlite_only
def test_what_the_database_refuses_is_said_in_one_sentence(runner, own_url, engine):
    with database.transaction(engine) as db:
        db.exec_driver_sql("CREATE TRIGGER refuse BEFORE INSERT ON books BEGIN SELECT RAISE(ABORT, 'planted'); END")
    result = run(runner, "prepare", DATABASE_URL=own_url)
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1] == "Error: The database cannot do that: planted."
