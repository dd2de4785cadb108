"""Pages of a list, with links to the others (RFC 8288)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .operations import json_response

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask import Response

    from ..catalogue.types import Page


def paged(page: Page[Any], name: str, items: list[dict[str, Any]], address: Callable[[int], str]) -> Response:
    """Return a page with its items under `name`, and links to others; `address` maps a number to a page's URL."""
    response = json_response(
        {"total": page.total, "page": page.page, "pages": page.pages, "limit": page.per_page, name: items}
    )
    links = {"first": 1, "prev": page.page - 1, "next": page.page + 1, "last": page.pages}
    for relation, number in links.items():
        if 1 <= number <= page.pages:
            link(response, relation, address(number))
    return response


def link(response: Response, relation: str, target: str) -> None:
    """Add a Link header to a response."""
    response.headers.add("Link", f'<{target}>; rel="{relation}"')
