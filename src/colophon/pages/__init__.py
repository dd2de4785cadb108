"""HTML pages for visitors."""

from .views import blueprint

__all__ = ["blueprint"]
