"""The query of a list, read from and written to the parameters of a URL."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, Protocol, cast

from marshmallow import Schema, ValidationError, fields, post_load, validates_schema
from marshmallow.validate import Length, OneOf, Range, Regexp

from .text import fold

if TYPE_CHECKING:
    from collections.abc import Iterable

PER_PAGE = 20
AUTHORS_PER_PAGE = 100
RELEVANCE = "relevance"
SORTS = {
    RELEVANCE: "Best match",
    "title": "Title",
    "author": "Author",
    "year": "Oldest first",
    "-year": "Newest first",
    "-added": "Latest additions",
}

# Control characters and noncharacters, which neither HTML nor XML can hold; in a form that ECMAScript and Python read
# the same, for the API's specification.
_UNPRINTABLE = r"\u0000-\u0008\u000b-\u001f\u007f-\u009f\ufdd0-\ufdef\ufffe\uffff"
PLAIN_TEXT = Regexp(f"^[^{_UNPRINTABLE}]*$", error="Must be plain text.")
PLAIN_LINE = Regexp(
    f"^[^\\S{_UNPRINTABLE}]*[^\\s{_UNPRINTABLE}][^{_UNPRINTABLE}]*$", error="Must be plain text, and not empty."
)
_TEXT = (Length(max=200, error="Must be at most {max} characters."), PLAIN_TEXT)
_YEAR = Range(-9999, 9999, error="Must be a year from {min} to {max}; years before the common era are negative.")
_PAGE = Range(1, 1_000_000_000, error="Must be a page number: 1 or more.")


class Arguments(Protocol):
    """The parameters of a URL, as Werkzeug's MultiDict has them."""

    def lists(self) -> Iterable[tuple[str, list[str]]]:
        """Return each parameter's name and its values."""
        ...


class ParameterError(ValueError):
    """Some parameters are wrong: `problems` has the name and the reason of each."""

    def __init__(self, problems: list[tuple[str, str]]) -> None:
        super().__init__("; ".join(f"{name}: {message}" for name, message in problems))
        self.problems = problems


@dataclass(frozen=True, kw_only=True)
class ListQuery:
    """A query for a list of books. None means any; years are negative before the common era."""

    q: str | None = None
    author: str | None = None
    subject: str | None = None
    language: str | None = None
    year_from: int | None = None
    year_to: int | None = None
    sort: str = "title"
    page: int = 1

    @property
    def default_sort(self) -> str:
        """The order unless the query has one: by relevance for a search, else by title."""
        return RELEVANCE if self.q else "title"

    def parameters(self, **changes: Any) -> dict[str, str]:
        """Return the parameters of the URL after some changes, without defaults; the page is 1 unless it is given."""
        changed = replace(self, **({"page": 1} | changes))
        defaults = {"sort": changed.default_sort, "page": 1}
        if changed.sort == RELEVANCE:
            defaults["sort"] = RELEVANCE
        return {name: str(value) for name, value in vars(changed).items() if value not in (None, defaults.get(name))}


class Number(fields.Integer):
    """A whole number in plain digits, as in a URL."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> int:
        if not re.fullmatch(r"-?[0-9]{1,18}", str(value)):
            raise self.make_error("invalid", input=value)
        return int(value)


def _number(error: str, check: Range, **options: Any) -> Number:
    return Number(validate=check, error_messages={"invalid": error}, **options)


class ListParameters(Schema):
    """The parameters of the list of books."""

    q = fields.String(validate=_TEXT)
    author = fields.String(validate=_TEXT)
    subject = fields.String(validate=_TEXT)
    language = fields.String(validate=_TEXT)
    year_from = _number("Must be a whole number, such as 1850, or -400 for 400 BCE.", _YEAR)
    year_to = _number("Must be a whole number, such as 1850, or -400 for 400 BCE.", _YEAR)
    sort = fields.String(validate=OneOf(SORTS, error="Must be one of: {choices}."))
    page = _number("Must be a whole number.", _PAGE)

    @validates_schema
    def belongs_together(self, data: dict[str, Any], **_: Any) -> None:
        """Refuse parameters that contradict each other. Raises ValidationError."""
        if data.get("sort") == RELEVANCE and not data.get("q"):
            raise ValidationError("Sorting by relevance needs a search.", "sort")
        if data.get("year_from", -10_000) > data.get("year_to", 10_000):
            raise ValidationError("Must not be before year_from.", "year_to")


def _letters(value: str) -> None:
    if len(value) == 1 and not value.isalnum():
        raise ValidationError("Must be one letter.")


class AuthorsParameters(Schema):
    """The parameters of the list of authors."""

    # A pattern would mean other letters to readers of the specification than to Python.
    letter = fields.String(validate=[Length(equal=1, error="Must be one letter."), _letters])
    page = _number("Must be a whole number.", _PAGE)

    @post_load
    def folded(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        """Fold the letter, as authors are sorted by folded names: Ç becomes C. None stands for all letters."""
        return data | {"letter": fold(data["letter"])[:1] or None} if "letter" in data else data


def read(schema: Schema, arguments: Arguments, unknown: Literal["exclude", "raise"] = "exclude") -> dict[str, Any]:
    """Return the validated parameters of a URL.

    By default an empty parameter counts as absent, as forms send it, and an unknown one is ignored, as shared links
    gather those of trackers. With 'raise', for programs, neither is. Raises ParameterError with each wrong parameter.
    """
    given = {name: list(map(str.strip, values)) for name, values in arguments.lists()}
    if unknown == "exclude":
        given = {name: list(filter(None, values)) for name, values in given.items()}
    problems = [
        (name, "Is given more than once.")
        for name, values in given.items()
        if name in schema.fields and len(values) > 1
    ]
    try:
        data = schema.load({name: values[0] for name, values in given.items() if values}, unknown=unknown)
    except ValidationError as error:
        problems += [
            (name, " ".join(messages)) for name, messages in cast("dict[str, list[str]]", error.messages).items()
        ]
    if problems:
        raise ParameterError(problems)
    return dict(data)


def list_query(arguments: Arguments) -> ListQuery:
    """Return the query that a URL's parameters describe. Raises ParameterError."""
    return query_from(read(ListParameters(), arguments))


def query_from(data: dict[str, Any]) -> ListQuery:
    """Return the query that validated parameters describe; a search is sorted by relevance by default."""
    query = ListQuery(**data)
    return query if "sort" in data else replace(query, sort=query.default_sort)
