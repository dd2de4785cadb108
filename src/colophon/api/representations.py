"""What the API answers with, described for the specification."""

from __future__ import annotations

from marshmallow import Schema, fields

from ..catalogue.book_schema import BookSchema


class Links(Schema):
    """Absolute addresses of the same thing in its other forms, and of what belongs to it."""

    self = fields.Url(required=True)
    html = fields.Url(required=True)


class BookLinks(Links):
    cover = fields.Url(required=True)


class AuthorLinks(Links):
    books = fields.Url(required=True)


class WrittenAuthor(Schema):
    name = fields.String(required=True)
    sort = fields.String(required=True)
    original_name = fields.String(required=True, allow_none=True)


class BookRepresentation(BookSchema):
    """A book as the catalogue holds it."""

    slug = fields.String(required=True)
    authors = fields.List(fields.Nested(WrittenAuthor), required=True)
    added_at = fields.DateTime(required=True)
    links = fields.Nested(BookLinks, required=True)


class ListPage(Schema):
    """What each page of a list says of it."""

    total = fields.Integer(required=True)
    page = fields.Integer(required=True)
    pages = fields.Integer(required=True)
    limit = fields.Integer(required=True)


class BookList(ListPage):
    """A page of books, or a stretch of the walk through all of them, which has no pages."""

    total = fields.Integer()
    page = fields.Integer()
    pages = fields.Integer()
    books = fields.List(fields.Nested(BookRepresentation), required=True)


class AuthorRepresentation(Schema):
    slug = fields.String(required=True)
    name = fields.String(required=True)
    sort = fields.String(required=True)
    original_name = fields.String(required=True, allow_none=True)
    books = fields.Integer(required=True)
    links = fields.Nested(AuthorLinks, required=True)


class AuthorList(ListPage):
    authors = fields.List(fields.Nested(AuthorRepresentation), required=True)


class SubjectRepresentation(Schema):
    slug = fields.String(required=True)
    name = fields.String(required=True)
    books = fields.Integer(required=True)
    links = fields.Nested(AuthorLinks, required=True)


class SubjectList(Schema):
    total = fields.Integer(required=True)
    subjects = fields.List(fields.Nested(SubjectRepresentation), required=True)


class Totals(Schema):
    books = fields.Integer(required=True)
    authors = fields.Integer(required=True)
    subjects = fields.Integer(required=True)
    languages = fields.Integer(required=True)
    first_year = fields.Integer(required=True, allow_none=True)
    last_year = fields.Integer(required=True, allow_none=True)


class Root(Schema):
    """What the API holds, and where it leads."""

    name = fields.String(required=True)
    totals = fields.Nested(Totals, required=True)
    links = fields.Dict(keys=fields.String(), values=fields.Url(), required=True)


class FieldProblem(Schema):
    field = fields.String(required=True)
    message = fields.String(required=True)


class ProblemDetails(Schema):
    """What went wrong (RFC 9457): `errors` names each field or parameter that is wrong."""

    type = fields.String(
        required=True,
        metadata={
            "format": "uri-reference",
            "description": "about:blank where the status says it all, else where the API's page tells of the kind.",
        },
    )
    title = fields.String(required=True)
    status = fields.Integer(required=True)
    detail = fields.String(required=True)
    errors = fields.List(fields.Nested(FieldProblem), required=True)
    book = fields.Url(metadata={"description": "Of a conflict: the book that has the ISBN."})
    reference = fields.String(metadata={"description": "Of a fault of the site: what its log knows the request by."})
