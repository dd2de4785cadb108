"""The catalogue around its books: what it holds, authors and subjects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..catalogue.list_query import AuthorsParameters
from ..catalogue.reading import Catalogue
from ..web import state
from ..web.errors import Problem
from ..web.templating import absolute_url
from .operations import answer, blueprint, operation
from .paging import paged
from .representations import AuthorList, AuthorRepresentation, Root, SubjectList, SubjectRepresentation

if TYPE_CHECKING:
    from flask import Response

    from ..catalogue.types import AuthorRow, Facet


@blueprint.get("")
@operation(summary="See what there is", answers={200: Root})
def root(parameters: dict[str, Any]) -> Response:  # noqa: ARG001
    catalogue = Catalogue(state.connection())
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
            "links": {name: absolute_url(endpoint) for name, endpoint in places.items()},
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
    page = Catalogue(state.connection()).authors(letter, parameters.get("page", 1))
    return paged(
        page,
        "authors",
        [_author(row) for row in page.items],
        lambda number: absolute_url("api.list_authors", letter=letter, page=number if number > 1 else None),
    )


@blueprint.get("/authors/<slug>")
@operation(summary="Get an author", answers={200: AuthorRepresentation}, errors=(404,))
def get_author(slug: str, parameters: dict[str, Any]) -> Response:  # noqa: ARG001
    row = Catalogue(state.connection()).author_row(slug)
    if row is None:
        raise Problem(404, f"There is no author ‘{slug}’ in the catalogue.")
    return answer(_author(row))


@blueprint.get("/subjects")
@operation(summary="List subjects", answers={200: SubjectList})
def list_subjects(parameters: dict[str, Any]) -> Response:  # noqa: ARG001
    subjects = Catalogue(state.connection()).subjects()
    return answer({"total": len(subjects), "subjects": [_subject(subject) for subject in subjects]})


@blueprint.get("/subjects/<slug>")
@operation(summary="Get a subject", answers={200: SubjectRepresentation}, errors=(404,))
def get_subject(slug: str, parameters: dict[str, Any]) -> Response:  # noqa: ARG001
    for subject in Catalogue(state.connection()).subjects():
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
            "self": absolute_url("api.get_author", slug=row.slug),
            "html": absolute_url("pages.books", author=row.slug),
            "books": absolute_url("api.list_books", author=row.slug),
        },
    }


def _subject(subject: Facet) -> dict[str, Any]:
    return {
        "slug": subject.slug,
        "name": subject.name,
        "books": subject.count,
        "links": {
            "self": absolute_url("api.get_subject", slug=subject.slug),
            "html": absolute_url("pages.books", subject=subject.slug),
            "books": absolute_url("api.list_books", subject=subject.slug),
        },
    }
