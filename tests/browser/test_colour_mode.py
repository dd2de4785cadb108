"""Light, dark or automatic colours: chosen at once, kept, and without a script too."""

import pytest

PAPER = "rgba(250, 247, 240, 1)"
NIGHT = "rgba(27, 25, 22, 1)"
GROUNDS = {"light": PAPER, "dark": NIGHT}


def press(browser, mode):
    browser.one(f".modes button[value={mode}]").click()


def pressed(browser):
    return [button.get_attribute("value") for button in browser.shown(".modes [aria-pressed=true]")]


def ground(browser):
    return browser.style("background-color")


def is_kept(browser, mode):
    """Tell whether the visitor's choice has reached the cookie."""
    cookie = browser.get_cookie("colour_mode")
    return (cookie["value"] if cookie else "auto") == mode


@pytest.mark.parametrize("scheme", GROUNDS)
def test_at_first_the_colours_are_the_device_s(browser, scheme):
    browser.emulate(scheme)
    browser.visit("/")
    assert pressed(browser) == ["auto"]
    assert ground(browser) == GROUNDS[scheme]


@pytest.mark.parametrize(("mode", "scheme"), [("dark", "light"), ("light", "dark")])
def test_a_mode_is_applied_at_once_on_the_page_that_is_open(browser, mode, scheme):
    browser.emulate(scheme)
    browser.visit("/books?q=war")
    browser.execute_script("window.stillHere = true")
    press(browser, mode)
    assert ground(browser) == GROUNDS[mode]
    assert pressed(browser) == [mode]
    browser.until(lambda: is_kept(browser, mode), "the choice is kept")
    assert browser.execute_script("return window.stillHere")
    assert browser.path == "/books?q=war"


def test_a_mode_is_kept_and_comes_from_the_server(browser):
    browser.visit("/")
    press(browser, "dark")
    browser.until(lambda: is_kept(browser, "dark"), "the choice is kept")
    # With scripts off, what is dark now can only have been sent dark.
    browser.allow_scripts(False)
    for path in ("/", "/about"):
        browser.visit(path)
        assert 'data-bs-theme="dark"' in browser.page_source
        assert ground(browser) == NIGHT
        assert pressed(browser) == ["dark"]


def test_automatic_follows_the_device_again_while_the_page_is_open(browser):
    browser.visit("/")
    press(browser, "dark")
    browser.until(lambda: is_kept(browser, "dark"), "dark is kept")
    press(browser, "auto")
    browser.until(lambda: is_kept(browser, "auto"), "the choice is forgotten")
    for scheme in ("dark", "light", "dark"):
        browser.emulate(scheme)
        assert ground(browser) == GROUNDS[scheme]
    assert pressed(browser) == ["auto"]


@pytest.mark.parametrize("scheme", GROUNDS)
@pytest.mark.parametrize("mode", [*GROUNDS, "auto"])
def test_the_browser_s_own_parts_take_the_mode_s_colours(browser, mode, scheme):
    browser.emulate(scheme)
    browser.visit("/")
    press(browser, mode)
    bar = """
        const colours = [...document.querySelectorAll("meta[name=theme-color]")];
        return colours.filter((meta) => matchMedia(meta.media).matches).map((meta) => meta.content);
    """
    expected = {"light": "#faf7f0", "dark": "#1b1916"}[scheme if mode == "auto" else mode]
    assert browser.execute_script(bar) == [expected]
    # A system colour shows which of its two palettes the browser draws fields and scroll bars with.
    browser.add_rule("footer { color: CanvasText !important }")
    dark = browser.style("color", "footer") == "rgba(255, 255, 255, 1)"
    assert dark == (expected == "#1b1916")


@pytest.mark.parametrize("start", ["/", "/books?q=war&page=2", "/nothing-here"])
def test_a_mode_needs_no_script_and_returns_to_the_same_page(browser, start):
    browser.allow_scripts(False)
    browser.visit(start)
    press(browser, "dark")
    browser.until(lambda: ground(browser) == NIGHT, "the page is dark")
    assert browser.path == start
    assert pressed(browser) == ["dark"]


def test_when_a_script_cannot_send_the_choice_the_form_does(browser):
    browser.visit("/books?q=war")
    browser.execute_script("window.fetch = () => Promise.reject(new TypeError('no network')); window.stillHere = true")
    press(browser, "dark")
    browser.until(lambda: not browser.execute_script("return window.stillHere"), "the form was sent")
    browser.until(lambda: ground(browser) == NIGHT, "the page is dark")
    assert browser.path == "/books?q=war"
    assert is_kept(browser, "dark")
