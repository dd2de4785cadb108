"""The views of the HTML pages."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from flask import Blueprint, Response, abort, g, redirect, render_template, request, url_for

from ..catalogue.languages import language_name
from ..catalogue.list_query import SORTS, AuthorsParameters, ListQuery, ParameterError, list_query, read
from ..catalogue.reading import Catalogue
from ..web import state
from ..web.compression import cached
from ..web.kept import kept
from ..web.templating import COLOUR_COOKIE, COLOUR_MODES, absolute, absolute_url, year
from . import covers, pipeline

if TYPE_CHECKING:
    from collections.abc import Callable

    from werkzeug.wrappers import Response as BaseResponse

    from ..catalogue.types import BookDetail, Page


blueprint = Blueprint("pages", __name__)

NEWEST = 8
DAY = 86_400
YEAR = 365 * DAY
LONGEST_FORM = 65_536  # bytes: a colour mode, and an address of at most 16 kB, escaped twice


class Chip(NamedTuple):
    """An active filter, and the URL of the list without it."""

    label: str
    value: str
    remove_url: str


def catalogue() -> Catalogue:
    """Return the request's catalogue, whose state is read once."""
    if "catalogue" not in g:
        g.catalogue = Catalogue(state.connection())
    return cast("Catalogue", g.catalogue)


@blueprint.get("/")
@kept
def home() -> str:
    """Show the home page."""
    books = catalogue()
    totals = books.totals()
    return render_template(
        "pages/home.html",
        total=totals.books,
        author_count=totals.authors,
        language_count=totals.languages,
        first_year=totals.first_year,
        last_year=totals.last_year,
        newest=books.newest(NEWEST),
        subjects=books.subjects(),
        eras=books.eras(),
        json_url=absolute_url("api.root"),
    )


@blueprint.get("/books")
@kept
def books() -> str:
    """Show a list of books."""
    query = list_query(request.args)
    shelf = catalogue()
    results = shelf.page(query)
    author = shelf.author(query.author) if query.author else None
    author_name = author.name if author else query.author
    return render_template(
        "pages/books.html",
        heading=f"Books matching “{query.q}”" if query.q else f"Books by {author.name}" if author else "Books",
        query=query,
        results=results,
        subjects=shelf.subjects(),
        languages=shelf.languages(),
        author_name=author_name,
        sorts=[(value, label) for value, label in SORTS.items() if query.q or value != "relevance"],
        default_sort=query.default_sort,
        chips=_chips(query, author_name, {facet.slug: facet.name for facet in shelf.subjects()}),
        json_url=absolute_url("api.list_books", **query.parameters(page=query.page)),
        **_paging(results, lambda number: _list_url(query, page=number)),
    )


@blueprint.get("/books/<slug>")
@kept
def book(slug: str) -> str:
    """Show a book."""
    shelf = catalogue()
    found = shelf.book(slug) or abort(404, "There is no book at this address in the catalogue.")
    return render_template(
        "pages/book.html",
        book=found,
        same_authors=shelf.by_same_authors(found),
        json_ld=_json_ld(found),
        json_url=absolute_url("api.get_book", name=slug),
    )


@blueprint.get("/books/<slug>/cover.svg")
@kept
def cover(slug: str) -> Response:
    """Return the cover of a book."""
    found = catalogue().book(slug) or abort(404, "There is no book at this address in the catalogue.")
    author = found.authors[0].name if found.authors else ""
    return cached(covers.draw(found.title, author, found.slug), "image/svg+xml", DAY)


@blueprint.get("/authors")
@kept
def authors() -> str:
    """Show the authors, of all letters or of one."""
    parameters = read(AuthorsParameters(), request.args)
    letter = parameters.get("letter")
    shelf = catalogue()
    results = shelf.authors(letter, parameters.get("page", 1))
    return render_template(
        "pages/authors.html",
        letter=letter.upper() if letter else None,
        letters=[(name.upper(), count) for name, count in shelf.letters()],
        authors=results.items,
        results=results,
        json_url=absolute_url("api.list_authors", letter=letter, page=results.page if results.page > 1 else None),
        **_paging(
            results,
            lambda number: url_for(".authors", letter=letter, page=number if number > 1 else None),
        ),
    )


@blueprint.get("/subjects")
@kept
def subjects() -> str:
    """Show the subjects."""
    return render_template(
        "pages/subjects.html", subjects=catalogue().subjects(), json_url=absolute_url("api.list_subjects")
    )


