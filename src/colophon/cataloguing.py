"""Changes to the catalogue: new books with their authors, subjects and search words, all of a change or none."""

from __future__ import annotations

import json
import secrets
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from itertools import count, islice
from typing import TYPE_CHECKING

from sqlalchemy import delete, exists, insert, select, update

from . import database, search
from .books import Catalogue
from .models import AuditEntry, Author, Book, BookAuthor, BookSubject, CatalogueState, Subject
from .text import KEY_LENGTH, index_words, slugify, sort_key, sort_name, words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from sqlalchemy import Connection, Engine
    from sqlalchemy.orm import InstrumentedAttribute

    from .records import BookDetail

BATCH = 500


@dataclass(frozen=True, slots=True)
class NewAuthor:
    """A person, by name. Without a filing name they keep theirs, or get one that is worked out."""

    name: str
    sort: str | None = None
    original_name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewBook:
    """A book to be added. `year` is negative before the common era, never 0; `isbn13` is 13 digits.

    Its fields stand in the order in which the API and files have them.
    """

    title: str
    subtitle: str | None = None
    original_title: str | None = None
    authors: list[NewAuthor]
    year: int
    circa: bool = False
    language: str
    subjects: list[str]
    publisher: str | None = None
    pages: int | None = None
    isbn13: str | None = None
    description: str

    def __post_init__(self) -> None:
        if not self.authors:
            raise ValueError("A book has at least one author.")


class IsbnTakenError(ValueError):
    """Another book has this ISBN already: `slug` names it."""

    def __init__(self, isbn13: str, slug: str) -> None:
        super().__init__(f"The ISBN {isbn13} is that of the book ‘{slug}’.")
        self.slug = slug


def as_written(book: BookDetail) -> NewBook:
    """Return a book of the catalogue in the form in which it could be written again."""
    return NewBook(
        title=book.title,
        subtitle=book.subtitle,
        original_title=book.original_title,
        authors=[NewAuthor(author.name, author.sort_name, author.original_name) for author in book.authors],
        year=book.year,
        circa=book.circa,
        language=book.language,
        subjects=[subject.name for subject in book.subjects],
        publisher=book.publisher,
        pages=book.pages,
        isbn13=book.isbn13,
        description=book.description,
    )


def add_books(
    engine: Engine,
    books: Iterable[NewBook],
    progress: Callable[[int], None] = lambda _: None,
    *,
    refused: Callable[[NewBook, str], None] | None = None,
    only_if_empty: bool = False,
) -> int:
    """Add books in one transaction and return how many; `progress` hears the size of each batch.

    `refused` hears of each book whose ISBN is in the catalogue already, with the slug of the book that has it, and the
    book is left out; when `refused` raises, none is added. Without it, sqlalchemy.exc.IntegrityError is raised instead.
    With `only_if_empty` none is added to a catalogue that has any, so that two processes may start with the same books.
    """
    added = 0
    rest = iter(books)
    with database.transaction(engine) as db:
        if only_if_empty and db.scalar(select(Book.id).limit(1)) is not None:
            return 0
        while batch := list(islice(rest, BATCH)):
            good = _without_taken_isbns(db, batch, refused) if refused else batch
            if good:
                _add_batch(db, good)
            added += len(good)
            progress(len(batch))
        if added:
            _new_state(db)
            database.analyze(db, added)
    return added


def create_book(db: Connection, book: NewBook, token_id: int | None = None) -> str:
    """Add one book, in the caller's transaction, and return its slug. Raises IsbnTakenError."""
    _refuse_taken_isbn(db, book)
    (slug,) = _add_batch(db, [book], token_id)
    _new_state(db)
    return slug


def replace_book(db: Connection, old: BookDetail, book: NewBook, token_id: int | None = None) -> None:
    """Put a book in the place of one, in the caller's transaction; its address stays. Raises IsbnTakenError."""
    _refuse_taken_isbn(db, book, old.id)
    (book,) = _settled(db, [book])
    _audit(db, token_id, [("replace", old.slug, as_written(old), book)])
    db.execute(update(Book).where(Book.id == old.id).values(_columns(book)))
    for links in (BookAuthor, BookSubject):
        db.execute(delete(links).where(links.book_id == old.id))
    search.forget(db, old.id)
    _link(db, [(old.id, book)])
    _remove_unused(db)
    _new_state(db)


def delete_book(db: Connection, old: BookDetail, token_id: int | None = None) -> None:
    """Take a book out of the catalogue, with the authors and subjects that no other book has."""
    _audit(db, token_id, [("delete", old.slug, as_written(old), None)])
    search.forget(db, old.id)
    db.execute(delete(Book).where(Book.id == old.id))
    _remove_unused(db)
    _new_state(db)


