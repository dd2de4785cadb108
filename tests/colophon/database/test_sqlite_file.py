"""The file of an SQLite database stays the one that was opened, and nothing is acknowledged that it does not keep."""

import shutil
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError

from colophon import database
from colophon.cli import main
from colophon.web import state
from tests.conftest import sqlite_only

pytestmark = sqlite_only


@pytest.fixture
def file(own_url):
    return Path(make_url(own_url).database)


@pytest.fixture
def client(make_app, own_url):
    return make_app(database_url=own_url).test_client()


def statuses(client):
    return [client.get(path).status_code for path in ("/api/v1/books", "/readyz", "/healthz")]


def test_a_file_that_vanishes_is_an_error_until_it_is_back(client, file, tmp_path, caplog):
    assert statuses(client) == [200, 200, 200]
    file.rename(tmp_path / "elsewhere.db")
    assert statuses(client) == [503, 503, 200]
    state.of(client.application).engine.dispose()  # so that connections are opened anew
    assert statuses(client) == [503, 503, 200]
    assert f"{file} cannot be opened: No such file or directory" in caplog.text
    assert not file.exists()
    (tmp_path / "elsewhere.db").rename(file)
    assert statuses(client) == [200, 200, 200]


def test_a_file_that_takes_the_place_of_another_is_not_used(client, file, tmp_path, caplog):
    assert statuses(client) == [200, 200, 200]
    shutil.copy(file, tmp_path / "restored.db")
    (tmp_path / "restored.db").replace(file)
    assert statuses(client) == [503, 503, 200]
    assert f"{file} is another file than at the start: start the site again" in caplog.text


def test_a_write_into_a_file_that_was_removed_meanwhile_is_not_acknowledged(engine, file):
    with pytest.raises(OperationalError, match="cannot be opened"), database.transaction(engine) as db:
        db.exec_driver_sql("INSERT INTO subjects (slug, name) VALUES ('lost', 'Lost')")
        file.unlink()


def test_a_command_that_only_reads_makes_no_file(runner, own_url, file):
    file.unlink()
    result = runner.invoke(main, ["books", "export"], env={"DATABASE_URL": own_url})
    assert result.exit_code == 1
    assert f"{file} cannot be opened: No such file or directory." in result.stderr
    assert not file.exists()


def test_what_is_committed_outlasts_a_loss_of_power(engine):
    with engine.connect() as db:
        pragmas = [db.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in ("journal_mode", "synchronous")]
    assert pragmas == ["wal", 2]  # https://www.sqlite.org/pragma.html#pragma_synchronous: FULL
