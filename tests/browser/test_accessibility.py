"""axe-core finds nothing on any page, in either colour mode, wide or narrow."""

import pytest

OPEN_ALL = "for (const details of document.querySelectorAll('details')) details.open = true"
# What spoils a list of books, by the rule that forbids it.
PLANTED = {
    "label": "one('label[for=author]').remove()",
    "select-name": "one('label[for=subject]').remove()",
    "image-alt": "one('.rows img').removeAttribute('alt'); one('.rows a').removeAttribute('aria-hidden')",
    "link-name": "one('.rows h2 a').textContent = ''",
    "html-has-lang": "one('html').removeAttribute('lang')",
    "heading-order": "one('.tally').setAttribute('role', 'heading'); one('.tally').ariaLevel = 5",
    "color-contrast": "rule('.blurb { color: #999 !important }')",
    "target-size": "rule('.modes button { min-height: 0; padding: 0; font-size: 6px }')",
}
WORDS = """
const one = (selector) => document.querySelector(selector);
const rule = (css) => document.styleSheets[0].insertRule(css, document.styleSheets[0].cssRules.length);
"""


@pytest.mark.parametrize("size", [(1280, 900), (320, 640)], ids=["wide", "phone"])
def test_axe_finds_nothing(browser, axe, path, size):
    browser.resize(*size)
    browser.visit(path)
    # A closed menu would hide from axe as well.
    browser.execute_script(OPEN_ALL)
    for scheme in ("light", "dark"):
        browser.emulate(scheme)
        found = axe(browser)
        assert not found, f"{path}, {scheme}:\n{found}"


def test_axe_would_find_what_is_wrong(browser, axe):
    browser.visit("/books?q=war")
    for plant in PLANTED.values():
        browser.execute_script(WORDS + plant)
    found = {line.split(": ")[0] for line in axe(browser).splitlines()}
    assert found >= set(PLANTED)


def test_a_contrast_that_is_too_low_in_the_dark_alone_would_be_found(browser, axe):
    browser.visit("/about")
    browser.add_rule("@media (prefers-color-scheme: dark) { h1 { color: #444 !important } }")
    assert not axe(browser)
    browser.emulate("dark")
    assert axe(browser).startswith("color-contrast: h1: ")
