"""What the browser suite can use: every page of the site, and a browser to visit them with."""

from __future__ import annotations

import shutil
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from tests.conftest import unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from selenium.webdriver.remote.webelement import WebElement

    from tests.conftest import Server

# Every kind of HTML page that the site sends, with its status. A test that asks for `path` runs on each of them, and on
# the colophon of a release; test_markup.py fails when a route has no page here.
PAGES = {
    "/": 200,
    "/books": 200,
    "/books?page=3": 200,
    "/books?q=war&author=leo+tolstoy&subject=novel&language=ru&year_from=1800&year_to=1900&sort=year": 200,
    "/books?q=zzzz&subject=novel": 200,
    "/books/emma": 200,
    "/books/the-tale-of-genji": 200,
    "/books/lmqdmh": 200,  # its title is Arabic, and runs from right to left
    "/authors": 200,
    "/authors?letter=m": 200,
    "/subjects": 200,
    "/about": 200,
    "/colophon": 200,
    "/api/docs": 200,
    "/books?sort=size&page=0": 400,
    "/nothing-here": 404,
    "/preferences": 405,
}

WIDE, PHONE = (1280, 900), (320, 640)

FLAGS = (
    "--headless",
    "--no-sandbox",  # Chromium's own sandbox does not run as root, which is who runs in a container
    "--disable-dev-shm-usage",  # a container's /dev/shm is too small for it
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",  # so that 320 pixels are 320 for the page, as on a phone
)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "path" in metafunc.fixturenames:
        places = [*((path, "site") for path in PAGES), ("/colophon", "released_site")]
        metafunc.parametrize(("path", "home"), places, indirect=["home"])


