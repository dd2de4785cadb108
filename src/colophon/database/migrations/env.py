"""Alembic's environment; `revisions.py` passes it the engine."""

from alembic import context

from colophon.database import revisions
from colophon.database.models import SEARCH_TABLE, Base

with revisions.migrating(context.config.attributes["engine"]) as connection:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        render_as_batch=True,
        # No model describes the full-text index, which has several tables on SQLite.
        include_name=lambda name, kind, _parents: not (kind == "table" and (name or "").startswith(SEARCH_TABLE)),
    )
    context.run_migrations()
