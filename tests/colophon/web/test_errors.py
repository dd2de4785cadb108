"""Every error has a page, with the layout and a way back."""

import logging
import sqlite3
from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import abort
from sqlalchemy.engine import make_url
from sqlalchemy.exc import InternalError, OperationalError

from colophon.catalogue.reading import Catalogue
from colophon.web import state
from tests.conftest import any_database, postgresql_only, sqlite_only
from tests.pagecheck import PageClient, text


@pytest.fixture
def failing(make_app):
    """An app with pages that fail in each way."""
    app = make_app()

    @app.get("/fail/<int:status>")
    def fail(status):
        abort(status)

    @app.get("/crash")
    def crash():
        raise RuntimeError("the planted secret")

    @app.get("/database-gone")
    def database_gone():
        raise OperationalError("select", {}, Exception("the planted secret"))

    return app.test_client()


@pytest.mark.parametrize("status", [400, 403, 404, 413, 429, 500, 503, 418, 415])
def test_an_error_has_the_layout_and_a_way_back(failing, status):
    soup = PageClient(failing, {})(f"/fail/{status}", status=status)
    assert soup.select("main a[href='/']")
    assert soup.select("main a[href='/books']")
    assert soup.select("main form[action='/books']")
    assert soup.one("h1").get_text(strip=True)


def test_a_method_that_is_not_allowed_names_those_that_are(client):
    response = client.post("/books")
    assert response.status_code == 405
    assert set(response.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS"}
    assert "does not do that" in response.text


def test_too_large_a_form_is_refused(make_app):
    client = make_app(max_request_bytes=1024).test_client()
    response = client.post("/preferences", data={"colour_mode": "dark", "next": "/" + "x" * 2000})
    assert response.status_code == 413
    assert "too much at once" in response.text


def test_our_own_fault_shows_a_reference_that_the_log_has_too(failing, caplog):
    with caplog.at_level(logging.ERROR):
        soup = PageClient(failing, {})("/crash", status=500, headers={"X-Request-Id": "given-4711"})
    assert "given-4711" in text(soup.one("main"))
    assert "planted secret" not in soup.get_text()
    assert "planted secret" in caplog.text


def test_a_database_that_is_gone_is_not_our_visitors_fault(failing):
    response = failing.get("/database-gone")
    assert response.status_code == 503
    assert response.headers["Retry-After"] == "5"
    assert "planted secret" not in response.text


@any_database
def test_a_database_that_cannot_be_opened_is_answered_by_503(make_app, tmp_path):
    missing = tmp_path / "no-such-folder" / "colophon.db"
    client = make_app(database_url=f"sqlite:///{missing}").test_client()
    assert client.get("/books").status_code == 503
    assert client.get("/about").status_code == 200
    assert client.get("/healthz").status_code == 200


@sqlite_only
def test_a_locked_database_is_answered_by_503(make_app, own_url, monkeypatch):
    monkeypatch.setattr("colophon.database.engine.BUSY_SECONDS", 0.05)
    holder = sqlite3.connect(make_url(own_url).database)
    holder.execute("PRAGMA locking_mode = EXCLUSIVE")
    holder.execute("BEGIN EXCLUSIVE")
    response = make_app(database_url=own_url).test_client().get("/books")
    holder.close()
    assert response.status_code == 503


def test_a_path_that_is_no_text_is_not_found(client):
    assert client.get("/%ff%fe").status_code == 404


def test_an_address_with_slashes_too_many_leads_to_the_right_one(client):
    response = client.get("/books//emma")
    assert (response.status_code, response.location) == (308, "http://localhost/books/emma")


def test_a_request_that_gets_no_connection_in_time_is_answered_by_503(make_app, monkeypatch):
    monkeypatch.setattr("colophon.database.engine.POOL_SECONDS", 0.05)
    app = make_app(database_pool_size=1)
    with state.of(app).engine.connect():
        answers = [app.test_client().get(path) for path in ("/books", "/readyz")]
    assert [answer.status_code for answer in answers] == [503, 503]
    assert answers[0].headers["Retry-After"] == "5"
    assert [app.test_client().get(path).status_code for path in ("/books", "/readyz")] == [200, 200]


@postgresql_only
def test_a_statement_that_takes_too_long_is_answered_by_503(make_app):
    app = make_app(database_statement_timeout_ms=50)

    @app.get("/slow")
    def slow():
        state.connection().exec_driver_sql("SELECT pg_sleep(5)")

    response = app.test_client().get("/slow")
    assert response.status_code == 503
    assert response.headers["Retry-After"] == "5"
    assert app.test_client().get("/books").status_code == 200


@postgresql_only
def test_a_connection_lost_in_the_middle_of_a_page_is_answered_by_503(make_app):
    app = make_app()

    @app.get("/cut")
    def cut():
        db = state.connection()
        pid = db.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
        with state.of(app).engine.connect() as other:
            other.exec_driver_sql(f"SELECT pg_terminate_backend({pid}, 5000)")
        db.exec_driver_sql("SELECT 1")

    assert app.test_client().get("/cut").status_code == 503
    assert app.test_client().get("/books").status_code == 200


@any_database
def test_any_error_that_lost_the_connection_is_the_database_s_and_any_other_ours(make_app):
    app = make_app()

    @app.get("/refused/<int:lost>")
    def refused(lost):
        raise InternalError("select", {}, Exception("planted"), connection_invalidated=bool(lost))

    assert app.test_client().get("/refused/1").status_code == 503
    assert app.test_client().get("/refused/0").status_code == 500


@postgresql_only
def test_readiness_waits_for_a_table_that_is_locked_less_than_others_do(make_app, own_url):
    app = make_app(database_url=own_url)
    engine = state.of(app).engine

    def read():
        with engine.connect() as db:
            return Catalogue(db).totals().books

    with ThreadPoolExecutor(1) as visitor, engine.connect() as migration:
        migration.exec_driver_sql("BEGIN")
        migration.exec_driver_sql("LOCK TABLE catalogue IN ACCESS EXCLUSIVE MODE")
        waiting = visitor.submit(read)
        response = app.test_client().get("/readyz")
        assert (response.status_code, waiting.done()) == (503, False)
        migration.exec_driver_sql("ROLLBACK")
        assert waiting.result() == 0
    assert app.test_client().get("/readyz").status_code == 200
