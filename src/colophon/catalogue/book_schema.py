"""The rules for a book, whether it comes from the API or from a file, and its form in both."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from marshmallow import RAISE, Schema, ValidationError, fields, post_load, validates
from marshmallow.validate import Length, OneOf, Range
from stdnum import isbn
from stdnum.exceptions import ValidationError as NumberError

from . import languages
from .list_query import PLAIN_LINE
from .types import NewAuthor, NewBook

if TYPE_CHECKING:
    from .types import BookDetail

_ISBN_PREFIX = re.compile(r"^\s*(?:urn:)?isbn(?:-1[03])?[:\s]*", re.IGNORECASE)
LONGEST_LINE = 500
LONGEST_DESCRIPTION = 5000
MOST_AUTHORS = 50
MOST_SUBJECTS = 20


class Line(fields.String):
    """A line of text that is not empty, normalised to NFC and stripped."""

    def __init__(self, *, longest: int = LONGEST_LINE, **options: Any) -> None:
        self._rules = [Length(1, longest, error="Must have 1 to {max} characters."), PLAIN_LINE]
        super().__init__(validate=self._rules, **options)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **options: Any) -> str:
        text = super()._deserialize(value, attr, data, **options)
        for rule in self._rules:  # applied before the text is stripped
            rule(text)
        if not text.isascii() and any("\ud800" <= char <= "\udfff" for char in text):
            raise ValidationError("Has half a character (a lone surrogate).")
        return unicodedata.normalize("NFC", text).strip()


class Items(fields.List[Any]):
    """A list whose length is checked before its items are, so that one of 300,000 costs no more than one of 50."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **options: Any) -> list[Any]:
        if isinstance(value, list):
            self._validate(value)
        return super()._deserialize(value, attr, data, **options)


class Isbn(fields.String):
    """An ISBN-10 or -13 in any usual spelling, stored as 13 digits (ISO 2108)."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **options: Any) -> str:
        return normal_isbn(super()._deserialize(value, attr, data, **options))


class WholeNumber(fields.Integer):
    """A whole number as JSON Schema defines it: 3.0 is one, "3" and true are not."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int | float) or value != value // 1:
            raise self.make_error("invalid", input=value)
        return int(value)


class Truth(fields.Boolean):
    """True or false; no other value is converted."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> bool:
        if not isinstance(value, bool):
            raise self.make_error("invalid", input=value)
        return value


def normal_isbn(written: str) -> str:
    """Return the 13 digits of an ISBN-10 or -13. Raises marshmallow's ValidationError."""
    try:
        digits = _ISBN_PREFIX.sub("", written)
        return str(isbn.to_isbn13(isbn.validate(digits)))
    except NumberError as error:
        raise ValidationError(f"Is not an ISBN: {str(error).rstrip('.').lower()}.") from None


class Strict(Schema):
    """A schema that refuses unknown fields."""

    class Meta:
        """Options of marshmallow."""

        unknown = RAISE

    error_messages = {"unknown": "Is not a field that can be written."}  # noqa: RUF012 -- marshmallow's declared attribute


class AuthorSchema(Strict):
    """A person as the title page names them."""

    name = Line(required=True)
    sort = Line(metadata={"description": "The name to sort by; derived from the name unless it is given."})
    original_name = Line(allow_none=True, load_default=None)

    @post_load
    def make(self, data: dict[str, Any], **_: Any) -> NewAuthor:
        """Return the author that the data describes."""
        return NewAuthor(data["name"], data.get("sort"), data["original_name"])


class BookSchema(Strict):
    """A book as the API or a file of JSON Lines has it."""

    title = Line(required=True)
    subtitle = Line(allow_none=True, load_default=None)
    original_title = Line(allow_none=True, load_default=None)
    authors = Items(
        fields.Nested(AuthorSchema),
        required=True,
        validate=Length(1, MOST_AUTHORS, error="Must have 1 to {max} items."),
    )
    year = WholeNumber(
        required=True,
        validate=Range(-9999, 9999, error="Must be from {min} to {max}."),
        metadata={
            "description": "Year of first publication; negative before the common era, never 0.",
            "not": {"const": 0},
        },
    )
    circa = Truth(load_default=False, metadata={"description": "True if the year is approximate."})
    language = fields.String(
        required=True,
        validate=OneOf(languages.NAMES, error="Is not a known ISO 639 code."),
        metadata={"description": "ISO 639-1 code, or ISO 639-3 where there is none."},
    )
    subjects = Items(Line(longest=100), load_default=list, validate=Length(max=MOST_SUBJECTS))
    publisher = Line(allow_none=True, load_default=None)
    pages = WholeNumber(
        allow_none=True,
        load_default=None,
        validate=Range(1, 100_000, error="Must be from {min} to {max}."),
    )
    isbn13 = Isbn(
        allow_none=True,
        load_default=None,
        metadata={"description": "ISBN-10 or -13; stored as 13 digits.", "format": "isbn"},
    )
    description = Line(longest=LONGEST_DESCRIPTION, required=True)

    @validates("year")
    def year_is_not_zero(self, value: int, **_: Any) -> None:
        """Refuse the year 0. Raises ValidationError."""
        if value == 0:
            raise ValidationError("There is no year 0: 1 BCE, written -1, comes before 1 CE.")

    @post_load
    def make(self, data: dict[str, Any], **_: Any) -> NewBook:
        """Return the book that the data describes."""
        return NewBook(**data)


def dump(book: BookDetail) -> dict[str, Any]:
    """Return a book in the form that BookSchema loads."""
    return asdict(NewBook.of(book))
