"""Cells of a CSV file: written safely for spreadsheets, read tolerantly.

A cell that is written here reads as the same value.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ..catalogue import languages

if TYPE_CHECKING:
    from collections.abc import Iterable

# A spreadsheet reads a cell that begins so as a formula, also with the full-width forms of these characters
# (https://owasp.org/www-community/attacks/CSV_Injection). One more apostrophe makes it text; a text that itself begins
# with apostrophes and such a character gets one, too.
_FORMULA = re.compile(r"'*[=+\-@\t\r\uff1d\uff0b\uff0d\uff20]")
_NEUTRALISED = re.compile(r"'+[=+\-@\t\r\uff1d\uff0b\uff0d\uff20]")
_LIST_PART = re.compile(r"\\[\\;|]|[;|]|[^\\;|]+|\\")
_SPECIAL_IN_LIST = re.compile(r"[\\;|]")
_YEAR = re.compile(
    r"(?P<about>c\.|ca\.?|circa\b|about\b|c(?=[\s\d])|~)?\s*"
    r"(?:ad\s+)?(?P<sign>[-−])?(?P<number>\d{1,6})(?:\.0+)?\s*(?P<era>b\.?c\.?e?\.?|c\.?e\.?|a\.?d\.?)?",
    re.IGNORECASE | re.ASCII,
)
_WHOLE_NUMBER = re.compile(r"(-?\d{1,15})(?:\.0+)?", re.ASCII)
_ROUNDED = re.compile(r"\d(?:[.,]\d+)?E\+\d+", re.IGNORECASE | re.ASCII)
_TRUTHS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_CODES = {name.casefold(): code for code, name in languages.NAMES.items()} | {
    code.casefold(): code for code in languages.NAMES
}


def write_text(text: str) -> str:
    """Return text as a cell that no spreadsheet reads as a formula."""
    return f"'{text}" if _FORMULA.match(text) else text


def read_text(cell: str) -> str:
    """Undo `write_text`. Line endings within the cell become line feeds."""
    text = cell.replace("\r\n", "\n").replace("\r", "\n").strip()
    return text[1:] if _NEUTRALISED.match(text) else text


def write_list(items: Iterable[str]) -> str:
    """Return a list as one cell: separated by '; ', with a backslash before each ; | and backslash of an item."""
    return "; ".join(_SPECIAL_IN_LIST.sub(r"\\\g<0>", write_text(item)) for item in items)


def read_list(cell: str) -> list[str]:
    """Return the items of a cell, separated by ; or |. Empty ones are kept, except at the end."""
    items = [""]
    for part in _LIST_PART.findall(cell):
        if part in (";", "|"):
            items.append("")
        else:
            items[-1] += part[1] if part[0] == "\\" and len(part) == 2 else part
    items = [read_text(item) for item in items]
    while items and not items[-1]:
        items.pop()
    return items


def read_year(text: str) -> tuple[int, bool]:
    """Return a year, negative before the common era, and True if it is marked as approximate. Raises ValueError."""
    match = _YEAR.fullmatch(text)
    before = match is not None and (match["era"] or "").casefold().startswith("b")
    if match is None or (before and match["sign"]):
        raise ValueError("Is not a year, such as 1847, -750, 750 BCE or c. 750 BCE.")
    number = int(match["number"])
    return -number if before or match["sign"] else number, match["about"] is not None


def read_truth(text: str) -> bool:
    """Return True or False. Raises ValueError."""
    try:
        return _TRUTHS[text.casefold()]
    except KeyError:
        raise ValueError("Is neither true nor false; yes, no, 1 and 0 are also valid.") from None


def read_language(text: str) -> str:
    """Return the code of a language, from the code or the English name. Raises ValueError."""
    try:
        return _CODES[text.casefold()]
    except KeyError:
        raise ValueError("Is neither an ISO 639 code nor the English name of a known language.") from None


def read_whole_number(text: str) -> int:
    """Return a whole number. Raises ValueError."""
    match = _WHOLE_NUMBER.fullmatch(text)
    if match is None:
        raise ValueError("Is not a whole number.")
    return int(match[1])


def read_isbn(text: str) -> str:
    """Return the text of an ISBN. Raises ValueError for one that a spreadsheet has rounded."""
    if _ROUNDED.fullmatch(text):
        raise ValueError(
            "Is an ISBN that a spreadsheet has rounded: format the column as text there, and enter it again."
        )
    return text
