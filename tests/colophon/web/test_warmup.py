import gc
import gzip
import logging

import pytest

from bench.made_up_books import made_up_books
from colophon.catalogue import writing
from colophon.pages import views
from colophon.web import state, warmup
from colophon.web.warmup import PATHS, warm_up
from tests.conftest import any_database


@pytest.fixture
def site(make_app, own_url, engine):
    """A site whose catalogue no other test has requested about."""
    writing.add_books(engine, made_up_books(3, seed=1))
    yield make_app(database_url=own_url)
    gc.unfreeze()


@pytest.fixture
def said(caplog):
    """What the warm-up had to say."""
    caplog.set_level(logging.INFO)
    return lambda: [record.getMessage() for record in caplog.records if record.name == warmup.log.name]


def test_what_visitors_ask_for_first_is_remembered(site, said, monkeypatch):
    warm_up(site)
    monkeypatch.setattr(views, "render_template", lambda *_arguments, **_named: "made anew")
    assert said() == []
    for path in ("/books", "/"):
        page = site.test_client().get(path, headers={"Accept-Encoding": "gzip"})
        assert "Colophon" in gzip.decompress(page.data).decode()


def test_no_connection_is_left_for_two_processes_to_share(site):
    warm_up(site)
    assert state.of(site).engine.pool.checkedin() == 0


def test_what_was_made_is_left_alone_by_the_garbage_collector(site):
    warm_up(site)
    assert gc.get_freeze_count() > 0


def test_a_warm_up_is_no_visit(site, caplog):
    caplog.set_level(logging.INFO)
    warm_up(site)
    assert "request" not in caplog.messages
    site.test_client().get("/about")
    assert "request" in caplog.messages


@any_database
def test_a_database_that_is_away_stops_nothing(make_app, said, tmp_path):
    warm_up(make_app(database_url=f"sqlite:///{tmp_path}/nowhere/colophon.db"))
    gc.unfreeze()
    assert said() == ["the warm-up stopped at /readyz, which answered 503 SERVICE UNAVAILABLE"]


@any_database
def test_a_database_that_is_slow_does_not_keep_the_site_from_starting(site, said, monkeypatch):
    monkeypatch.setattr(warmup, "SECONDS", -1)
    warm_up(site)
    assert said() == [f"the warm-up stopped before {PATHS[0]}: the database is slow"]
