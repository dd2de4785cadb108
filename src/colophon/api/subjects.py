"""Subjects: list and get."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..catalogue.reading import Catalogue
from ..web import state
from ..web.errors import Problem
from ..web.templating import absolute_url
from .operations import blueprint, json_response, operation
from .representations import SubjectList, SubjectRepresentation

if TYPE_CHECKING:
    from flask import Response

    from ..catalogue.types import Facet


@blueprint.get("/subjects")
@operation(summary="List subjects", answers={200: SubjectList})
def list_subjects() -> Response:
    """Return all subjects."""
    subjects = Catalogue(state.connection()).subjects()
    return json_response({"total": len(subjects), "subjects": [_subject(subject) for subject in subjects]})


@blueprint.get("/subjects/<slug>")
@operation(summary="Get a subject", answers={200: SubjectRepresentation}, errors=(404,))
def get_subject(slug: str) -> Response:
    """Return one subject."""
    for subject in Catalogue(state.connection()).subjects():
        if subject.slug == slug:
            return json_response(_subject(subject))
    raise Problem(404, f"There is no subject ‘{slug}’ in the catalogue.")


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
