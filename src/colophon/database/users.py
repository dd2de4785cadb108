"""The site's users on PostgreSQL: each may read and write the rows of the site's tables, and change no table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
from psycopg import sql
from sqlalchemy import text

from .engine import transaction
from .models import SEARCH_TABLE, Base
from .revisions import DatabaseUnusableError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Connection, Engine

VERSION_TABLE = "alembic_version"
_GRANTS = {"TABLES": "SELECT, INSERT, UPDATE, DELETE", "SEQUENCES": "USAGE, SELECT"}
# has_table_privilege returns NULL for a table that there is none of.
_LACKING = text("""
    SELECT privilege || ' on ' || name
    FROM unnest(CAST(:tables AS text[])) AS name, unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS privilege
    WHERE NOT has_table_privilege(to_regclass(name), privilege) AND (name <> :version OR privilege = 'SELECT')
""")


def grant(engine: Engine, users: Iterable[tuple[str, str]]) -> None:
    """Make the users that are missing, set the password of each, and grant it the rights that serving takes.

    `users` are names with their passwords. Tables that a later migration makes are granted as they are made. Raises
    DatabaseUnusableError for the owner itself, and where the owner may not make users.
    """
    for name, password in users:
        with transaction(engine) as db:
            _grant(db, name, password)


def _grant(db: Connection, name: str, password: str) -> None:
    connection = db.connection.driver_connection
    assert connection is not None  # noqa: S101 -- for the types: it is in a transaction
    owner, database, schema = db.execute(text("SELECT current_user, current_database(), current_schema()")).one()
    if name == owner:
        raise DatabaseUnusableError(f"{name} owns the database; the site needs a user of its own, with fewer rights.")
    # The server gets the password as it stores it: a statement can end up in its log.
    stored = connection.pgconn.encrypt_password(password.encode(), name.encode()).decode()
    words: dict[str, sql.Composable] = {
        "database": sql.Identifier(database),
        "schema": sql.Identifier(schema),
        "user": sql.Identifier(name),
        "password": sql.Literal(stored),
        "version": sql.Identifier(VERSION_TABLE),
    }
    known = db.scalar(text("SELECT 1 FROM pg_roles WHERE rolname = :name"), {"name": name})
    statements = [
        f"{'ALTER' if known else 'CREATE'} ROLE {{user}} LOGIN PASSWORD {{password}}",
        "GRANT CONNECT ON DATABASE {database} TO {user}",
        "GRANT USAGE ON SCHEMA {schema} TO {user}",
    ]
    for kind, rights in _GRANTS.items():
        statements.append(f"GRANT {rights} ON ALL {kind} IN SCHEMA {{schema}} TO {{user}}")
        statements.append(f"ALTER DEFAULT PRIVILEGES IN SCHEMA {{schema}} GRANT {rights} ON {kind} TO {{user}}")
    statements.append("REVOKE INSERT, UPDATE, DELETE ON {version} FROM {user}")
    try:
        for statement in statements:
            connection.execute(sql.SQL(statement).format(**words))
    except psycopg.Error as error:
        raise DatabaseUnusableError(f"{owner} cannot make the user {name}: {error.diag.message_primary}.") from None


def lacking(db: Connection) -> list[str]:
    """Return the rights that serving takes and the connection's user does not have, such as `INSERT on books`."""
    if db.dialect.name == "sqlite":
        return []
    tables = [*Base.metadata.tables, SEARCH_TABLE, VERSION_TABLE]
    return list(db.scalars(_LACKING, {"tables": tables, "version": VERSION_TABLE}))
