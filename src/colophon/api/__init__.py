"""The JSON API for programs, under /api/v1."""

from . import authors, books, documentation, root, specification, subjects
from .operations import blueprint

__all__ = ["authors", "blueprint", "books", "documentation", "root", "specification", "subjects"]
