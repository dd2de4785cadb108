"""Export of the catalogue to a file: every book, in the order of addition."""

from __future__ import annotations

import os
import secrets
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO

from .. import database
from ..catalogue.book_schema import dump
from ..catalogue.list_query import ListQuery
from ..catalogue.reading import Catalogue
from . import csv_format, json_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from sqlalchemy import Engine

WRITERS: dict[str, Callable[[Iterable[dict[str, Any]]], Iterator[str]]] = {
    "csv": csv_format.written_lines,
    "jsonl": json_lines.written_lines,
}
BATCH = 500


def export(engine: Engine, file: BinaryIO, file_format: str, progress: Callable[[int], None] = lambda _: None) -> int:
    """Write every book, as of one moment, and return their number.

    Calls `progress` with the size of each batch. Raises OSError if the file cannot be written.
    """
    count = 0

    def books(catalogue: Catalogue) -> Iterator[dict[str, Any]]:
        nonlocal count
        after: int | None = 0
        while after is not None:
            some, after = catalogue.walk(ListQuery(), after, BATCH)
            yield from map(dump, some)
            count += len(some)
            progress(len(some))

    with database.snapshot(engine) as db:
        for line in WRITERS[file_format](books(Catalogue(db))):
            file.write(line.encode())
    file.flush()
    return count


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Yield a file that replaces `path` at the end of the block, and is removed on an error.

    A path that is not a regular file, such as a pipe or a device, is written to directly. Raises OSError.
    """
    path = path.resolve()
    if path.exists() and not path.is_file():
        with path.open("wb") as file:
            yield file
        return
    # In the same folder, as a file can be renamed only within a file system.
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with draft.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
