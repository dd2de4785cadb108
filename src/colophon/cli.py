"""The command line: `python -m colophon`. Each mistake is answered by one sentence and a non-zero exit."""

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

from . import database, settings
from .access import tokens
from .bulk import commands
from .catalogue import built_in, writing
from .database import revisions
from .release import passport
from .web import request_log as logs

log = logging.getLogger(__name__)

GUNICORN_CONFIG = Path(__file__).parents[1] / "gunicorn.conf.py"


class OneSentence(click.Group):
    """A group of commands whose expected failures end in one sentence, not in a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (settings.SettingsError, passport.PassportError, revisions.DatabaseUnusableError, CommandError) as error:
            raise click.ClickException(str(error)) from None
        except DBAPIError as error:
            raise click.ClickException(f"The database cannot do that: {database.reason(error)}.") from None


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
    passport.read()  # before the database is touched; the server reads it again
    _require_free_port(config.host, config.port)
    _prepare(config.database_url)
    sys.stdout.flush()
    server = [sys.executable, "-m", "gunicorn", "--config", str(GUNICORN_CONFIG), "colophon:create_app()"]
    os.execv(sys.executable, server)  # noqa: S606 -- no shell, and no word of it is a visitor's


@main.command()
@click.pass_obj
def prepare(config: settings.Settings) -> None:
    """Prepare the database without serving: migrate it, and load the site's own books where it holds none."""
    _prepare(config.database_url)


@main.command()
def release() -> None:
    """Print this copy's passport: which release it is, and what it is made of, as JSON."""
    click.echo(passport.current().json(), nl=False)


@main.group()
def db() -> None:
    """The database's schema."""


@db.command()
@click.argument("revision", default="head")
@click.pass_obj
def upgrade(config: settings.Settings, revision: str) -> None:
    """Migrate the schema up to REVISION, by default to this release's."""
    with revisions.ready(config.database_url, revision):
        pass


@db.command()
@click.argument("revision")
@click.pass_obj
def downgrade(config: settings.Settings, revision: str) -> None:
    """Migrate the schema down to REVISION ('base' is empty). What the later ones held is lost."""
    with revisions.opened(config.database_url) as engine:
        revisions.downgrade(engine, revision)


@db.command()
@click.argument("message")
@click.pass_obj
def revision(config: settings.Settings, message: str) -> None:
    """Write a new migration from the difference between the models and the database."""
    number = f"{int(revisions.head()) + 1:04d}"
    with revisions.ready(config.database_url) as engine:
        command.revision(revisions.alembic_config(engine), message, autogenerate=True, rev_id=number)


@main.group()
def books() -> None:
    """The catalogue's books."""


books.add_command(commands.import_books)
books.add_command(commands.export_books)


@main.group(name="tokens")
def token_commands() -> None:
    """The tokens that programs write with."""


def _one_line(_context: click.Context, _parameter: click.Parameter, name: str) -> str:
    if not (1 <= len(name.strip()) <= 100 and name.isprintable()):
        raise click.BadParameter("must have 1 to 100 printable characters.")
    return name.strip()


@token_commands.command(name="create")
@click.argument("name", callback=_one_line)
@click.option("--scope", type=click.Choice(tokens.SCOPES), default="read", show_default=True)
@click.option("--days", type=click.IntRange(1, 3650), default=90, show_default=True, help="How long it is good for.")
@click.pass_obj
def create_token(config: settings.Settings, name: str, scope: str, days: int) -> None:
    """Make a token for NAME and print it, once: it is kept as a hash only."""
    with revisions.ready(config.database_url) as engine, database.transaction(engine) as connection:
        token = tokens.create(connection, name, scope, timedelta(days=days))
    click.echo(f"This is the only time that the token of {name} is shown:", err=True)
    click.echo(token)


@token_commands.command(name="list")
@click.pass_obj
def list_tokens(config: settings.Settings) -> None:
    """List all tokens: number, scope, name, when each ends and when it was last used."""
    with revisions.readable(config.database_url) as engine, engine.connect() as connection:
        for token in tokens.all_tokens(connection):
            last = f"last used {token.last_used_at:%Y-%m-%d %H:%M}" if token.last_used_at else "never used"
            click.echo(f"{token.id:>4}  {token.scope:<5}  {token.status():<20}  {last:<26}  {token.name}")


@token_commands.command(name="revoke")
@click.argument("number", type=click.IntRange(1, 2**31 - 1))
@click.pass_obj
def revoke_token(config: settings.Settings, number: int) -> None:
    """End the token with this NUMBER, at once and for good."""
    with revisions.ready(config.database_url) as engine, database.transaction(engine) as connection:
        if not tokens.revoke(connection, number):
            raise click.ClickException(f"There is no token {number}.")
    click.echo(f"Token {number} is revoked.")


def _prepare(database_url: str) -> None:
    with revisions.ready(database_url) as engine:
        if writing.is_empty(engine):
            added = writing.add_books(engine, built_in.built_in_books(), only_if_empty=True)
            if added:
                log.info("loaded %s books into the empty catalogue", added)
            else:
                log.info("another process has filled the catalogue meanwhile")


def _require_free_port(host: str, port: int) -> None:
    """Raise ClickException when the server could not listen there; Gunicorn alone would try for five seconds."""
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
