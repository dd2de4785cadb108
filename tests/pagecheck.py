"""What every page must obey, checked on each page that a test fetches."""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import urldefrag, urljoin, urlsplit

from bs4 import BeautifulSoup, Tag
from justhtml import JustHTML

from tests.untraced import untraced

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from flask.testing import FlaskClient

HEADER = "Colophon-Release"
COLOPHON = "body > footer a[href='/colophon']"
_LABEL = re.compile(r"working copy|release [0-9a-f]{7}")
_COMMIT = re.compile(r"[0-9a-f]{40}")
CONTROLS = "input:not([type=hidden], [type=submit], [type=button]), select, textarea"
# Elements whose attribute makes a browser fetch something or send something.
FETCHING = {
    "script[src]": "src",
    "img[src]": "src",
    "source[src]": "src",
    "iframe[src]": "src",
    "form[action]": "action",
    "link[rel~=stylesheet]": "href",
    "link[rel~=icon]": "href",
    "link[rel=apple-touch-icon]": "href",
    "link[rel=preload]": "href",
}
DATA_BLOCKS = ("application/ld+json", "application/json", "speculationrules")


class Soup(BeautifulSoup):
    """A page as a tree that is requested by CSS selectors alone, so that tests read the same."""

    def __init__(self, html: str) -> None:
        super().__init__(html, "html.parser")

    def find(self, *_: Any, **__: Any) -> NoReturn:
        raise TypeError("ask with select() or one()")

    find_all = find

    def one(self, selector: str) -> Tag:
        """Return the only element that a selector matches. Raises AssertionError when it is not the only one."""
        matches = self.select(selector)
        assert len(matches) == 1, f"{selector!r} matches {len(matches)} elements, not one"
        return matches[0]

    def texts(self, selector: str) -> list[str]:
        return [text(element) for element in self.select(selector)]


def text(element: Tag) -> str:
    return " ".join(element.get_text().split())


def attribute(element: Tag, name: str) -> str:
    value = element.get(name, "")
    return " ".join(value) if isinstance(value, list) else value or ""


class PageClient:
    """Fetches pages by path and checks each one."""

    def __init__(self, client: FlaskClient, resolved: dict[str, int]) -> None:
        self._client = client
        self._resolved = resolved

    def __call__(self, path: str, status: int = 200, **options: Any) -> Soup:
        """Return a page. Raises AssertionError when its status is another, or when it breaks a rule of every page."""
        response = self._client.get(path, **options)
        assert response.status_code == status, f"{path} answered {response.status_code}"
        assert response.mimetype == "text/html"
        html = response.get_data(as_text=True)
        with untraced():
            soup = Soup(html)
            # The page of an error is none of the menu's, whatever its address.
            broken = [
                *broken_rules(html, response.request.path if status == 200 else "", soup),
                *_another_release(soup, response.headers.get(HEADER, "")),
            ]
        broken += self._dead_links(soup, path)
        assert not broken, f"{path}:\n  " + "\n  ".join(broken)
        return soup

    def _dead_links(self, soup: Soup, path: str) -> Iterator[str]:
        for link in soup.select("a[href], link[href], img[src], script[src]"):
            target = attribute(link, "href") or attribute(link, "src")
            url = urldefrag(urljoin(f"http://localhost{path}", target)).url
            if target.startswith("#") or urlsplit(url).hostname != "localhost":
                continue
            if url not in self._resolved:
                response = self._client.get(url.removeprefix("http://localhost"))
                self._resolved[url] = response.status_code
                response.close()
            if self._resolved[url] >= 400:
                yield f"the link to {target} answers {self._resolved[url]}"


def _another_release(soup: Soup, announced: str) -> Iterator[str]:
    """Hold the header that names the release against the footer, which does too."""
    shown = text(soup.one(COLOPHON)) if soup.select(COLOPHON) else ""
    expected = f"release {announced[:7]}" if _COMMIT.fullmatch(announced) else announced.replace("-", " ")
    if not announced or shown != expected:
        yield f"the header names the release {announced!r}, and the footer {shown!r}"


def broken_rules(html: str, path: str = "/", soup: Soup | None = None) -> Iterator[str]:
    """Yield one sentence for each rule that a page breaks."""
    for error in JustHTML(html, collect_errors=True).errors:
        yield f"not HTML5: {error.code} in line {error.line}"
    soup = soup or Soup(html)
    for rule in RULES:
        yield from rule(soup, path)


def has_language_and_viewport(soup: Soup, _path: str) -> Iterator[str]:
    if not soup.select("html[lang]"):
        yield "the html element names no language"
    if not soup.select("meta[name=viewport][content*='width=device-width']"):
        yield "there is no viewport"
    if soup.select("meta[name=viewport][content*=user-scalable], meta[name=viewport][content*=maximum-scale]"):
        yield "the viewport forbids zooming"


def has_one_h1_and_the_title_begins_with_it(soup: Soup, _path: str) -> Iterator[str]:
    headings, titles = soup.texts("h1"), soup.texts("head > title")
    if len(headings) != 1:
        yield f"there are {len(headings)} h1"
    elif len(titles) != 1 or not titles[0].startswith(headings[0]):
        yield f"the title {titles} does not begin with the h1 {headings[0]!r}"


def headings_do_not_skip_a_level(soup: Soup, _path: str) -> Iterator[str]:
    levels = [int(heading.name[1]) for heading in soup.select("h1, h2, h3, h4, h5, h6")]
    for before, after in pairwise(levels):
        if after > before + 1:
            yield f"an h{after} follows an h{before}"


