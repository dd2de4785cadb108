"""The catalogue around its books: what it holds, authors and subjects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Response, current_app, url_for

from .. import database
from ..books import Catalogue
from ..errors import Problem
from ..listing import AUTHORS_PER_PAGE, AuthorsParameters
from .operations import answer, blueprint, operation
from .representations import AuthorList, AuthorRepresentation, Root, SubjectList, SubjectRepresentation

if TYPE_CHECKING:
    from ..records import AuthorRow, Facet


def _absolute(endpoint: str, **values: Any) -> str:
    address: str = current_app.extensions["absolute"](url_for(endpoint, **values))
    return address


@blueprint.get("")
@operation(summary="See what there is", answers={200: Root})
def root(parameters: dict[str, Any]) -> Response:  # noqa: ARG001
    catalogue = Catalogue(database.current())
    totals = catalogue.totals()
    places = {
        "books": "api.list_books",
        "authors": "api.list_authors",
        "subjects": "api.list_subjects",
        "documentation": "documentation.page",
        "specification": "api.specification",
        "release": "feeds.release",
    }
    return answer(
        {
            "name": "Colophon",
            "totals": {
                "books": totals.books,
                "authors": totals.authors,
                "subjects": len(catalogue.subjects()),
                "languages": totals.languages,
                "first_year": totals.first_year,
                "last_year": totals.last_year,
            },
            "links": {name: _absolute(endpoint) for name, endpoint in places.items()},
        }
    )


@blueprint.get("/authors")
@operation(
    summary="List authors",
    details="By the name that they are filed under, a hundred a page.",
    parameters=AuthorsParameters,
    answers={200: AuthorList},
    errors=(404,),
)
def list_authors(parameters: dict[str, Any]) -> Response:
    letter = parameters.get("letter")
    page = Catalogue(database.current()).authors(letter, parameters.get("page", 1))
    response = answer(
        {
            "total": page.total,
            "page": page.page,
            "pages": page.pages,
            "limit": AUTHORS_PER_PAGE,
            "authors": [_author(row) for row in page.items],
        }
    )
    links = {"first": 1, "prev": page.page - 1, "next": page.page + 1, "last": page.pages}
    for relation, number in links.items():
        if 1 <= number <= page.pages:
            target = _absolute("api.list_authors", letter=letter, page=number if number > 1 else None)
            response.headers.add("Link", f'<{target}>; rel="{relation}"')
    return response


@blueprint.get("/authors/<slug>")
@operation(summary="Get an author", answers={200: AuthorRepresentation}, errors=(404,))
def get_author(slug: str, parameters: dict[str, Any]) -> Response:  # noqa: ARG001
    row = Catalogue(database.current()).author_row(slug)
    if row is None:
        raise Problem(404, f"There is no author ‘{slug}’ in the catalogue.")
    return answer(_author(row))


@blueprint.get("/subjects")
@operation(summary="List subjects", answers={200: SubjectList})
def list_subjects(parameters: dict[str, Any]) -> Response:  # noqa: ARG001
    subjects = Catalogue(database.current()).subjects()
    return answer({"total": len(subjects), "subjects": [_subject(subject) for subject in subjects]})


@blueprint.get("/subjects/<slug>")
@operation(summary="Get a subject", answers={200: SubjectRepresentation}, errors=(404,))
def get_subject(slug: str, parameters: dict[str, Any]) -> Response:  # noqa: ARG001
    for subject in Catalogue(database.current()).subjects():
        if subject.slug == slug:
            return answer(_subject(subject))
    raise Problem(404, f"There is no subject ‘{slug}’ in the catalogue.")


def _author(row: AuthorRow) -> dict[str, Any]:
    return {
        "slug": row.slug,
        "name": row.name,
        "sort": row.sort,
        "original_name": row.original_name,
        "books": row.count,
        "links": {
            "self": _absolute("api.get_author", slug=row.slug),
            "html": _absolute("pages.books", author=row.slug),
            "books": _absolute("api.list_books", author=row.slug),
        },
    }


def _subject(subject: Facet) -> dict[str, Any]:
    return {
        "slug": subject.slug,
        "name": subject.name,
        "books": subject.count,
        "links": {
            "self": _absolute("api.get_subject", slug=subject.slug),
            "html": _absolute("pages.books", subject=subject.slug),
            "books": _absolute("api.list_books", subject=subject.slug),
        },
    }
