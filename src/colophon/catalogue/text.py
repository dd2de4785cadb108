"""Folding of text, search words, sort keys and slugs; excerpts and printable forms of what others wrote.

The database holds folded words, so that SQLite and PostgreSQL find and sort the same books.
"""

import re
import unicodedata

from anyascii import anyascii

# Letters that Unicode does not decompose, but that people type without the stroke.
_STROKES = str.maketrans(
    {
        "ø": "o",
        "ł": "l",
        "đ": "d",
        "ħ": "h",
        "ŧ": "t",
        "ı": "i",
        "æ": "ae",
        "œ": "oe",
        "þ": "th",
        "ð": "d",
        "ʿ": "",
        "ʾ": "",
        "ʼ": "",
    }
)
# Scripts written without spaces: each character is a word of its own, so that any part of a title can be found.
_UNSPACED = re.compile(r"([\u0e00-\u0e7f\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff])")
_WORD = re.compile(r"[^\W_]+")
_ARTICLES = re.compile(r"^(?:(?:the|an?|les?|la|der|die|das|el|los|las|il|gli|lo|o|os)\s+|l['’])(?=\S)")
_NOT_URL = re.compile(r"[^a-z0-9]+")
SLUG_LENGTH = 80
KEY_LENGTH = 200  # far below the limit of an index, in bytes
LONGEST_EXCERPT = 80


def fold(text: str) -> str:
    """Return text without case and diacritics: 'Brontë' and 'BRONTE' both give 'bronte'."""
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text.casefold()).translate(_STROKES)
    return "".join(char for char in decomposed if unicodedata.category(char)[0] != "M")


def words(text: str) -> list[str]:
    """Return the folded words of a search."""
    return _WORD.findall(_UNSPACED.sub(r" \1 ", fold(text)))


def index_words(text: str) -> list[str]:
    """Return the words to index a text by: its own, and 'gullivers' for Gulliver's, 'jrr' for J.R.R."""
    joined = ["".join(parts) for chunk in fold(text).split() if len(parts := _WORD.findall(chunk)) > 1]
    return words(text) + [word for word in joined if not _UNSPACED.search(word)]


def sort_key(title: str) -> str:
    """Return the sort key of a title: folded, without a leading article and punctuation."""
    return " ".join(_WORD.findall(_ARTICLES.sub("", fold(title))))[:KEY_LENGTH] or title[:KEY_LENGTH]


def slugify(text: str) -> str:
    """Return a slug: lower-case ASCII words joined by hyphens; 'book' if none is left."""
    slug = _NOT_URL.sub("-", anyascii(text).lower().replace("'", "")).strip("-")[:SLUG_LENGTH].strip("-")
    return slug or "book"


def sort_name(name: str) -> str:
    """Return the filing name of a person, by rule of thumb: 'Jane Austen' gives 'Austen, Jane'."""
    given, _, family = name.rpartition(" ")
    return name if "," in name or not given else f"{family}, {given}"


def excerpt(value: str) -> str:
    """Return the beginning of a value, short enough to print, with undecodable bytes replaced."""
    text = value[: LONGEST_EXCERPT + 1].encode("utf-8", "replace").decode()
    return text if len(text) <= LONGEST_EXCERPT else f"{text[: LONGEST_EXCERPT - 1]}…"


def printable(text: str) -> str:
    r"""Return text with an escape, such as \x1b, for each character that a terminal would obey or not show."""
    return text if text.isprintable() else "".join(map(_shown, text))


def _shown(char: str) -> str:
    return char if char.isprintable() else char.encode("unicode_escape").decode()