def has_landmarks(soup: Soup, _path: str) -> Iterator[str]:
    for landmark in ("body > header", "body > main[id]", "body > footer"):
        if len(soup.select(landmark)) != 1:
            yield f"there is not one {landmark}"
    names = [attribute(nav, "aria-label") for nav in soup.select("nav")]
    if len(names) > 1 and (not all(names) or len(set(names)) < len(names)):
        yield f"navs are not told apart by their labels: {names}"


def begins_with_a_skip_link(soup: Soup, _path: str) -> Iterator[str]:
    first = soup.select("body a, body button, body input")[:1]
    main = soup.select("main[id]")
    if not first or not main or attribute(first[0], "href") != f"#{attribute(main[0], 'id')}":
        yield "the first thing to focus is not a link to main"


def ids_are_unique_and_references_hold(soup: Soup, _path: str) -> Iterator[str]:
    counts = Counter(attribute(element, "id") for element in soup.select("[id]"))
    yield from (f"the id {name!r} stands {count} times" for name, count in counts.items() if count > 1)
    for name in ("for", "aria-describedby", "aria-labelledby", "aria-controls", "list"):
        for element in soup.select(f"[{name}]"):
            for target in attribute(element, name).split():
                if target not in counts:
                    yield f"{name}={target!r} leads to no element"
    for link in soup.select("a[href^='#']"):
        if attribute(link, "href")[1:] not in counts:
            yield f"the link {attribute(link, 'href')} leads to no element"


def controls_have_labels(soup: Soup, _path: str) -> Iterator[str]:
    for control in soup.select(CONTROLS):
        name = attribute(control, "id")
        labels = [text(label) for label in soup.select(f"label[for='{name}']")] if name else []
        labels += [text(label) for label in control.parents if isinstance(label, Tag) and label.name == "label"]
        if not any(labels) and not attribute(control, "aria-label") and not attribute(control, "aria-labelledby"):
            yield f"the control {attribute(control, 'name') or name!r} has no label"


def images_links_and_buttons_have_names(soup: Soup, _path: str) -> Iterator[str]:
    for image in soup.select("img:not([alt])"):
        yield f"the image {attribute(image, 'src')} has no alt text"
    for element in soup.select("a[href]:not([aria-hidden=true]), button"):
        alternatives = [attribute(image, "alt") for image in element.select("img[alt]")]
        if not (text(element) or attribute(element, "aria-label") or any(alternatives)):
            yield f"a {element.name} has no name: {element}"
    for hidden in soup.select("a[href][aria-hidden=true]:not([tabindex='-1'])"):
        yield f"a hidden link takes the focus: {attribute(hidden, 'href')}"


def the_current_page_is_marked_in_the_menu(soup: Soup, path: str) -> Iterator[str]:
    marked = soup.select("header nav a[aria-current=page]")
    if len(marked) > 1:
        yield f"{len(marked)} links of the menu are marked as the current page"
    for link in soup.select("header nav a[href]"):
        if attribute(link, "href") == path and link not in marked:
            yield f"the menu does not mark {path} as the current page"


def forms_say_where_and_how_they_are_sent(soup: Soup, _path: str) -> Iterator[str]:
    for form in soup.select("form"):
        if not attribute(form, "action") or attribute(form, "method") not in ("get", "post"):
            yield f"a form has no action or no method: {attribute(form, 'action')!r}"


def tables_are_described(soup: Soup, _path: str) -> Iterator[str]:
    for table in soup.select("table"):
        if not table.select("caption"):
            yield "a table has no caption"
    for _ in soup.select("th:not([scope])"):
        yield "a th has no scope"


def the_footer_names_the_release(soup: Soup, _path: str) -> Iterator[str]:
    links = soup.texts(COLOPHON)
    if len(links) != 1 or not _LABEL.fullmatch(links[0]):
        yield f"the footer does not lead to the colophon by the release's name: {links}"


def obeys_the_content_security_policy(soup: Soup, _path: str) -> Iterator[str]:
    for script in soup.select("script:not([src]):not([nonce])"):
        if attribute(script, "type") not in DATA_BLOCKS:
            yield "an inline script has no nonce"
    for _ in soup.select("style:not([nonce])"):
        yield "a style element has no nonce"
    for element in soup.select("*"):
        for name in element.attrs:
            if name == "style" or name.startswith("on"):
                yield f"a {element.name} has the attribute {name}"
    for link in soup.select("[href^='javascript:' i]"):
        yield f"a {link.name} leads to a script"


def fetches_only_from_this_site(soup: Soup, _path: str) -> Iterator[str]:
    for selector, name in FETCHING.items():
        for element in soup.select(selector):
            url = attribute(element, name)
            if not url.startswith("/") or url.startswith("//"):
                yield f"a {element.name} is fetched from {url}"


RULES: tuple[Callable[[Soup, str], Iterator[str]], ...] = (
    has_language_and_viewport,
    has_one_h1_and_the_title_begins_with_it,
    headings_do_not_skip_a_level,
    has_landmarks,
    begins_with_a_skip_link,
    ids_are_unique_and_references_hold,
    controls_have_labels,
    images_links_and_buttons_have_names,
    the_current_page_is_marked_in_the_menu,
    forms_say_where_and_how_they_are_sent,
    tables_are_described,
    the_footer_names_the_release,
    obeys_the_content_security_policy,
    fetches_only_from_this_site,
)
