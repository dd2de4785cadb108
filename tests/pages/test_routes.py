"""No URL vanishes unnoticed, no template is left uncompiled, and no page asks more of the database as it grows."""

from pathlib import Path

import pytest
from sqlalchemy import event

from colophon import cataloguing, create_app, database, importer
from colophon.settings import Settings

FROZEN = Path(__file__).parent / "routes.txt"


def test_the_routes_are_those_that_were_promised(app):
    routes = sorted(
        f"{rule.rule} {','.join(sorted(rule.methods - {'HEAD', 'OPTIONS'}))}" for rule in app.url_map.iter_rules()
    )
    assert routes == FROZEN.read_text().splitlines()


def test_every_template_compiles(app):
    names = app.jinja_env.list_templates()
    assert len(names) > 15
    for name in names:
        app.jinja_env.get_template(name)


def test_no_get_changes_anything(app, library):
    before = library.read_bytes()
    for rule in app.url_map.iter_rules():
        if "GET" in rule.methods and not rule.arguments:
            app.test_client().get(rule.rule)
    assert library.read_bytes() == before


def number_of_queries(folder, books, path):
    """Return how many statements a page costs, when it is first asked for, with so many books in the catalogue."""
    url = f"sqlite:///{folder / f'{books}.db'}"
    app = create_app(Settings(database_url=url, site_url="http://localhost"))
    engine = database.engine_of(app)
    database.upgrade(engine)
    if cataloguing.is_empty(engine):
        cataloguing.add_books(engine, importer.made_up_books(books))
    with engine.connect() as db:
        slug = db.exec_driver_sql("SELECT slug FROM books LIMIT 1").scalar_one()
    statements = []
    event.listen(engine, "before_cursor_execute", lambda *arguments: statements.append(arguments[2]))
    assert app.test_client().get(path.replace("SLUG", slug)).status_code == 200
    engine.dispose()
    return len(statements)


@pytest.mark.parametrize("path", ["/", "/books", "/books?q=a", "/books/SLUG", "/authors", "/subjects", "/feed.atom"])
def test_a_page_costs_as_many_queries_with_50_books_as_with_2(tmp_path, path):
    assert number_of_queries(tmp_path, 2, path) == number_of_queries(tmp_path, 50, path) <= 16
