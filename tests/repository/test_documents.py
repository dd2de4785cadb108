"""What a document or a comment sends its reader to is there: files, and headings of documents."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.conftest import unavailable

ROOT = Path(__file__).parents[2]
LINK = re.compile(r"\]\(([^)\s]+)\)")
DOCUMENT = re.compile(r"(?<![\w./*{])((?:[\w.-]+/)*[\w-]+\.md)\b(?:[,:]? [\"“]([^\"”]+)[\"”])?")
FILE = re.compile(r"`((?:[a-z0-9_.-]+/)+[a-z0-9_.-]+\.[a-z]+)`")
# Where a path may begin, beside the folder of the file that names it.
PLACES = (ROOT, ROOT / "src/colophon", ROOT / "src/colophon/templates")
# These are made on this machine, or by those who make the site their own.
MADE = ("build/", "var/", ".venv/")


def texts():
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        unavailable("this is no checkout, so nothing tells which files are its own")
    for name in listed.stdout.splitlines():
        try:
            yield name, (ROOT / name).read_text(encoding="utf-8")
        except (UnicodeDecodeError, FileNotFoundError):
            continue


def headings(document):
    return re.findall(r"^#+ (.+?) *$", document.read_text(encoding="utf-8"), re.MULTILINE)


def anchor(heading):
    """Return the anchor of a heading (https://docs.gitlab.com/user/markdown/#heading-ids-and-links)."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def broken(name, text):
    """Return what a file sends its reader to that is not there."""
    folder = (ROOT / name).parent
    text = re.sub(r"https?://[^\s)>]+", "", text)

    def found(path):
        return next((place / path for place in (folder, *PLACES) if (place / path).exists()), None)

    if name.endswith(".md"):
        for target in LINK.findall(text):
            path, _, fragment = target.partition("#")
            place = folder / path if path else ROOT / name
            if not place.exists() or (fragment and fragment not in map(anchor, headings(place))):
                yield target
        yield from (path for path in FILE.findall(text) if not (path.startswith(MADE) or found(path)))
    for path, heading in DOCUMENT.findall(text):
        place = found(path)
        if place is None or (heading and heading not in headings(place)):
            yield f"{path} {heading}".strip()


def test_every_file_and_heading_that_is_named_is_there():
    missing = {name: list(broken(name, text)) for name, text in texts() if not name.endswith("test_documents.py")}
    assert {name: lines for name, lines in missing.items() if lines} == {}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("README.md", "[gone](docs/gone.md)"),
        ("README.md", "[gone](CONTRIBUTING.md#how-to-do-what-is-never-done)"),
        ("README.md", "the code in `src/colophon/gone.py`"),
        ("docker-compose.yml", '# see README.md, "On one machine".'),
        ("delivery/aws/client.py", "# see docs/GONE.md"),
    ],
)
def test_what_is_not_there_is_found(name, text):
    assert len(set(broken(name, text))) >= 1


def test_what_is_there_is_good():
    good = '[how](CONTRIBUTING.md#how-to-add-a-page) `src/colophon/cli.py` README.md, "In containers"'
    assert list(broken("README.md", good)) == []