def is_empty(engine: Engine) -> bool:
    with engine.connect() as db:
        return db.scalar(select(Book.id).limit(1)) is None


def _new_state(db: Connection) -> None:
    db.execute(delete(CatalogueState))
    db.execute(insert(CatalogueState).values(id=1, state=secrets.token_hex(8), changed_at=datetime.now(UTC)))


def _refuse_taken_isbn(db: Connection, book: NewBook, own_id: int | None = None) -> None:
    if book.isbn13 is None:
        return
    taken = select(Book.slug).where(Book.isbn13 == book.isbn13, Book.id != (own_id or 0))
    if slug := db.scalar(taken):
        raise IsbnTakenError(book.isbn13, slug)


def _without_taken_isbns(
    db: Connection, books: list[NewBook], refused: Callable[[NewBook, str], None]
) -> list[NewBook]:
    taken = Catalogue(db).slugs_by_isbn([book.isbn13 for book in books if book.isbn13])
    for book in books:
        if book.isbn13 in taken:
            refused(book, taken[book.isbn13])
    return [book for book in books if book.isbn13 not in taken]


def _add_batch(db: Connection, books: list[NewBook], token_id: int | None = None) -> list[str]:
    now = datetime.now(UTC)
    books = _settled(db, books)
    slugs = _free_slugs(db, Book.slug, [_book_slugs(book) for book in books])
    rows = [_columns(book) | {"slug": slug, "added_at": now} for book, slug in zip(books, slugs, strict=True)]
    ids = db.scalars(insert(Book).returning(Book.id, sort_by_parameter_order=True), rows).all()
    _link(db, list(zip(ids, books, strict=True)))
    _audit(db, token_id, [("create", slug, None, book) for book, slug in zip(books, slugs, strict=True)])
    return slugs


def _columns(book: NewBook) -> dict[str, object]:
    """Return what a book's own row holds of it."""
    return {
        "title": book.title,
        "subtitle": book.subtitle,
        "original_title": book.original_title,
        "year": book.year,
        "circa": book.circa,
        "language": book.language,
        "publisher": book.publisher,
        "pages": book.pages,
        "isbn13": book.isbn13,
        "description": book.description,
        "title_key": sort_key(book.title),
        "author_key": _author_key(book),
    }


def _author_key(book: NewBook) -> str:
    # A tab sorts before every letter, so that a shorter name comes before one that goes on.
    first = book.authors[0]
    return f"{_key(first.sort or sort_name(first.name))}\t{sort_key(book.title)}"[:KEY_LENGTH]


def _link(db: Connection, books: list[tuple[int, NewBook]]) -> None:
    """Connect settled books, by their ids, with their authors, subjects and search words."""
    names = {author.name for _, book in books for author in book.authors}
    authors = dict(db.execute(select(Author.name, Author.id).where(Author.name.in_(names))).all())
    labels = {name for _, book in books for name in book.subjects}
    subjects = dict(db.execute(select(Subject.name, Subject.id).where(Subject.name.in_(labels))).all())
    db.execute(
        insert(BookAuthor),
        [
            {"book_id": book_id, "author_id": authors[author.name], "position": position}
            for book_id, book in books
            for position, author in enumerate(book.authors)
        ],
    )
    filed = [{"book_id": book_id, "subject_id": subjects[name]} for book_id, book in books for name in book.subjects]
    if filed:
        db.execute(insert(BookSubject), filed)
    search.write(db, {book_id: _search_words(book) for book_id, book in books})


def _settled(db: Connection, books: list[NewBook]) -> list[NewBook]:
    """Return books as they will stand in the catalogue, whose authors and subjects it now has.

    An author is one for all books: a filing name or original name that is given anew is theirs in every book from now
    on; one that is left out stays as it was. A subject keeps the spelling that it came with first.
    """
    authors = _settled_authors(db, [author for book in books for author in book.authors])
    subjects = _settled_subjects(db, {slugify(name): name for book in books for name in book.subjects})
    return [
        replace(
            book,
            authors=[authors[name] for name in dict.fromkeys(author.name for author in book.authors)],
            subjects=[subjects[slug] for slug in dict.fromkeys(map(slugify, book.subjects))],
        )
        for book in books
    ]


