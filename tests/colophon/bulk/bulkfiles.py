"""Files of books to be imported, and what is to be said of them."""

import json
from typing import Any

from click.testing import Result
from sqlalchemy import Engine

from colophon.catalogue.book_schema import BookSchema
from colophon.catalogue.text import sort_name

EMMA = {
    "title": "Emma",
    "authors": [{"name": "Jane Austen"}],
    "year": 1815,
    "language": "en",
    "description": "A comedy.",
}
HEADER = "title,authors,year,language,description"
ROW = "Emma,Jane Austen,1815,en,A comedy."
ISBN = "9780141439587"


def environment(engine: Engine) -> dict[str, str]:
    return {"DATABASE_URL": engine.url.render_as_string(hide_password=False)}


def lines(*rows: str) -> str:
    return "".join(f"{row}\n" for row in (HEADER, *rows))


def objects(*changes: dict[str, Any]) -> str:
    return "".join(json.dumps(EMMA | change) + "\n" for change in changes)


def refused(result: Result, *sentences: str) -> None:
    """Hold that an import ended with these problems, and without a traceback."""
    assert result.exit_code == 1, result.output
    assert isinstance(result.exception, SystemExit)
    said = result.stderr.splitlines()
    assert len(said) == len(sentences) + 1
    for line, sentence in zip(said, sentences, strict=False):
        assert line.startswith(sentence), result.stderr
    assert said[-1].endswith("added nothing.")


def written_form(fields: dict[str, Any]) -> dict[str, Any]:
    """Return how a book is written once it is in the catalogue."""
    return (
        {
            "title": None,
            "subtitle": None,
            "original_title": None,
            "circa": False,
            "subjects": [],
            "publisher": None,
            "pages": None,
            "isbn13": None,
        }
        | fields
        | {
            "authors": [
                {
                    "name": author.name,
                    "sort": author.sort or sort_name(author.name),
                    "original_name": author.original_name,
                }
                for author in BookSchema().load(fields).authors
            ]
        }
    )
