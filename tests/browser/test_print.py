"""On paper: what there is to read, and nothing to press."""

import pytest

CONTROLS = "form, button, input, select, nav a, summary, .skip"


@pytest.fixture(params=["automatic", "chosen"])
def at_night(request, browser):
    """A browser whose screen is dark, by the device or by the visitor's choice, and that prints."""
    if request.param == "chosen":
        browser.visit("/")
        browser.add_cookie({"name": "colour_mode", "value": "dark"})
    browser.emulate("dark", media="print")
    return browser


def test_a_printed_page_has_nothing_to_press(browser, path):
    browser.emulate(media="print")
    browser.visit(path)
    assert browser.shown("h1")
    assert not [element.get_attribute("outerHTML") for element in browser.shown(CONTROLS)]


@pytest.mark.parametrize("start", ["/", "/books?q=war", "/books/emma", "/about", "/colophon", "/nothing-here"])
def test_paper_is_white_and_text_dark_whatever_the_screen_is(at_night, axe, start):
    at_night.visit(start)
    assert at_night.style("background-color") == "rgba(255, 255, 255, 1)"
    assert at_night.style("color") == "rgba(0, 0, 0, 1)"
    found = axe(at_night, only=["color-contrast"])
    assert not found, f"too pale on paper:\n{found}"


def test_a_printed_book_keeps_its_cover_and_facts(browser):
    browser.emulate(media="print")
    browser.visit("/books/emma")
    assert browser.shown(".volume > .cover")
    assert browser.shown(".facts dd")
