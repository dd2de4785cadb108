"""The drawing of the pipeline: to be read on a phone, on a desk, in the dark and on paper, of a release or not."""

import pytest

STATES = pytest.mark.parametrize("home", ["site", "released_site"], indirect=True)
SIZES = {"desk": (1280, 900), "tablet": (800, 1000), "phone": (320, 640)}
SMALLEST = 15  # in CSS pixels, of the drawing's text
# Each text of the drawing: its words, its size as it is seen, and its edges within the drawing's.
MEASURED = """
const drawing = document.querySelector("svg.pipeline"), box = drawing.getBoundingClientRect();
const scale = box.width / drawing.viewBox.baseVal.width;
return [...drawing.querySelectorAll("text")].map((text) => {
  const edges = text.getBoundingClientRect();
  return {words: text.textContent, size: parseFloat(getComputedStyle(text).fontSize) * scale,
          left: edges.left - box.left, right: box.right - edges.right, top: edges.top, bottom: edges.bottom,
          below: box.bottom - edges.bottom};
});
"""


@STATES
@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
def test_the_drawing_can_be_read(browser, size):
    browser.resize(*size)
    browser.visit("/colophon")
    texts = browser.execute_script(MEASURED)
    assert len(texts) >= 10
    for text in texts:
        assert text["size"] >= SMALLEST
        assert min(text["left"], text["right"], text["below"]) >= 0, f"cut off: {text['words']}"


@STATES
@pytest.mark.parametrize("rule", [".pipeline text { font-size: 12px }", ".pipeline text { font-size: 40px }"])
def test_a_drawing_that_cannot_be_read_would_be_noticed(browser, rule):
    browser.resize(*SIZES["phone"])
    browser.visit("/colophon")
    browser.add_rule(rule)
    texts = browser.execute_script(MEASURED)
    assert min(text["size"] for text in texts) < SMALLEST or min(text["right"] for text in texts) < 0


@STATES
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_drawing_that_is_too_pale_would_be_noticed(browser, axe, scheme):
    browser.emulate(scheme)
    browser.visit("/colophon")
    assert not axe(browser, only=["color-contrast"])
    browser.add_rule(".pipeline text { fill: #777 }")
    assert "color-contrast: text" in axe(browser, only=["color-contrast"])


@STATES
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_drawing_is_dark_on_paper_and_on_one_sheet(browser, axe, scheme):
    browser.emulate(scheme, media="print")
    browser.visit("/colophon")
    assert browser.style("fill", "svg.pipeline text:last-of-type") == "rgb(0, 0, 0)"
    assert browser.style("break-inside", "svg.pipeline") == "avoid"
    assert not axe(browser, only=["color-contrast"])
