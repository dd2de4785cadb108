"""The page fixture is fed with broken pages, so that its silence means something."""

import pytest

from tests.pagecheck import RULES, Soup, _another_release, broken_rules
from tests.releases import COMMIT

SOUND = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Books · Colophon</title><link rel="stylesheet" href="/static/site.css"></head>
<body><a href="#main">Skip</a>
<header><nav aria-label="Main"><a href="/books" aria-current="page">Books</a> <a href="/about">About</a></nav></header>
<main id="main"><h1>Books</h1><h2>Newest</h2>
<form action="/books" method="get"><label for="q">Search</label><input id="q" name="q"><button>Go</button></form>
<img src="/cover.svg" alt=""><table><caption>Parts</caption><tr><th scope="col">Name</th></tr></table>
<script type="application/ld+json">{}</script></main>
<footer><nav aria-label="Footer"><a href="/colophon">working copy</a></nav></footer></body></html>
"""

BREAKS = [
    ("</h1>", "</h2>", "not HTML5"),
    ("<main id", "<bogus<main id", "not HTML5"),
    ('<html lang="en">', "<html>", "names no language"),
    ('content="width=device-width"', 'content="initial-scale=1"', "no viewport"),
    ('content="width=device-width"', 'content="width=device-width, user-scalable=no"', "forbids zooming"),
    ("<h2>Newest</h2>", "<h1>Newest</h1>", "there are 2 h1"),
    ("<title>Books", "<title>Home", "does not begin with the h1"),
    ("<h2>Newest</h2>", "<h3>Newest</h3>", "an h3 follows an h1"),
    ("footer>", "div>", "not one body > footer"),
    ('aria-label="Footer"', 'aria-label="Main"', "not told apart"),
    ('<a href="#main">Skip</a>', "", "first thing to focus"),
    ('<img src="/cover.svg"', '<img id="q" src="/cover.svg"', "the id 'q' stands 2 times"),
    ('<input id="q"', '<input id="q" aria-describedby="hint"', "leads to no element"),
    ('<a href="/about">', '<a href="#nowhere">', "#nowhere leads to no element"),
    ('<label for="q">Search</label>', "", "has no label"),
    (' alt=""', "", "has no alt text"),
    ("<button>Go", "<button>", "a button has no name"),
    ('<a href="/about">About', '<a href="/about">', "a a has no name"),
    ('<a href="/about">', '<a href="/about" aria-hidden="true">', "a hidden link takes the focus"),
    (' aria-current="page"', "", "does not mark /books"),
    ('<a href="/about">', '<a href="/about" aria-current="page">', "2 links of the menu"),
    (' method="get"', "", "no action or no method"),
    ("<caption>Parts</caption>", "", "no caption"),
    (' scope="col"', "", "no scope"),
    ("working copy</a>", "5f0c2d1</a>", "by the release's name"),
    ('<a href="/colophon">working copy</a>', "", "by the release's name"),
    ("<script type=", "<script>alert(1)</script><script type=", "inline script has no nonce"),
    ("</head>", "<style>p{}</style></head>", "style element has no nonce"),
    ("<h2>", '<h2 style="color:red">', "the attribute style"),
    ("<h2>", '<h2 onclick="x()">', "the attribute onclick"),
    ('href="/about"', 'href="JavaScript:x()"', "leads to a script"),
    ('href="/static/site.css"', 'href="https://cdn.example/site.css"', "fetched from https://cdn.example"),
    ('src="/cover.svg"', 'src="//cdn.example/cover.svg"', "fetched from //cdn.example"),
]


def test_a_sound_page_breaks_no_rule():
    assert list(broken_rules(SOUND, "/books")) == []


@pytest.mark.parametrize(("sound", "broken", "complaint"), BREAKS, ids=[complaint for *_, complaint in BREAKS])
def test_a_broken_page_is_caught(sound: str, broken: str, complaint: str):
    html = SOUND.replace(sound, broken)
    assert html != SOUND
    assert complaint in "\n".join(broken_rules(html, "/books"))


def test_every_rule_is_broken_by_some_page():
    silent = {rule.__name__ for rule in RULES}
    for sound, broken, _ in BREAKS:
        soup = Soup(SOUND.replace(sound, broken))
        silent -= {rule.__name__ for rule in RULES if list(rule(soup, "/books"))}
    assert not silent


def test_a_link_that_leads_nowhere_is_caught(page, client):
    assert client.get("/nowhere").status_code == 404
    dead = list(page._dead_links(Soup('<a href="/nowhere">x</a>'), "/"))
    assert dead == ["the link to /nowhere answers 404"]


@pytest.mark.parametrize(
    ("header", "label"),
    [("", "working copy"), ("working-copy", "release 5f0c2d1"), (COMMIT, "working copy"), (COMMIT, "release 0f0c2d1")],
)
def test_a_page_of_another_release_than_its_header_is_caught(header, label):
    (complaint,) = _another_release(Soup(SOUND.replace("working copy", label)), header)
    assert label in complaint


@pytest.mark.parametrize(("header", "label"), [("working-copy", "working copy"), (COMMIT, "release 5f0c2d1")])
def test_a_page_of_the_release_in_its_header_is_sound(header, label):
    html = SOUND.replace("working copy", label)
    assert list(_another_release(Soup(html), header)) + list(broken_rules(html, "/books")) == []


def test_the_soup_is_asked_by_selectors_alone():
    with pytest.raises(TypeError, match=r"^ask with select\(\) or one\(\)$"):
        Soup(SOUND).find("h1")
    with pytest.raises(AssertionError, match="matches 2 elements"):
        Soup(SOUND).one("nav")
