"""`stacks`: the stacks of ecs/, made and kept as their templates say."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from delivery import environments
from delivery.aws.client import Aws
from delivery.aws.stacks import parameters, templates
from delivery.aws.stacks.change_sets import CloudFormation
from delivery.aws.stacks.update import ECS, RELEASED_IMAGE, STACKS, Update, region
from delivery.commands.session import require_account, root_option
from delivery.deployment.cancellation import Cancellation, Poller
from delivery.settings import settings


@click.command()
@click.option(
    "--set",
    "given",
    metavar="STACK.NAME=VALUE",
    multiple=True,
    help="Choose a parameter; it goes before the one in delivery.toml.",
)
@click.option("--only", type=click.Choice([stack.name for stack in STACKS]), help="Only this stack.")
@click.option("--diff", is_flag=True, help="Show the differences and make none.")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@click.option("--templates", "folder", type=click.Path(path_type=Path), default=ECS, hidden=True)
@root_option
def stacks(given: tuple[str, ...], only: str | None, diff: bool, yes: bool, folder: Path, root: Path) -> None:
    """Make the AWS stacks of ecs/, or change them to what their templates say.

    Shows what would change in each, waits for a yes, and makes it, whole or not at all. Stacks that are as they should
    be are left alone. It can be interrupted, and run again, at any time.
    """
    environment = environments.environment(root)
    choices = parameters.add(environment.stacks, given)
    declared = {stack.name: templates.parameters(folder / stack.file) for stack in STACKS}
    own = {
        "Project": environment.project,
        "ReleaseBranch": environment.branch,
        RELEASED_IMAGE: f"/{environment.project}/released-image",
    }
    if environment.address:
        own["SiteUrl"] = environment.address.rstrip("/")
    values = parameters.complete(choices, declared, own)
    if not (diff or yes or is_interactive()):
        raise click.ClickException("This is not a terminal: use --yes to make the changes, or --diff to see them.")
    in_region = environment.region
    aws = Aws({"AWS_REGION": in_region, "AWS_DEFAULT_REGION": in_region} if in_region else {})
    account = aws.call("sts", "get-caller-identity")["Account"]
    require_account(environment, account)
    click.echo(f"Account {account}, region {region(aws)}, project {environment.project}.")
    cloud = CloudFormation(aws, Poller(settings().poll, Cancellation()))
    update = Update(cloud, environment.project, folder, ask=not yes, diff=diff)
    for stack in STACKS:
        if only in (None, stack.name):
            update.change(stack, values[stack.name])


def is_interactive() -> bool:
    """Tell whether a person can answer a question."""
    return sys.stdin.isatty()
