"""Valid books that wait to be added, on disk, so that any number of them needs little memory."""

from __future__ import annotations

import pickle
import sqlite3
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..catalogue.types import NewBook


class StagedBooks:
    """Books by their rows in the file, and by their ISBNs, which are unique.

    They are in a temporary SQLite database, which no other process can open and which vanishes with this process. Any
    method raises sqlite3.Error if the disk is full.
    """

    def __init__(self) -> None:
        self._db = sqlite3.connect("", isolation_level=None)
        self._db.execute("PRAGMA journal_mode = OFF")
        self._db.execute("CREATE TABLE books (row INTEGER PRIMARY KEY, isbn13 TEXT UNIQUE, book BLOB NOT NULL)")
        self._db.execute("BEGIN")
        self._count = 0

    def close(self) -> None:
        """Delete the books."""
        self._db.close()

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[NewBook]:
        """Yield the books in the order of their rows."""
        for (book,) in self._db.execute("SELECT book FROM books ORDER BY row"):
            yield pickle.loads(book)  # noqa: S301 -- written by this process, where no other can write

    def add(self, row: int, book: NewBook) -> None:
        """Add a book. Raises sqlite3.IntegrityError if its ISBN is staged already."""
        self._db.execute("INSERT INTO books VALUES (?, ?, ?)", (row, book.isbn13, pickle.dumps(book, -1)))
        self._count += 1

    def row_of(self, isbn13: str) -> int | None:
        """Return the row of the book with this ISBN."""
        found = self._db.execute("SELECT row FROM books WHERE isbn13 = ?", (isbn13,)).fetchone()
        return found and int(found[0])
