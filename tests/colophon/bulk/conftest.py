"""What the tests of imports share."""

import pytest

from colophon.catalogue.book_schema import dump
from colophon.catalogue.list_query import ListQuery
from colophon.catalogue.reading import Catalogue
from colophon.cli import main
from tests.colophon.bulk.bulkfiles import environment


@pytest.fixture
def load(runner, engine, tmp_path):
    """Import some content; `name` is the file's."""

    def load(content, *options, name="books.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return runner.invoke(main, ["books", "import", str(path), *options], env=environment(engine))

    return load


@pytest.fixture
def books(engine):
    """Return the written form of every book in the catalogue."""

    def books():
        with engine.connect() as db:
            return [dump(book) for book in Catalogue(db).walk(ListQuery(), 0, 1000)[0]]

    return books
