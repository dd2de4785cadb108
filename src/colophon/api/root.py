"""The root of the API: the catalogue's totals, and links to the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..catalogue.reading import Catalogue
from ..web import state
from ..web.templating import absolute_url
from .operations import blueprint, json_response, operation
from .representations import Root

if TYPE_CHECKING:
    from flask import Response


@blueprint.get("")
@operation(summary="Get the totals and the links", answers={200: Root})
def root() -> Response:
    """Return totals and links."""
    catalogue = Catalogue(state.connection())
    totals = catalogue.totals()
    endpoints = {
        "books": "api.list_books",
        "authors": "api.list_authors",
        "subjects": "api.list_subjects",
        "documentation": "documentation.page",
        "specification": "api.specification",
        "release": "well_known.release",
    }
    return json_response(
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
            "links": {name: absolute_url(endpoint) for name, endpoint in endpoints.items()},
        }
    )
