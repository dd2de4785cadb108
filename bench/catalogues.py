"""The databases that are measured, and the lists that are requested."""

from __future__ import annotations

import hashlib
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from .errors import BenchError
from .servers import ROOT, environment

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SMALL, LARGE = SIZES = (200, 100_000)
PER_PAGE = 20
# Whatever can decide what a catalogue's file holds: a list of the modules that do would leave out the next one.
MADE_OF = ("src/colophon/**/*.py", "src/colophon/data/*", "src/requirements.txt", "bench/made_up_books.py")


@dataclass
class Kind:
    """A list, by its path at each size of catalogue, and the milliseconds that it took there."""

    name: str
    paths: dict[int, str]
    first: dict[int, list[float]] = field(default_factory=lambda: {size: [] for size in SIZES})
    repeated: dict[int, list[float]] = field(default_factory=lambda: {size: [] for size in SIZES})

    def measured(self) -> dict[str, object]:
        return {"name": self.name, "paths": self.paths, "first": self.first, "repeated": self.repeated}


def prepare(folder: Path, size: int, say: Callable[[str], None]) -> Path:
    """Return a database file of so many made-up books, made unless it is there.

    The name carries a hash of what it is made of: after a change of that it is made again.
    """
    file = folder / f"books-{size}-{made_of(ROOT)}.db"
    if file.exists():
        return file
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob(f"books-{size}-*"):
        old.unlink()
    unfinished = file.with_suffix(".part")
    say(f"making a catalogue of {size:,} books (once; 100,000 take half a minute) ...")
    try:
        command = [sys.executable, "-m", "bench.made_up_books", str(size)]
        made = subprocess.run(
            command, env=environment(unfinished), cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False
        )
        if made.returncode:
            raise BenchError(f"The catalogue could not be made: {' '.join(command)} failed. {made.stdout.strip()}")
        unfinished.rename(file)
    finally:
        for left in folder.glob(unfinished.name + "*"):
            left.unlink()
    return file


def made_of(checkout: Path) -> str:
    """Return a hash of all that decides what a catalogue holds: the site's code, its books and its libraries."""
    sources = sorted(path for pattern in MADE_OF for path in checkout.glob(pattern))
    contents = [(str(path.relative_to(checkout)), hashlib.blake2b(path.read_bytes()).hexdigest()) for path in sources]
    return hashlib.blake2b(repr(contents).encode(), digest_size=6).hexdigest()


def kinds(files: dict[int, Path]) -> list[Kind]:
    """Return the kinds of list to time: those that cost the most of what a visitor can ask for."""
    with closing(sqlite3.connect(files[LARGE])) as large, closing(sqlite3.connect(files[SMALL])) as small:
        for db in (large, small):
            db.execute("CREATE VIRTUAL TABLE temp.words USING fts5vocab('main', 'book_search', 'row')")
            db.execute("CREATE VIRTUAL TABLE temp.names USING fts5vocab('main', 'book_search', 'col')")
        common, next_common = _first(large, "SELECT term FROM words WHERE length(term) > 2 ORDER BY doc DESC, term", 2)
        once = _first(small, "SELECT term FROM words WHERE doc = 1 AND length(term) > 6 ORDER BY term", 500)
        rare = _rarest(large, once)
        (subject,) = _first(
            large,
            "SELECT slug FROM subjects JOIN book_subjects ON id = subject_id GROUP BY id ORDER BY count(*) DESC",
        )
        (language,) = _first(large, "SELECT language FROM books GROUP BY language ORDER BY count(*) DESC")
        (author,) = _first(small, "SELECT slug FROM authors ORDER BY id")
        (name,) = _first(large, "SELECT term FROM names WHERE col = 'authors' AND length(term) > 1 ORDER BY doc DESC")
    last = {size: -(-size // PER_PAGE) for size in SIZES}
    century: dict[str, str | int] = {"year_from": 1800, "year_to": 1899, "sort": "title"}
    return [
        Kind("plain", _everywhere()),
        Kind("page 10", _everywhere(page=10)),
        Kind("page 50", {LARGE: _path(page=50)}),
        Kind("last page, by title", {size: _path(page=page) for size, page in last.items()}),
        Kind("last page, newest first", {size: _path(page=page, sort="-year") for size, page in last.items()}),
        Kind(f"subject {subject}", _everywhere(subject=subject)),
        Kind(f"language {language}, newest first", _everywhere(language=language, sort="-year")),
        Kind("years 1800–1899, by title", _everywhere(**century)),
        Kind(f"author {author}", _everywhere(author=author)),
        Kind(f"authors named {name}", _everywhere(author=name)),
        Kind(f"search ‘{common}’", _everywhere(q=common)),
        Kind(f"search ‘{rare}’", _everywhere(q=rare)),
        Kind(f"search ‘{common} {next_common}’", _everywhere(q=f"{common} {next_common}")),
        Kind(f"‘{common}’ in {subject}, by title", _everywhere(q=common, subject=subject, sort="title")),
    ]


def forget(file: Path, state: str) -> None:
    """Make the site forget what it worked out of this catalogue, as after a change: it remembers by this name."""
    with closing(sqlite3.connect(file, timeout=5)) as db, db:
        db.execute("UPDATE catalogue SET state = ?", (state,))


def _path(**parameters: str | int) -> str:
    return "/books" + (f"?{urlencode(parameters)}" if parameters else "")


def _everywhere(**parameters: str | int) -> dict[int, str]:
    return dict.fromkeys(SIZES, _path(**parameters))


def _first(db: sqlite3.Connection, query: str, number: int = 1) -> list[str]:
    return [row[0] for row in db.execute(f"{query} LIMIT {number}")]


def _rarest(db: sqlite3.Connection, candidates: list[str]) -> str:
    counts = dict(db.execute("SELECT term, doc FROM words").fetchall())
    return min((word for word in candidates if word in counts), key=lambda word: (counts[word], word))
