"""No URL vanishes unnoticed, no template is left uncompiled, and no page asks more of the database as it grows."""

import re
from pathlib import Path

import pytest

from bench.made_up_books import made_up_books
from colophon import create_app
from colophon.catalogue import writing
from colophon.catalogue.reading import Catalogue
from colophon.settings import Settings
from colophon.web import kept, state
from tests.conftest import any_database, sqlite_only
from tests.databases import statements_of

FROZEN = Path(__file__).parent / "routes.txt"


@any_database
def test_the_routes_are_those_that_were_promised(app):
    routes = sorted(
        f"{rule.rule} {','.join(sorted(rule.methods - {'HEAD', 'OPTIONS'}))}" for rule in app.url_map.iter_rules()
    )
    assert routes == FROZEN.read_text().splitlines()


@any_database
def test_every_template_compiles(app):
    names = app.jinja_env.list_templates()
    assert len(names) > 15
    for name in names:
        app.jinja_env.get_template(name)


@sqlite_only
def test_no_get_changes_anything(make_app):
    app = make_app()
    client = app.test_client()
    with statements_of(state.of(app).engine) as statements:
        for rule in app.url_map.iter_rules():
            if "GET" in rule.methods:
                path = re.sub("<int:number>", "1", rule.rule).replace("<slug>", "emma").replace("<name>", "emma")
                client.get(path).close()
    changing = [statement for statement in statements if not statement.startswith(("SELECT ", "PRAGMA "))]
    assert len(statements) > 20
    assert changing == []


def number_of_queries(url, books, path):
    """Return how many statements a page costs, when it is first requested for, with so many books in the catalogue."""
    app = create_app(Settings(database_url=url, site_url="http://localhost"))
    engine = state.of(app).engine
    with engine.connect() as db:
        there = Catalogue(db).totals().books
    writing.add_books(engine, made_up_books(books - there))
    with engine.connect() as db:
        slug = db.exec_driver_sql("SELECT slug FROM books LIMIT 1").scalar_one()
    with statements_of(engine) as statements:
        assert app.test_client().get(path.replace("SLUG", slug)).status_code == 200
    engine.dispose()
    return len(statements)


@pytest.mark.parametrize("path", ["/", "/books", "/books?q=a", "/books/SLUG", "/authors", "/subjects", "/feed.atom"])
def test_a_page_costs_as_many_queries_with_50_books_as_with_2(own_url, path):
    assert number_of_queries(own_url, 2, path) == number_of_queries(own_url, 50, path) <= 16


@pytest.mark.parametrize("path", ["/", "/books?q=a", "/books/emma", "/books/emma/cover.svg", "/authors", "/colophon"])
def test_what_was_requested_before_costs_the_question_whether_anything_changed(app, client, path, monkeypatch):
    client.get(path)
    monkeypatch.setattr(kept, "RENEWED", -1)
    with statements_of(state.of(app).engine) as statements:
        client.get(path)
    assert statements == ["SELECT catalogue.state FROM catalogue"]


@pytest.mark.parametrize("path", ["/?fresh", "/books?q=fresh", "/books/emma?fresh", "/authors?fresh"])
def test_a_page_asks_no_more_than_once_which_state_the_catalogue_is_in(app, client, path):
    client.get("/about")
    with statements_of(state.of(app).engine) as statements:
        client.get(path)
    assert len([statement for statement in statements if "catalogue.state" in statement]) <= 1
    assert len(statements) > 1
