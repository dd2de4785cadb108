"""The command line: `python -m colophon`. An expected failure ends with one sentence and a non-zero exit code."""

from __future__ import annotations

import errno
import logging.config
import os
import socket
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any, NoReturn

import click
from alembic import command
from alembic.util import CommandError
from sqlalchemy.exc import DBAPIError

from . import create_app, database, settings
from .access import tokens
from .bulk import commands
from .catalogue import built_in, writing
from .catalogue.text import printable
from .database import revisions, users
from .edge import configuration
from .release import passport
from .web import request_log as logs

log = logging.getLogger(__name__)

GUNICORN_CONFIG = Path(__file__).parents[1] / "gunicorn.conf.py"


class OneSentence(click.Group):
    """A group of commands whose expected failures print one sentence instead of a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command. Raises ClickException for an expected failure."""
        try:
            return super().invoke(ctx)
        except click.ClickException as error:
            # It may repeat the name of a file, or a value.
            error.message = printable(error.message)  # type: ignore[misc]  # final only by click's types
            raise
        except (settings.SettingsError, passport.PassportError, revisions.DatabaseUnusableError, CommandError) as error:
            raise click.ClickException(printable(str(error))) from None
        except DBAPIError as error:
            raise click.ClickException(f"The database cannot do that: {printable(database.reason(error))}.") from None


@click.group(cls=OneSentence, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(passport.VERSION, prog_name="colophon")
@click.pass_context
def main(context: click.Context) -> None:
    """Colophon: a book catalogue that says how it was built, tested and shipped."""
    context.obj = settings.load()
    logging.config.dictConfig(logs.config(context.obj, sys.stderr))


@main.command()
@click.pass_obj
def serve(config: settings.Settings) -> NoReturn:
    """Prepare the database and serve the site until Ctrl-C."""
    passport.read()  # fails before the database is migrated; the server reads it again
    _require_free_port(config.host, config.port)
    _prepare(config)
    sys.stdout.flush()
    server = [sys.executable, "-m", "gunicorn", "--config", str(GUNICORN_CONFIG), "colophon:create_app()"]
    os.execv(sys.executable, server)  # noqa: S606 -- no shell, and no input from visitors


@main.command()
@click.pass_obj
def edge(config: settings.Settings) -> NoReturn:
    """Serve as the edge, nginx, before the site at UPSTREAM until Ctrl-C: it needs no database."""
    _require_free_port(config.host, config.port)
    configuration.serve(config, create_app(config))


@main.command()
@click.pass_obj
def prepare(config: settings.Settings) -> None:
    """Migrate the database, and load the built-in books into an empty one, without serving.

    On PostgreSQL this also makes the users that DATABASE_SITE_USER and DATABASE_NEXT_USER name, and sets their
    passwords: they may read and write, but not migrate.
    """
    _prepare(config)


@main.command()
def release() -> None:
    """Print the passport of this copy as JSON: its release and its components."""
    click.echo(passport.current().json(), nl=False)


@main.group()
def db() -> None:
    """Migrate the schema of the database."""


@db.command()
@click.argument("revision", default="head")
@click.pass_obj
def upgrade(config: settings.Settings, revision: str) -> None:
    """Migrate the schema up to REVISION, by default to the newest of this release."""
    with revisions.ready(config.database_url, revision):
        pass


@db.command()
@click.argument("revision")
@click.pass_obj
def downgrade(config: settings.Settings, revision: str) -> None:
    """Migrate the schema down to REVISION ('base' is empty). Data of later revisions is lost."""
    with revisions.opened(config.database_url) as engine:
        revisions.downgrade(engine, revision)


@db.command()
@click.argument("message")
@click.pass_obj
def revision(config: settings.Settings, message: str) -> None:
    """Write a migration from the difference between the models and the database."""
    number = f"{int(revisions.head()) + 1:04d}"
    with revisions.ready(config.database_url) as engine:
        command.revision(revisions.alembic_config(engine), message, autogenerate=True, rev_id=number)


@main.group()
def books() -> None:
    """Import and export books."""


books.add_command(commands.import_books)
books.add_command(commands.export_books)


@main.group(name="tokens")
def token_commands() -> None:
    """Manage the API's tokens."""


def _one_line(_context: click.Context, _parameter: click.Parameter, name: str) -> str:
    if not (1 <= len(name.strip()) <= 100 and name.isprintable()):
        raise click.BadParameter("must have 1 to 100 printable characters.")
    return name.strip()


@token_commands.command(name="create")
@click.argument("name", callback=_one_line)
@click.option("--scope", type=click.Choice(tokens.SCOPES), default="read", show_default=True)
@click.option(
    "--days", type=click.IntRange(1, 3650), default=90, show_default=True, help="How long the token is valid."
)
@click.pass_obj
def create_token(config: settings.Settings, name: str, scope: str, days: int) -> None:
    """Create a token for NAME and print it. Only its hash is stored, so it is not shown again."""
    with revisions.ready(config.database_url) as engine, database.transaction(engine) as connection:
        token = tokens.create(connection, name, scope, timedelta(days=days))
    click.echo(f"The token of {name}, which will not be shown again:", err=True)
    click.echo(token)


@token_commands.command(name="list")
@click.pass_obj
def list_tokens(config: settings.Settings) -> None:
    """List all tokens with their scope, their expiry and their last use."""
    with revisions.readable(config.database_url) as engine, engine.connect() as connection:
        for token in tokens.all_tokens(connection):
            last = f"last used {token.last_used_at:%Y-%m-%d %H:%M}" if token.last_used_at else "never used"
            click.echo(f"{token.id:>4}  {token.scope:<5}  {token.status():<20}  {last:<26}  {token.name}")


@token_commands.command(name="revoke")
@click.argument("number", type=click.IntRange(1, 2**31 - 1))
@click.pass_obj
def revoke_token(config: settings.Settings, number: int) -> None:
    """Revoke the token NUMBER, at once and for good."""
    with revisions.ready(config.database_url) as engine, database.transaction(engine) as connection:
        if not tokens.revoke(connection, number):
            raise click.ClickException(f"There is no token {number}.")
    click.echo(f"Token {number} is revoked.")


def _prepare(config: settings.Settings) -> None:
    with revisions.ready(config.database_url) as engine:
        users.grant(engine, config.database_users)
        with engine.connect() as connection:
            if lacking := users.lacking(connection):
                raise revisions.DatabaseUnusableError(f"The database's user lacks {', '.join(lacking)}.")
        if writing.is_empty(engine):
            added = writing.add_books(engine, built_in.built_in_books(), only_if_empty=True)
            if added:
                log.info("loaded %s books into the empty catalogue", added)
            else:
                log.info("another process has loaded the books meanwhile")


def _require_free_port(host: str, port: int) -> None:
    """Raise ClickException if the server cannot listen there; Gunicorn would retry for five seconds."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        reason = "another program uses it" if error.errno == errno.EADDRINUSE else error.strerror
        raise click.ClickException(
            f"Port {port} of {host} cannot be used: {reason}. Choose another with PORT=, for example PORT={port + 1}."
        ) from None
