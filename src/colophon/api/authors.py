"""Authors: list and get."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..catalogue.list_query import AuthorsParameters
from ..catalogue.reading import Catalogue
from ..web import state
from ..web.errors import Problem
from ..web.templating import absolute_url
from .operations import blueprint, json_response, operation
from .paging import paged
from .representations import AuthorList, AuthorRepresentation

if TYPE_CHECKING:
    from flask import Response

    from ..catalogue.types import AuthorRow


@blueprint.get("/authors")
@operation(
    summary="List authors",
    details="By filing name, a hundred per page.",
    parameters=AuthorsParameters,
    answers={200: AuthorList},
    errors=(404,),
)
def list_authors(parameters: dict[str, Any]) -> Response:
    """Return one page of authors."""
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
def get_author(slug: str) -> Response:
    """Return one author."""
    row = Catalogue(state.connection()).author_row(slug)
    if row is None:
        raise Problem(404, f"There is no author ‘{slug}’ in the catalogue.")
    return json_response(_author(row))


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
