"""Names of languages by their ISO 639 codes."""

import json
from importlib import resources

NAMES: dict[str, str] = json.loads(
    (resources.files("colophon") / "data" / "languages.json").read_text(encoding="utf-8")
)


def language_name(code: str) -> str:
    """Return a language's English name, or the code if there is none."""
    return NAMES.get(code, code)
