"""`history`: the deployments so far."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from delivery.commands.session import root_option, session
from delivery.deployment import receipts
from delivery.terminal.plain import plain

if TYPE_CHECKING:
    from pathlib import Path

    from delivery.deployment.seam import Json

COLOURS = {"live": "green", "rolled back": "yellow", "cancelled": "yellow", "superseded": "yellow", "refused": "yellow"}


@click.command()
@click.option(
    "--limit", type=click.IntRange(1), default=10, show_default=True, metavar="N", help="How many, the newest first."
)
@click.option("--json", "as_json", is_flag=True, help="The receipts themselves, a JSON array.")
@root_option
def history(limit: int, as_json: bool, root: Path) -> None:
    """List the deployments, live or not, by their receipts."""
    with session(root) as on:
        found = list(receipts.newest(on.target.store, limit))
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    for line in [_heading(), *(_row(each) for each in found)]:
        click.echo(line)
    if not found:
        click.echo("There are none yet.")


def _heading() -> str:
    return f"{'when':<20} {'kind':<9} {'commit':<13} {'outcome':<17} {'seconds':>7} {'requests':>9} {'failed':>6}  by"


def _row(receipt: Json) -> str:
    visits = receipt["availability"] or {"requests": "", "failed": ""}
    outcome = click.style(f"{receipt['outcome']:<17}", fg=COLOURS.get(receipt["outcome"], "red"))
    why = f"  {receipt['diagnosis']['kind']}" if receipt["diagnosis"] else ""
    figures = f"{receipt['seconds']['total']:>7.0f} {visits['requests']:>9} {visits['failed']:>6}"
    what = f"{receipt['began']:<20} {receipt['kind']:<9} {receipt['commit'][:12]:<13}"
    return f"{what} {outcome} {figures}  {plain(receipt['by']['user'])}{why}"
