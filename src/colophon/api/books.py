"""Books: list, get, add, replace, change and delete."""

from __future__ import annotations

import json
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from flask import Response, request
from marshmallow import ValidationError, validates_schema
from marshmallow.validate import Range

from .. import database
from ..access import idempotency
from ..access.idempotency import KeyReusedError, StoredResponse
from ..catalogue import writing
from ..catalogue.book_schema import BookSchema, dump, normal_isbn
from ..catalogue.list_query import PER_PAGE, ListParameters, ListQuery, Number, query_from
from ..catalogue.reading import Catalogue
from ..catalogue.writing import IsbnTakenError
from ..web import state
from ..web.compression import entity_tag
from ..web.errors import CONFLICT, FIELDS, KEY_REUSED, Problem
from ..web.templating import absolute_url
from .operations import JSON, MERGE_PATCH, bearer, blueprint, json_response, load, operation
from .paging import link, paged
from .representations import BookList, BookRepresentation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Connection

    from ..catalogue.types import BookDetail, NewBook

MOST = 100
LONGEST_KEY = 255


class BooksParameters(ListParameters):
    """The parameters of the list of books, for programs."""

    limit = Number(validate=Range(1, MOST, error="Must be from {min} to {max}."))
    after = Number(
        validate=Range(0, 2**31 - 1, error="Must be from {min} to {max}."),
        metadata={"description": "Walk all books by id, each exactly once: start with 0, then follow the `next` link."},
    )

    @validates_schema
    def walks_in_one_order(self, data: dict[str, Any], **_: Any) -> None:
        """Refuse a page or an order beside `after`. Raises ValidationError."""
        for name in ("page", "sort"):
            if "after" in data and name in data:
                raise ValidationError("Cannot be combined with after.", name)


def represent(book: BookDetail) -> dict[str, Any]:
    """Return the representation of a book: its fields, and what the catalogue adds."""
    return {
        "slug": book.slug,
        **dump(book),
        "added_at": book.added_at.isoformat(timespec="seconds"),
        "links": {
            "self": absolute_url("api.get_book", name=book.slug),
            "html": absolute_url("pages.book", slug=book.slug),
            "cover": absolute_url("pages.cover", slug=book.slug),
        },
    }


@blueprint.get("/books")
@operation(
    summary="List books",
    details="The same search, filters, orders and pages as the list for visitors. The Link header has the other pages.",
    parameters=BooksParameters,
    answers={200: BookList},
    errors=(404,),
)
def list_books(parameters: dict[str, Any]) -> Response:
    """Return one page of books, or one step of a walk."""
    limit = parameters.pop("limit", PER_PAGE)
    after = parameters.pop("after", None)
    query = query_from(parameters)
    catalogue = Catalogue(state.connection())
    if after is not None:
        return _walk(catalogue, query, after, limit)
    page = catalogue.detailed_page(query, limit)
    size = limit if limit != PER_PAGE else None
    return paged(
        page,
        "books",
        [represent(book) for book in page.items],
        lambda number: _list_url(query.parameters(page=number), limit=size),
    )


def _walk(catalogue: Catalogue, query: ListQuery, after: int, limit: int) -> Response:
    found, next_after = catalogue.walk(query, after, limit)
    response = json_response({"limit": limit, "books": [represent(book) for book in found]})
    if next_after is not None:
        link(response, "next", _list_url(query.parameters(), after=next_after, limit=limit))
    return response


def _list_url(parameters: dict[str, str], **more: int | None) -> str:
    return absolute_url("api.list_books", **parameters, **more)


@blueprint.get("/books/<name>")
@operation(
    summary="Get a book",
    details="By its slug, or by its ISBN-10 or -13 in any usual spelling.",
    answers={200: BookRepresentation},
    errors=(404,),
)
def get_book(name: str) -> Response:
    """Return one book."""
    return json_response(represent(_found(state.connection(), name)))


@blueprint.post("/books")
@operation(
    summary="Add a book",
    details="With an Idempotency-Key header, a call that is repeated within a day gets the response to the first, and "
    "adds nothing.",
    scope="write",
    body=BookSchema,
    answers={201: BookRepresentation},
    errors=(409,),
    repeatable=True,
)
def create_book(sent: object) -> Response:
    """Add a book, unless its key was used for the same request."""
    key = request.headers.get("Idempotency-Key")
    if key is not None and not (1 <= len(key) <= LONGEST_KEY and key.isascii() and key.isprintable()):
        raise Problem(400, f"An Idempotency-Key must have 1 to {LONGEST_KEY} printable ASCII characters.")
    book: NewBook = load(BookSchema(), sent)
    with database.transaction(state.current().engine) as db:
        before = _recalled(db, key, sent) if key else None
        answered = before or _created(db, book)
        if key and not before:
            idempotency.store(db, bearer().id, key, sent, answered)
    response = _tagged(Response(answered.body, 201, mimetype=JSON))
    response.headers["Location"] = absolute_url("api.get_book", name=answered.slug)
    if before:
        response.headers["Idempotency-Replayed"] = "true"
    return response


