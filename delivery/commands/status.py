"""`status`: what runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from delivery.commands.session import root_option, session
from delivery.deployment import proof, receipts
from delivery.terminal.plain import plain

if TYPE_CHECKING:
    from pathlib import Path

    from delivery.deployment.seam import Running


@click.command()
@root_option
def status(root: Path) -> None:
    """Show what runs, since when, and what the load balancer and the site say of it. Changes nothing."""
    with session(root) as on:
        on.target.require_service()
        now = on.target.running
        rows = [
            ("commit", now.commit or ("not one" if now.differing else "none yet")),
            ("image", now.image or now.differing or "none yet"),
            ("released", _recorded(now)),
            *on.target.status(),
            ("site", _site(now)),
        ]
        last = next(receipts.newest(on.target.store, 1), None)
        rows.append(("last receipt", f"{last['key']}: {last['kind']}, {last['outcome']}" if last else "none"))
    for name, value in rows:
        click.echo(plain(f"{name:<13} {value}"))


def _recorded(now: Running) -> str:
    if now.recorded is None and not (now.image or now.differing):
        return "nothing was released yet"
    if now.recorded is None:
        return "none is recorded; `make deploy` of the commit that runs records it"
    return "this image" if now.recorded == now.image else f"a different image: {now.recorded}"


def _site(now: Running) -> str:
    if not now.url:
        return "its address is not known"
    try:
        passport = proof.fetch_passport(now.url)
    except (OSError, ValueError) as error:
        return f"{now.url} shows no passport: {error}"
    return f"{now.url} serves {passport.get('commit') or 'a working copy'}"
