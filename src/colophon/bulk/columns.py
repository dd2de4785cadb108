"""The columns of a CSV file of books, and the header that names them."""

from __future__ import annotations

import csv
import re
from itertools import chain

from ..catalogue.book_schema import BookSchema
from ..catalogue.text import excerpt
from ..catalogue.types import FIELDS
from .problems import Problem, UnreadableError, first

AUTHOR_COLUMNS = ("authors", "author_sort_names", "author_original_names")
# In the order in which they are written.
COLUMNS = tuple(chain.from_iterable(AUTHOR_COLUMNS if name == "authors" else (name,) for name in FIELDS))
REQUIRED = tuple(name for name, field in BookSchema().fields.items() if field.required)
# Other spellings of a header, in which case, spaces and punctuation do not matter.
SYNONYMS = {
    "title": ("booktitle",),
    "original_title": ("titleoriginal",),
    "authors": ("author", "authornames", "authorname"),
    "author_sort_names": ("authorsortname", "authorssort", "authorsort", "sortnames", "authorlf"),
    "author_original_names": ("authororiginalname", "authorsoriginal", "originalnames"),
    "year": (
        "firstpublished",
        "published",
        "publicationyear",
        "yearpublished",
        "originalpublicationyear",
        "yearoffirstpublication",
    ),
    "circa": ("approximate", "yearapproximate"),
    "language": ("lang", "languagecode"),
    "subjects": ("subject", "tags", "tag", "genre", "genres", "keywords"),
    "pages": ("pagecount", "numberofpages", "numpages", "extent"),
    "isbn13": ("isbn", "isbn10"),
    "description": ("summary", "abstract"),
}
DELIMITERS = ",;\t"

_UNKNOWN = f"There is no such column. The columns are: {', '.join(COLUMNS)}."
_IGNORED = re.compile(r"[\W_]+")
_COLUMN_OF = {
    _IGNORED.sub("", spelling): column for column in COLUMNS for spelling in (column, *SYNONYMS.get(column, ()))
}


def field_of(header: str) -> str | None:
    """Return the column that a header names, or None."""
    return _COLUMN_OF.get(_IGNORED.sub("", header.casefold()))


def delimiter_of(first_line: str) -> str:
    """Return the delimiter: the one of , ; and tab that gives the most known headers in the first line."""

    def known(delimiter: str) -> int:
        try:
            headers = next(csv.reader([first_line], delimiter=delimiter), [])
        except csv.Error:
            return 0
        return sum(field_of(header) is not None for header in headers)

    return max(DELIMITERS, key=known)


def read_header(headers: list[str], row: int) -> dict[str, str]:
    """Return the file's own spelling of each column, in the file's order.

    Raises UnreadableError with each unknown or repeated header, and each missing required column.
    """
    spelled: dict[str, str] = {}
    problems = []
    for position, header in enumerate((header.strip() for header in headers), 1):
        field = field_of(header)
        if not header:
            problems.append(Problem(row, None, header, f"The header of column {position} is empty."))
        elif field is None:
            problems.append(Problem(row, excerpt(header), excerpt(header), _UNKNOWN))
        elif field in spelled:
            reason = f"Is the column {field}, as ‘{excerpt(spelled[field])}’ is."
            problems.append(Problem(row, excerpt(header), excerpt(header), reason))
        else:
            spelled[field] = header
    problems += [
        Problem(row, field, None, "Is missing: each book must have it.") for field in REQUIRED if field not in spelled
    ]
    if problems:
        raise UnreadableError(*first(problems))
    return spelled
