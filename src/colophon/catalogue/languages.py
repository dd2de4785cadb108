"""The languages that books are catalogued in, by their ISO 639 codes."""

import json
from importlib import resources

NAMES: dict[str, str] = json.loads(
    (resources.files("colophon") / "data" / "languages.json").read_text(encoding="utf-8")
)


def language_name(code: str) -> str:
    """Return a language's English name, or its code where that is not known here."""
    return NAMES.get(code, code)
