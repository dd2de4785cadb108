"""JSON for programs, under /api/v1."""

from . import books, catalogue, documentation, specification
from .operations import blueprint

__all__ = ["blueprint", "books", "catalogue", "documentation", "specification"]
