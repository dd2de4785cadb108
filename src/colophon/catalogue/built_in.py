"""The built-in books, which come with the site."""

from __future__ import annotations

import json
from importlib import resources
from typing import TYPE_CHECKING

from .types import NewAuthor, NewBook

if TYPE_CHECKING:
    from collections.abc import Iterator

_DATA = resources.files("colophon") / "data"


def built_in_books() -> Iterator[NewBook]:
    """Yield the built-in books in the order of their file."""
    with (_DATA / "books.jsonl").open(encoding="utf-8") as lines:
        for line in lines:
            fields = json.loads(line)
            fields["authors"] = [NewAuthor(**author) for author in fields["authors"]]
            yield NewBook(**fields)
