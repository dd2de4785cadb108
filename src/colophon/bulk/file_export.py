"""The catalogue as a file: every book in the order in which they were added, a few at a time."""

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
AT_ONCE = 500


def export(engine: Engine, file: BinaryIO, file_format: str, progress: Callable[[int], None] = lambda _: None) -> int:
    """Write every book of the catalogue, as it is at this moment, and return how many; `progress` hears of some more.

    Raises OSError when the file cannot be written.
    """
    count = 0

    def books(catalogue: Catalogue) -> Iterator[dict[str, Any]]:
        nonlocal count
        after: int | None = 0
        while after is not None:
            some, after = catalogue.walk(ListQuery(), after, AT_ONCE)
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
    """Yield a file that takes the place of `path` when the block ends well, and is gone when it does not.

    What is not a regular file, such as a pipe or a device, is written to as it is. Raises OSError.
    """
    path = path.resolve()
    if path.exists() and not path.is_file():
        with path.open("wb") as file:
            yield file
        return
    # Beside the other, as only within one file system a file can be renamed.
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with draft.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
