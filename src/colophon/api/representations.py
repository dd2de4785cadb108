"""Schemas of the API's responses, for the specification."""

from __future__ import annotations

from marshmallow import Schema, fields

from ..catalogue.book_schema import BookSchema, Items


class Links(Schema):
    """Absolute addresses of a resource in its other forms, and of what belongs to it."""

    self = fields.Url(required=True)
    html = fields.Url(required=True)


class BookLinks(Links):
    """The links of a book."""

    cover = fields.Url(required=True)


class AuthorLinks(Links):
    """The links of an author or a subject."""

    books = fields.Url(required=True)


class WrittenAuthor(Schema):
    """An author of a book."""

    name = fields.String(required=True)
    sort = fields.String(required=True)
    original_name = fields.String(required=True, allow_none=True)


class BookRepresentation(BookSchema):
    """A book as the catalogue holds it."""

    slug = fields.String(required=True)
    authors = Items(fields.Nested(WrittenAuthor), required=True)
    added_at = fields.DateTime(required=True)
    links = fields.Nested(BookLinks, required=True)


class ListPage(Schema):
    """The numbers on each page of a list."""

    total = fields.Integer(required=True)
    page = fields.Integer(required=True)
    pages = fields.Integer(required=True)
    limit = fields.Integer(required=True)


class BookList(ListPage):
    """A page of books, or one step of the walk through all of them, which has no pages."""

    total = fields.Integer()
    page = fields.Integer()
    pages = fields.Integer()
    books = fields.List(fields.Nested(BookRepresentation), required=True)


class AuthorRepresentation(Schema):
    """An author with the number of their books."""

    slug = fields.String(required=True)
    name = fields.String(required=True)
    sort = fields.String(required=True)
    original_name = fields.String(required=True, allow_none=True)
    books = fields.Integer(required=True)
    links = fields.Nested(AuthorLinks, required=True)


class AuthorList(ListPage):
    """A page of authors."""

    authors = fields.List(fields.Nested(AuthorRepresentation), required=True)


class SubjectRepresentation(Schema):
    """A subject with its number of books."""

    slug = fields.String(required=True)
    name = fields.String(required=True)
    books = fields.Integer(required=True)
    links = fields.Nested(AuthorLinks, required=True)


class SubjectList(Schema):
    """All subjects."""

    total = fields.Integer(required=True)
    subjects = fields.List(fields.Nested(SubjectRepresentation), required=True)


class Totals(Schema):
    """Numbers about the whole catalogue."""

    books = fields.Integer(required=True)
    authors = fields.Integer(required=True)
    subjects = fields.Integer(required=True)
    languages = fields.Integer(required=True)
    first_year = fields.Integer(required=True, allow_none=True)
    last_year = fields.Integer(required=True, allow_none=True)


class Root(Schema):
    """The totals and links of the API's root."""

    name = fields.String(required=True)
    totals = fields.Nested(Totals, required=True)
    links = fields.Dict(keys=fields.String(), values=fields.Url(), required=True)


class FieldProblem(Schema):
    """A wrong field or parameter, and the reason."""

    field = fields.String(required=True)
    message = fields.String(required=True)


class ProblemDetails(Schema):
    """Problem details (RFC 9457): `errors` names each wrong field or parameter."""

    type = fields.String(
        required=True,
        metadata={
            "format": "uri-reference",
            "description": "about:blank if the status says it all, otherwise the address of the kind's documentation.",
        },
    )
    title = fields.String(required=True)
    status = fields.Integer(required=True)
    detail = fields.String(required=True)
    errors = fields.List(fields.Nested(FieldProblem), required=True)
    book = fields.Url(metadata={"description": "In a conflict: the book that has the ISBN."})
    reference = fields.String(metadata={"description": "In a server error: the id of the request in the log."})