class Browser(webdriver.Chrome):
    """Chromium, spoken to in the words of the tests."""

    home: str

    def visit(self, path: str) -> None:
        self.get(self.home + path)

    @property
    def path(self) -> str:
        """The address without the site's: a path with its query and fragment."""
        return self.current_url.removeprefix(self.home)

    def one(self, selector: str) -> WebElement:
        found = self.find_elements(By.CSS_SELECTOR, selector)
        assert len(found) == 1, f"{selector!r} matches {len(found)} elements, not one"
        return found[0]

    def shown(self, selector: str) -> list[WebElement]:
        """Return the elements that match and that a person can see."""
        return [element for element in self.find_elements(By.CSS_SELECTOR, selector) if element.is_displayed()]

    def texts(self, selector: str) -> list[str]:
        script = "return [...document.querySelectorAll(arguments[0])].map((element) => element.textContent.trim())"
        return list(self.execute_script(script, selector))

    def press(self, *keys: str) -> None:
        ActionChains(self, duration=0).send_keys(*keys).perform()

    def press_with(self, held: str, key: str) -> None:
        """Press a key while another is held down."""
        ActionChains(self, duration=0).key_down(held).send_keys(key).key_up(held).perform()

    def until(self, holds: Callable[[], Any], what: str) -> None:
        """Wait until something holds, on the next page perhaps. Raises TimeoutException, which names it."""
        passing = (StaleElementReferenceException, AssertionError)
        wait = WebDriverWait(self, 60, poll_frequency=0.02, ignored_exceptions=passing)
        wait.until(lambda _: holds(), f"still not so: {what}")

    def resize(self, width: int, height: int) -> None:
        """Set the size of the page in CSS pixels. A window cannot be as narrow as a phone; its page can."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)

    def emulate(self, scheme: str = "light", media: str = "") -> None:
        """Prefer a colour scheme, perhaps on paper: `media` may be 'print'. Nothing moves: a fade has no one colour."""
        features = {"prefers-color-scheme": scheme, "prefers-reduced-motion": "reduce"}
        settings = [{"name": name, "value": value} for name, value in features.items()]
        self.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": settings})

    def set_text_size(self, pixels: int) -> None:
        """Set the size of text that the visitor chose in the browser's settings; 16 is the default."""
        self.execute_cdp_cmd("Page.setFontSizes", {"fontSizes": {"standard": pixels, "fixed": pixels}})

    def allow_scripts(self, allowed: bool) -> None:
        """Let pages run scripts or not. What the tests themselves execute runs in any case."""
        self.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": not allowed})

    def add_rule(self, css: str) -> None:
        """Add a rule to the page's style sheet, past the content security policy."""
        self.execute_script(
            "document.styleSheets[0].insertRule(arguments[0], document.styleSheets[0].cssRules.length)", css
        )

    def style(self, name: str, selector: str = "body") -> str:
        return self.one(selector).value_of_css_property(name)

    def messages(self) -> list[str]:
        """Return what the browser complained about since it was last requested."""
        return [entry["message"] for entry in self.get_log("browser")]

    def reset(self) -> None:
        self.get("about:blank")
        self.execute_cdp_cmd("Network.clearBrowserCookies", {})
        self.resize(*WIDE)
        self.emulate()
        self.set_text_size(16)
        self.allow_scripts(True)
        self.messages()


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    names = ("chromium", "chromium-browser", "google-chrome")
    program = next(filter(None, map(shutil.which, names)), None)
    driver = shutil.which("chromedriver")
    if not program or not driver:
        unavailable("no Chromium with its driver (Debian: chromium, chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = str(program)
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    # With the driver's path given, Selenium does not go to look for one on the network.
    browser = Browser(options=options, service=webdriver.ChromeService(driver))
    yield browser
    browser.quit()


@pytest.fixture
def home(request: pytest.FixtureRequest) -> str:
    """The address of the site that the browser visits: a working copy's, unless a test names the fixture of another."""
    server: Server = request.getfixturevalue(getattr(request, "param", "site"))
    return server.url


@pytest.fixture
def browser(chromium: Browser, home: str) -> Browser:
    """A browser as a new visitor has it: no cookies, a wide window, a light screen, scripts on."""
    chromium.home = home
    chromium.reset()
    return chromium


def fetch(url: str) -> tuple[int, str]:
    """Return a page's status and HTML as the server sends them to a visitor who was never here."""
    try:
        with urllib.request.urlopen(url, timeout=10) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


@pytest.fixture(scope="session")
def source(site: Server) -> Callable[[str], tuple[int, str]]:
    """Fetch a path of the running site: its status and its text."""
    return lambda path: fetch(site.url + path)


@pytest.fixture(scope="session")
def release_source(released_site: Server) -> Callable[[str], tuple[int, str]]:
    """The same of the site that is a release."""
    return lambda path: fetch(released_site.url + path)


@pytest.fixture(scope="session")
def node_module() -> Callable[[str], Path]:
    """Find a file that npm installed."""

    def find(name: str) -> Path:
        path = Path(__file__).parents[2] / "assets" / "node_modules" / name
        if not path.is_file():
            unavailable(f"no {name.split('/')[0]}: run npm --prefix assets ci")
        return path

    return find


# The rules of axe. It cannot compute the contrast of a text that lies on a picture, so selects lose their arrow first,
# nor of one within a drawing, for which it is done here; and it cannot see what is scrolled out of a box of its own.
# Single letters, which it would take for decoration, are links here. Large text gets no discount.
ASK_AXE = """
const [only, done] = [arguments[0], arguments[1]];
const sheet = document.styleSheets[0];
sheet.insertRule("select { background-image: none !important }", sheet.cssRules.length);
axe.configure({checks: [{id: "color-contrast", options: {
  ignoreUnicode: true, ignoreLength: true, ignorePseudo: false, boldValue: 700, boldTextPt: 14, largeTextPt: 18,
  contrastRatio: {normal: {expected: 4.5}, large: {expected: 4.5}}, pseudoSizeThreshold: 0.25, shadowOutlineEmMax: 0.2,
  textStrokeEmMin: 0.03,
}}]});
const options = {resultTypes: ["violations", "incomplete"]};
if (only) options.runOnly = {type: "rule", values: only};
else options.rules = {"target-size": {enabled: true}};
const problems = (rule) => rule.nodes.map((node) => `${rule.id}: ${node.target.join(" ")}: ${node.html.slice(0, 120)}: `
  + (node.failureSummary || rule.help).replace(/\\s+/g, " "));
axe.run(document, options).then(
  ({violations, incomplete}) => {
    const {Color, getContrast} = axe.commons.color;
    const colour = (element, property) => new Color().parseString(getComputedStyle(element)[property]);
    const ground = colour(document.body, "backgroundColor");
    const settled = (rule, element) => element?.closest(".table-scroll") || rule.id === "color-contrast"
      && element?.matches("svg text") && getContrast(ground, colour(element, "fill")) >= 4.5;
    for (const rule of incomplete) {
      rule.nodes = rule.nodes.filter((node) => !settled(rule, document.querySelector(node.target[0])));
    }
    done([...violations, ...incomplete].flatMap(problems));
  },
  (error) => done([`axe failed: ${error}`]),
);
"""


@pytest.fixture(scope="session")
def axe(node_module: Callable[[str], Path]) -> Callable[..., str]:
    """Ask axe-core what is wrong with the page that a browser shows: a line for each element and rule, or nothing.

    What axe cannot decide counts as wrong. `only` names the rules to ask for, instead of all.
    """
    script = node_module("axe-core/axe.min.js").read_text(encoding="utf-8")

    def ask(browser: Browser, only: list[str] | None = None) -> str:
        if not browser.execute_script("return Boolean(window.axe)"):
            browser.execute_script(script)
        return "\n".join(browser.execute_async_script(ASK_AXE, only))

    return ask


@pytest.fixture(scope="session")
def pages() -> dict[str, int]:
    """The path of every page with its status."""
    return PAGES
