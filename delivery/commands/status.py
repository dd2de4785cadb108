"""`status` and `history`: what runs, and how it came to that."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

import click

from delivery.aws.client import moment
from delivery.aws.ecs import service as situation
from delivery.aws.ecs import task_definition
from delivery.aws.ecs.service import Situation
from delivery.commands.session import root_option, session
from delivery.deployment import proof, receipts
from delivery.deployment.outcomes import Cause, Ended, Outcome

if TYPE_CHECKING:
    from pathlib import Path

    from delivery.aws.client import Json

COLOURS = {"live": "green", "rolled back": "yellow", "cancelled": "yellow", "superseded": "yellow", "refused": "yellow"}


@click.command()
@root_option
def status(root: Path) -> None:
    """Say what runs, since when, and what the load balancer and the site say of it. Changes nothing."""
    with session(root) as place:
        now = Situation(place)
        service = now.service
        if service is None:
            no = Cause(
                "no-service", f"There is no service {place.names.project}.", (), "create the stacks (ecs/README.md)."
            )
            raise Ended(Outcome.REFUSED, no)
        rows = [
            ("commit", now.commit or "none yet"),
            ("image", now.image or "none yet"),
            ("released", _released(now)),
            ("revision", task_definition.revision(service["taskDefinition"])),
            (
                "tasks",
                f"{service['runningCount']} of {service['desiredCount']} running, {service['pendingCount']} pending",
            ),
            ("targets", _targets(now)),
            ("deployment", _deployment(now)),
            ("site", _site(now)),
        ]
        last = next(receipts.newest(place.aws, place.names.bucket, 1), None)
        rows.append(("last receipt", f"{last['key']}: {last['kind']}, {last['outcome']}" if last else "none"))
    for name, value in rows:
        click.echo(f"{name:<13} {value}")


@click.command()
@click.option(
    "--limit", type=click.IntRange(1), default=10, show_default=True, metavar="N", help="How many, the newest first."
)
@click.option("--json", "as_json", is_flag=True, help="The receipts themselves, a JSON array.")
@root_option
def history(limit: int, as_json: bool, root: Path) -> None:
    """List the deployments, live or not, by their receipts."""
    with session(root) as place:
        found = list(receipts.newest(place.aws, place.names.bucket, limit))
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    for line in [_heading(), *(_row(each) for each in found)]:
        click.echo(line)
    if not found:
        click.echo("There are none yet.")


def _released(now: Situation) -> str:
    if now.released is None:
        return "nothing was released yet"
    return "this image" if now.released == now.image else f"another one: {now.released}"


def _targets(now: Situation) -> str:
    balancers = (now.service or {}).get("loadBalancers") or []
    if not balancers:
        return "no load balancer"
    found = situation.target_health(now.place, balancers[0]["targetGroupArn"])
    states = Counter(each["TargetHealth"]["State"] for each in found)
    return ", ".join(f"{count} {state}" for state, count in sorted(states.items())) or "none"


def _deployment(now: Situation) -> str:
    newest = next(iter(now.deployments), None)
    if newest is None:
        return "none"
    since = newest.get("finishedAt") or newest["createdAt"]
    return f"{newest['status']} since {moment(since):%Y-%m-%d %H:%M:%S %Z}: {newest['serviceDeploymentArn']}"


def _site(now: Situation) -> str:
    if not now.site_url:
        return "its address is not known"
    try:
        said = proof.answer(now.site_url)
    except (OSError, ValueError) as error:
        return f"{now.site_url} does not say what it is: {error}"
    return f"{now.site_url} serves {said.get('commit') or 'a working copy'}"


def _heading() -> str:
    return f"{'when':<20} {'what':<9} {'commit':<13} {'outcome':<17} {'seconds':>7} {'requests':>9} {'failed':>6}  by"


def _row(receipt: Json) -> str:
    visits = receipt["availability"] or {"requests": "", "failed": ""}
    outcome = click.style(f"{receipt['outcome']:<17}", fg=COLOURS.get(receipt["outcome"], "red"))
    why = f"  {receipt['diagnosis']['kind']}" if receipt["diagnosis"] else ""
    figures = f"{receipt['seconds']['total']:>7.0f} {visits['requests']:>9} {visits['failed']:>6}"
    what = f"{receipt['began']:<20} {receipt['kind']:<9} {receipt['commit'][:12]:<13}"
    return f"{what} {outcome} {figures}  {receipt['by']['who']}{why}"
