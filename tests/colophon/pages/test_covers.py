from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from colophon.catalogue.built_in import built_in_books
from colophon.pages.covers import draw

SVG = "{http://www.w3.org/2000/svg}"
ALLOWED = {"svg", "title", "g", "rect", "path", "circle", "ellipse", "line", "polygon", "polyline", "text", "tspan"}


def test_the_same_book_has_the_same_cover():
    assert draw("Emma", "Jane Austen", "emma") == draw("Emma", "Jane Austen", "emma")


def test_books_are_told_apart_by_their_covers():
    covers = [draw("Title", "Author", f"book-{number}") for number in range(100)]
    assert len(set(covers)) > 30


@given(title=st.text(max_size=400), author=st.text(max_size=100), seed=st.text(max_size=20))
def test_whatever_a_book_is_called_its_cover_is_a_picture_and_nothing_else(title, author, seed):
    root = ElementTree.fromstring(draw(title, author, seed))
    assert root.get("viewBox") == "0 0 240 360"
    for element in root.iter():
        assert element.tag.removeprefix(SVG) in ALLOWED
        for name, value in element.attrib.items():
            assert not name.startswith("on")
            assert name != "style"
            assert "://" not in value


@pytest.mark.parametrize("title", ["x" * 400, "Donaudampfschifffahrtsgesellschaft " * 10, "紅樓夢" * 60, "é" * 300])
def test_a_long_title_is_shortened_to_fit(title):
    root = ElementTree.fromstring(draw(title, "Author", "seed"))
    lines = list(root.iter(f"{SVG}tspan"))
    assert any("…" in line.text for line in lines)
    assert all(0 < float(line.get("y")) < 360 for line in lines)


def test_every_book_that_comes_with_the_site_has_a_cover():
    for book in built_in_books():
        assert ElementTree.fromstring(draw(book.title, book.authors[0].name, book.title)).findtext(f"{SVG}title")