def _recalled(db: Connection, key: str, sent: object) -> StoredResponse | None:
    try:
        return idempotency.find(db, bearer().id, key, sent)
    except KeyReusedError as error:
        raise Problem(KEY_REUSED, str(error)) from None


def _created(db: Connection, book: NewBook) -> StoredResponse:
    with _isbn_conflicts():
        slug = writing.create_book(db, book, bearer().id)
    return StoredResponse(slug, json.dumps(represent(_found(db, slug)), ensure_ascii=False))


@blueprint.put("/books/<name>")
@operation(
    summary="Replace a book",
    scope="write",
    body=BookSchema,
    answers={200: BookRepresentation},
    errors=(404, 409),
    conditional=True,
)
def replace_book(name: str, sent: object) -> Response:
    """Replace a book."""
    book: NewBook = load(BookSchema(), sent)
    return _change(name, lambda _: book)


@blueprint.patch("/books/<name>")
@operation(
    summary="Change some fields of a book",
    details="A JSON merge patch (RFC 7396): fields that are present are changed, and null empties a field.",
    scope="write",
    body=BookSchema,
    content_types=(MERGE_PATCH, JSON),
    answers={200: BookRepresentation},
    errors=(404, 409),
    conditional=True,
)
def change_book(name: str, sent: object) -> Response:
    """Apply a merge patch to a book."""
    if not isinstance(sent, dict):
        raise Problem(422, "A merge patch must be a JSON object.")

    fields = BookSchema().fields
    unknown = [(name, "Is not a field that can be written.") for name in sent if name not in fields]
    if unknown:
        raise Problem(FIELDS, "Some fields are wrong.", problems=unknown)

    def patched(book: BookDetail) -> NewBook:
        merged = {field: value for field, value in (dump(book) | sent).items() if value is not None}
        changed: NewBook = load(BookSchema(), merged)
        return changed

    return _change(name, patched)


@blueprint.delete("/books/<name>")
@operation(
    summary="Delete a book",
    scope="write",
    answers={204: None},
    errors=(404,),
    conditional=True,
)
def delete_book(name: str) -> Response:
    """Delete a book."""
    with database.transaction(state.current().engine) as db:
        writing.delete_book(db, _matching(db, name), bearer().id)
    return Response(status=204)


def _change(name: str, changed: Callable[[BookDetail], NewBook]) -> Response:
    with database.transaction(state.current().engine) as db:
        old = _matching(db, name)
        with _isbn_conflicts():
            writing.replace_book(db, old, changed(old), bearer().id)
        body = represent(_found(db, old.slug))
    return _tagged(json_response(body))


def _found(db: Connection, name: str) -> BookDetail:
    """Return the book with this slug or ISBN. Raises Problem 404."""
    catalogue = Catalogue(db)
    found = catalogue.book(name)
    if found is None:
        with suppress(ValidationError):
            found = catalogue.book(normal_isbn(name))
    if found is None:
        raise Problem(404, f"There is no book ‘{name}’ in the catalogue.")
    return found


def _matching(db: Connection, name: str) -> BookDetail:
    """Return a book that still matches If-Match (RFC 9110, 13.1.1). Raises Problem 404, 428 or 412."""
    book = _found(db, name)
    given = request.headers.get("If-Match")
    if given is None:
        raise Problem(428, "Send the book's ETag in If-Match, so that no other change is lost.")
    # A compressed copy has a tag of its own; Werkzeug reads an empty tag as None.
    tags = {tag.removesuffix("-gzip") for tag in request.if_match.as_set() if tag}
    current = entity_tag(json_response(represent(book)).get_data())
    if not request.if_match.star_tag and current not in tags:
        raise Problem(412, "The book has changed since; get it again.")
    return book


@contextmanager
def _isbn_conflicts() -> Iterator[None]:
    try:
        yield
    except IsbnTakenError as error:
        other = absolute_url("api.get_book", name=error.slug)
        problems = [("isbn13", f"Is the ISBN of {other}.")]
        raise Problem(CONFLICT, str(error), problems=problems, members={"book": other}) from None


def _tagged(response: Response) -> Response:
    response.set_etag(entity_tag(response.get_data()))
    return response