@blueprint.get("/colophon")
@kept
def colophon() -> str:
    """Show the passport of this release."""
    shelf = catalogue()
    totals = shelf.totals()
    counts = {"books": totals.books, "authors": totals.authors, "subjects": len(shelf.subjects())}
    return render_template(
        "pages/colophon.html",
        stages=pipeline.stages(state.current().release),
        counts=counts,
        json_url=absolute_url("well_known.release"),
    )


@blueprint.get("/about")
@kept
def about() -> str:
    """Show the page about the site."""
    return render_template("pages/about.html", json_url=absolute_url("api.root"))


@blueprint.post("/preferences")
def preferences() -> BaseResponse:
    """Store the visitor's colour mode in a cookie, and return to their page."""
    request.max_content_length = min(LONGEST_FORM, state.current().settings.max_request_bytes)
    mode = request.form.get("colour_mode", "")
    if mode not in COLOUR_MODES:
        raise ParameterError([("colour_mode", f"Must be one of: {', '.join(COLOUR_MODES)}.")])
    back = request.form.get("next", "/")
    # Only a path of this site: browsers read '//host' and '/\host' as other sites.
    if not back.startswith("/") or back[1:2] in ("/", "\\") or not back.isprintable():
        back = url_for(".home")
    response = redirect(back, 303)
    https = state.current().settings.https
    if mode == "auto":
        response.delete_cookie(COLOUR_COOKIE, secure=https, httponly=True, samesite="Lax")
    else:
        response.set_cookie(COLOUR_COOKIE, mode, max_age=YEAR, secure=https, httponly=True, samesite="Lax")
    return response


def _paging(results: Page[Any], page_url: Callable[[int], str]) -> dict[str, Any]:
    """Return the template variables that link the pages of a list."""
    page = results.page
    return {
        "page_url": page_url,
        "pager": _pager(page, results.pages),
        "canonical": absolute(page_url(page)),
        "prev_url": absolute(page_url(page - 1)) if page > 1 else None,
        "next_url": absolute(page_url(page + 1)) if page < results.pages else None,
    }


def _pager(page: int, pages: int) -> list[int | None]:
    """Return the numbers of the pages to link to: the ends and the neighbours of this one, None for a gap."""
    near = sorted({1, *range(max(1, page - 1), min(pages, page + 1) + 1), pages})
    numbers: list[int | None] = []
    for number in near:
        if numbers and (last := numbers[-1]) is not None and number - last > 1:
            numbers.append(last + 1 if number - last == 2 else None)
        numbers.append(number)
    return numbers


def _list_url(query: ListQuery, **changes: Any) -> str:
    parameters: dict[str, Any] = dict(query.parameters(**changes))
    return url_for(".books", **parameters)


def _chips(query: ListQuery, author_name: str | None, subject_names: dict[str, str]) -> list[Chip]:
    shown = {
        "q": ("Search", query.q),
        "author": ("Author", author_name),
        "subject": ("Subject", query.subject and subject_names[query.subject]),
        "language": ("Language", query.language and language_name(query.language)),
        "year_from": ("From", query.year_from and year(query.year_from)),
        "year_to": ("To", query.year_to and year(query.year_to)),
    }
    return [Chip(label, value, _list_url(query, **{name: None})) for name, (label, value) in shown.items() if value]


def _json_ld(book: BookDetail) -> str:
    """Return a book as JSON-LD of schema.org, escaped for a script element."""
    page = absolute_url(".book", slug=book.slug)
    described = {
        "@context": "https://schema.org",
        "@type": "Book",
        "@id": page,
        "url": page,
        "name": book.title,
        "alternativeHeadline": book.subtitle,
        "alternateName": book.original_title,
        "author": [{"@type": "Person", "name": author.name} for author in book.authors],
        "inLanguage": book.language,
        # ISO 8601 counts a year 0 before the year 1: 750 BCE is -0749.
        "datePublished": f"{book.year:04d}" if book.year > 0 else f"{book.year + 1:05d}",
        "description": book.description,
        "about": [subject.name for subject in book.subjects],
        "publisher": book.publisher and {"@type": "Organization", "name": book.publisher},
        "numberOfPages": book.pages,
        "isbn": book.isbn13,
    }
    written = json.dumps({name: value for name, value in described.items() if value}, ensure_ascii=False)
    return written.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
