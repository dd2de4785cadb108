"""The site on a phone, and with text of twice the size."""

import pytest
from selenium.webdriver.common.keys import Keys

PHONE = (320, 640)
MENU = ".masthead .toggle summary"
LINKS = "header nav a"
OPEN_ALL = "for (const details of document.querySelectorAll('details')) details.open = true"
# The page scrolls sideways, and the innermost elements that reach past its edge. What scrolls in a box of its own does
# not count.
TOO_WIDE = """
const edge = innerWidth;
if (document.scrollingElement.scrollWidth <= edge) return [];
const past = [...document.body.querySelectorAll("*")].filter((element) =>
  element.getBoundingClientRect().right > edge + 1 && !element.closest(".table-scroll"));
const found = past.filter((element) => !past.some((other) => other !== element && element.contains(other)));
return found.length ? found.map((element) => element.outerHTML.slice(0, 160)) : ["the page itself"];
"""


def too_wide(browser):
    browser.execute_script(OPEN_ALL)
    return "\n  ".join(browser.execute_script(TOO_WIDE))


def by_click(browser):
    browser.one(MENU).click()


def by_keyboard(browser):
    for _ in range(3):
        browser.press(Keys.TAB)
    assert browser.execute_script("return document.activeElement.textContent") == "Menu"
    browser.press(Keys.ENTER)


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
@pytest.mark.parametrize("way", [by_click, by_keyboard])
def test_the_menu_opens_and_closes_on_a_phone(browser, way, scripts):
    browser.allow_scripts(scripts)
    browser.resize(*PHONE)
    browser.visit("/about")
    assert not browser.shown(LINKS)
    way(browser)
    assert [link.text for link in browser.shown(LINKS)] == ["Books", "Authors", "Subjects", "About"]
    assert browser.shown("header #q")
    browser.one(MENU).click()
    assert not browser.shown(LINKS)


@pytest.mark.parametrize("name", ["books", "authors", "subjects", "about"])
def test_each_link_of_the_menu_is_reached_from_the_keyboard_on_a_phone(browser, name):
    browser.resize(*PHONE)
    browser.visit("/")
    by_keyboard(browser)
    for _ in range(4):
        browser.press(Keys.TAB)
        if browser.execute_script("return document.activeElement.textContent").lower() == name:
            break
    browser.press(Keys.ENTER)
    browser.until(lambda: browser.path == f"/{name}", "the link leads on")


def test_a_wide_window_shows_the_menu_without_a_button(browser):
    browser.visit("/")
    assert len(browser.shown(LINKS)) == 4
    assert not browser.shown(".toggle")


def test_the_filters_open_on_a_phone_and_are_open_while_they_narrow_the_list(browser):
    browser.resize(*PHONE)
    browser.visit("/books?q=war")
    assert browser.shown("#q")
    assert not browser.shown("#subject")
    browser.one(".filters summary").click()
    assert browser.shown("#subject")
    browser.visit("/books?subject=novel")
    assert browser.shown("#subject")


def test_a_slash_opens_the_menu_of_a_phone_in_which_the_search_box_is(browser):
    browser.resize(*PHONE)
    browser.visit("/about")
    browser.press("/")
    assert browser.shown("#q")
    browser.press("emma", Keys.ENTER)
    browser.until(lambda: browser.path == "/books?q=emma", "the results are shown")


def test_no_page_scrolls_sideways_on_a_phone(browser, path):
    browser.resize(*PHONE)
    browser.visit(path)
    found = too_wide(browser)
    assert not found, f"wider than the screen:\n  {found}"


def test_no_page_scrolls_sideways_when_text_is_twice_as_large(browser, path):
    browser.resize(640, 640)
    browser.set_text_size(32)
    browser.visit(path)
    assert browser.style("font-size", "html") == "32px"
    found = too_wide(browser)
    assert not found, f"wider than the screen:\n  {found}"


@pytest.mark.parametrize(
    "css", ["h1 { width: 25rem }", ".lead { white-space: nowrap }", "main { padding-left: 400px }"]
)
def test_what_is_too_wide_would_be_noticed(browser, css):
    browser.resize(*PHONE)
    browser.visit("/about")
    assert not too_wide(browser)
    browser.add_rule(css)
    assert too_wide(browser)
