"""The Nu validator finds no error in any page, style sheet or cover. No browser is needed."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from werkzeug.routing import Map, Rule

from tests.conftest import unavailable
from tests.pagecheck import Soup, attribute

ROUTES = Path(__file__).parents[1] / "colophon" / "routes.txt"
# Routes that answer programs: by the ending of their path, or by name.
FILE = re.compile(r"\.(ico|svg|txt|xml|atom|json)$")
FOR_PROGRAMS = ("/healthz", "/readyz", "/api/v1")

COVERS = ("emma", "moby-dick", "the-tale-of-genji", "lmqdmh", "the-odyssey", "dracula")
PLANTED = {
    "planted.html": "<!doctype html><html lang=en><title>x</title><p><div></p><img src=x><a href=y><a href=z>z</a></a>",
    "planted.css": "p { color: nonsense }",
    "planted.svg": '<svg xmlns="http://www.w3.org/2000/svg"><rect witdh="1"/></svg>',
}


@pytest.fixture(scope="module")
def judged(node_module, pages, source, release_source, tmp_path_factory):
    """Every page, the style sheet and some covers as files, with the errors that the validator finds in each."""
    jar = node_module("vnu-jar/build/dist/vnu.jar")
    java = shutil.which("java")
    if not java:
        unavailable("no Java (Debian: default-jre-headless)")
    texts = {}
    for number, (path, status) in enumerate(pages.items()):
        answered, html = source(path)
        assert answered == status, f"{path} answered {answered}"
        texts[f"{number:02}{re.sub('[^a-z0-9]+', '-', path)}.html"] = html
    texts["release.html"] = release_source("/colophon")[1]
    sheet = attribute(Soup(source("/")[1]).one("link[rel=stylesheet]"), "href")
    texts["site.css"] = source(sheet)[1]
    for slug in COVERS:
        status, svg = source(f"/books/{slug}/cover.svg")
        if status == 200:
            texts[f"{slug}.svg"] = svg
    folder = tmp_path_factory.mktemp("markup")
    for name, text in (texts | PLANTED).items():
        (folder / name).write_text(text, encoding="utf-8")
    # One run for all: what takes the time is Java's start.
    options = ["--errors-only", "--also-check-css", "--also-check-svg", "--format", "json", "--stdout"]
    command = [java, "-jar", jar, *options, *sorted(texts | PLANTED)]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    errors = {name: [] for name in texts | PLANTED}
    for message in json.loads(run.stdout)["messages"]:
        line = f"line {message.get('lastLine', '?')}: {message['message']}"
        errors[message["url"].rsplit("/", 1)[-1]].append(line)
    return errors


def test_every_route_that_shows_a_page_is_among_the_pages(pages):
    lines = [line.rsplit(" ", 1) for line in ROUTES.read_text().splitlines()]
    for_people = {
        path
        for path, methods in lines
        if "GET" in methods and not path.startswith(FOR_PROGRAMS) and not FILE.search(path)
    }
    assert len(for_people) > 5
    routes = Map([Rule(path, endpoint=path) for path in for_people]).bind("localhost")
    shown = {
        routes.match(path.split("?")[0])[0]
        for path, status in pages.items()
        if status == 200 and routes.test(path.split("?")[0])
    }
    assert for_people - shown == set()


def test_the_markup_is_valid(judged):
    found = [f"{name}, {error}" for name, errors in judged.items() for error in errors if name not in PLANTED]
    assert not found, "\n".join(found)
    assert len(judged) > len(PLANTED) + 15


@pytest.mark.parametrize("name", PLANTED)
def test_an_error_would_be_found(judged, name):
    assert judged[name]