def _settled_authors(db: Connection, given: Iterable[NewAuthor]) -> dict[str, NewAuthor]:
    wanted: dict[str, NewAuthor] = {}
    for author in given:
        before = wanted.get(author.name, author)
        wanted[author.name] = NewAuthor(
            author.name, author.sort or before.sort, author.original_name or before.original_name
        )
    columns = (Author.name, Author.sort_name, Author.original_name)
    known = {row[0]: NewAuthor(*row) for row in db.execute(select(*columns).where(Author.name.in_(wanted)))}
    missing, changed = [], []
    for name, author in wanted.items():
        there = known.get(name)
        wanted[name] = NewAuthor(
            name,
            author.sort or (there.sort if there else sort_name(name)),
            author.original_name or (there.original_name if there else None),
        )
        if there is None:
            missing.append(wanted[name])
        elif there != wanted[name]:
            changed.append(wanted[name])
    if missing:
        slugs = _free_slugs(db, Author.slug, [numbered(slugify(author.name)) for author in missing])
        rows = [_author_columns(author) | {"slug": slug} for author, slug in zip(missing, slugs, strict=True)]
        db.execute(insert(Author), rows)
    for author in changed:
        _refile(db, author)
    return wanted


def _author_columns(author: NewAuthor) -> dict[str, str | None]:
    filed = author.sort or sort_name(author.name)
    return {
        "name": author.name,
        "sort_name": filed,
        "original_name": author.original_name,
        "sort_key": _key(filed),
    }


def _refile(db: Connection, author: NewAuthor) -> None:
    """Give an author of the catalogue another filing name or original name, in all of their books."""
    db.execute(update(Author).where(Author.name == author.name).values(_author_columns(author)))
    theirs = (
        select(BookAuthor.book_id).join(Author, Author.id == BookAuthor.author_id).where(Author.name == author.name)
    )
    for book in Catalogue(db).details(db.scalars(theirs).all()):
        written = as_written(book)
        db.execute(update(Book).where(Book.id == book.id).values(author_key=_author_key(written)))
        search.forget(db, book.id)
        search.write(db, {book.id: _search_words(written)})


def _settled_subjects(db: Connection, wanted: dict[str, str]) -> dict[str, str]:
    """Return subjects by their slugs, spelled as the catalogue spells them, after adding those that it lacks."""
    known = select(Subject.slug, Subject.name).where(Subject.slug.in_(wanted))
    spelled = dict(db.execute(known).all())
    missing = [{"slug": slug, "name": name} for slug, name in wanted.items() if slug not in spelled]
    if missing:
        db.execute(insert(Subject), missing)
    return wanted | spelled


def _remove_unused(db: Connection) -> None:
    db.execute(delete(Author).where(~exists().where(BookAuthor.author_id == Author.id)))
    db.execute(delete(Subject).where(~exists().where(BookSubject.subject_id == Subject.id)))


def _audit(
    db: Connection, token_id: int | None, changes: list[tuple[str, str, NewBook | None, NewBook | None]]
) -> None:
    """Write down who changed what, and how it was before and after."""
    now = datetime.now(UTC)
    db.execute(
        insert(AuditEntry),
        [
            {
                "at": now,
                "token_id": token_id,
                "action": action,
                "slug": slug,
                "before": before and json.dumps(asdict(before), ensure_ascii=False),
                "after": after and json.dumps(asdict(after), ensure_ascii=False),
            }
            for action, slug, before, after in changes
        ],
    )


def _search_words(book: NewBook) -> dict[str, str]:
    texts = {
        "title": (book.title, book.subtitle, book.original_title),
        "authors": [name for author in book.authors for name in (author.name, author.original_name)],
        "subjects": book.subjects,
        "description": (book.description, book.isbn13),
    }
    return {column: " ".join(index_words(" ".join(filter(None, parts)))) for column, parts in texts.items()}


def _key(name: str) -> str:
    return " ".join(words(name))[:KEY_LENGTH] or name[:KEY_LENGTH]


def _free_slugs(db: Connection, column: InstrumentedAttribute[str], candidates: Sequence[Iterator[str]]) -> list[str]:
    """Return a slug for each new row that no other has: the first of its candidates that is free."""
    chosen: dict[int, str] = {}
    while len(chosen) < len(candidates):
        wanted = {place: next(slugs) for place, slugs in enumerate(candidates) if place not in chosen}
        taken = set(db.scalars(select(column).where(column.in_(wanted.values())))) | set(chosen.values())
        for place, slug in wanted.items():
            if slug not in taken:
                chosen[place] = slug
                taken.add(slug)
    return [chosen[place] for place in range(len(candidates))]


def _book_slugs(book: NewBook) -> Iterator[str]:
    """Yield a book's possible slugs: its title, else with its author, else numbered."""
    title = slugify(book.title)
    if not (title.isdigit() and len(title) == 13):  # which would be taken for an ISBN
        yield title
    yield from numbered(slugify(f"{title[:50]} {book.authors[0].name}"))


def numbered(slug: str) -> Iterator[str]:
    """Yield a slug, then the same with 2, 3 and so on."""
    yield slug
    for number in count(2):
        yield f"{slug[:70]}-{number}"
