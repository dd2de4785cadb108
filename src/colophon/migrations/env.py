"""Alembic runs migrations through this file; `database.py` gives it the engine."""

from alembic import context

from colophon import database
from colophon.models import SEARCH_TABLE, Base

with database.migrating(context.config.attributes["engine"]) as connection:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        render_as_batch=True,
        # The full-text index makes tables of its own, which no model describes.
        include_name=lambda name, kind, _parents: not (kind == "table" and (name or "").startswith(SEARCH_TABLE)),
    )
    context.run_migrations()
