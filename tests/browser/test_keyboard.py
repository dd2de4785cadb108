"""Everything can be done from the keyboard, and one always sees where one is."""

import pytest
from selenium.webdriver.common.keys import Keys

# What has the focus: its place in the page, and what marks it. A summary and a link in a table are marked alike.
FOCUSED = """
const element = document.activeElement;
if (!element || element === document.body) return null;
const style = getComputedStyle(element);
const box = element.getBoundingClientRect();
const drawn = (colour) => !/^(transparent|rgba\\(.*, 0\\))$/.test(colour);
return {
  html: element.outerHTML.slice(0, 160),
  index: [...document.querySelectorAll("*")].indexOf(element),
  marked: (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 1 && drawn(style.outlineColor))
    || style.boxShadow !== "none",
  seen: box.width > 1 && box.height > 1 && box.bottom > 0 && box.top < innerHeight
    && box.right > 0 && box.left < innerWidth,
};
"""
# What a person who sees the page expects to reach.
EXPECTED = """
const kinds = "a[href], button, input:not([type=hidden]), select, summary, [tabindex='0']";
const all = [...document.querySelectorAll("*")];
return [...document.querySelectorAll(kinds)]
  .filter((element) => element.tabIndex >= 0 && element.checkVisibility())
  .map((element) => all.indexOf(element));
"""


def focused(browser):
    return browser.execute_script("return document.activeElement.id || document.activeElement.className")


def tab_to(browser, selector):
    """Press Tab until an element has the focus, as a person would who looks for it."""
    for _ in range(60):
        browser.press(Keys.TAB)
        if browser.execute_script("return document.activeElement.matches(arguments[0])", selector):
            return
    pytest.fail(f"60 times Tab did not reach {selector}")


def tab_stops(browser):
    """Return each tab stop of a page, in order."""
    stops = []
    for _ in range(300):
        browser.press(Keys.TAB)
        stop = browser.execute_script(FOCUSED)
        if stop is None or (stops and stop["index"] == stops[0]["index"]):
            return stops
        stops.append(stop)
    pytest.fail(f"the focus does not leave {stops[-1]['html']}")


def test_the_first_tab_offers_to_skip_to_the_content(browser, path):
    browser.visit(path)
    browser.press(Keys.TAB)
    assert focused(browser) == "skip"
    assert browser.shown(".skip")
    assert browser.execute_script(FOCUSED)["seen"]
    browser.press(Keys.ENTER)
    assert browser.path == f"{path}#main"
    assert focused(browser) == "main"
    browser.press(Keys.TAB)
    assert browser.execute_script(
        "return document.activeElement.closest('main, footer') !== null && document.activeElement.id !== 'main'"
    )


@pytest.mark.parametrize("start", ["/", "/books", "/about", "/nothing-here"])
def test_a_slash_goes_to_the_search_box(browser, start):
    browser.visit(start)
    browser.press("/")
    assert focused(browser) == "q"
    assert browser.one("#q").get_attribute("value") == ""


def test_a_slash_selects_what_was_asked_so_that_one_can_type_over_it(browser):
    browser.visit("/books?q=war")
    browser.press("/")
    browser.press("peace")
    assert browser.one("#q").get_attribute("value") == "peace"


@pytest.mark.parametrize("field", ["q", "author"])
def test_a_slash_that_is_typed_in_a_field_stays_there(browser, field):
    browser.visit("/books")
    browser.one(f"#{field}").click()
    browser.press("and/or")
    assert focused(browser) == field
    assert browser.one(f"#{field}").get_attribute("value") == "and/or"


@pytest.mark.parametrize("held", [Keys.CONTROL, Keys.ALT, Keys.META], ids=["Ctrl", "Alt", "Meta"])
def test_a_slash_with_another_key_is_left_to_the_browser(browser, held):
    browser.visit("/")
    browser.press_with(held, "/")
    assert focused(browser) != "q"


def test_a_search_a_book_and_another_by_its_author_from_the_keyboard_alone(browser):
    browser.visit("/")
    tab_to(browser, "#q")
    browser.press("emma", Keys.ENTER)
    browser.until(lambda: browser.path == "/books?q=emma", "the results are shown")
    tab_to(browser, ".rows h2 a")
    browser.press(Keys.ENTER)
    browser.until(lambda: browser.path == "/books/emma", "the book is shown")
    tab_to(browser, ".shelf a")
    browser.press(Keys.ENTER)
    browser.until(lambda: browser.path not in ("/books/emma", "/books?q=emma"), "another book is shown")
    assert "Jane Austen" in browser.one(".byline").text


def test_colours_are_chosen_from_the_keyboard(browser):
    browser.visit("/books?q=zzzz")
    tab_to(browser, ".modes button[value=dark]")
    browser.press(Keys.SPACE)
    browser.until(lambda: browser.shown(".modes [value=dark][aria-pressed=true]"), "dark is pressed")


@pytest.mark.parametrize("size", [(1280, 900), (320, 640)], ids=["wide", "phone"])
@pytest.mark.parametrize(
    "start", ["/", "/books?subject=novel&language=ru", "/books/emma", "/authors?letter=m", "/colophon"]
)
def test_tab_goes_through_a_page_in_order_and_one_sees_where_it_is(browser, start, size):
    browser.resize(*size)
    browser.visit(start)
    expected = browser.execute_script(EXPECTED)
    stops = tab_stops(browser)
    unseen = [stop["html"] for stop in stops if not (stop["marked"] and stop["seen"])]
    assert not unseen, "focused, but one cannot see it:\n  " + "\n  ".join(unseen)
    assert [stop["index"] for stop in stops] == expected


@pytest.mark.parametrize("css", ["a:focus-visible { outline: 0 }", "a:focus-visible { outline-color: transparent }"])
def test_a_focus_that_cannot_be_seen_would_be_noticed(browser, css):
    browser.visit("/about")
    browser.add_rule(css.replace("}", "!important }"))
    assert not any(stop["marked"] for stop in tab_stops(browser) if stop["html"].startswith("<a"))
