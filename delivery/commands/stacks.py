"""`stacks`: the stacks of ecs/, made and kept as their templates say."""

from __future__ import annotations

import signal
import sys
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import click

from delivery import environments, pipelines
from delivery.aws.client import Aws
from delivery.aws.context import Context
from delivery.aws.names import Names
from delivery.aws.stacks import lock, parameters, removal, templates
from delivery.aws.stacks.change_sets import CloudFormation
from delivery.aws.stacks.released import Released
from delivery.aws.stacks.update import ECS, RELEASED_IMAGE, STACKS, Update, region
from delivery.commands.session import require_account, root_option, wait_option
from delivery.deployment.cancellation import Cancellation, Poller
from delivery.settings import settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from delivery.aws.stacks.update import Stack
    from delivery.environments import Environment


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
@click.option("--delete", is_flag=True, help="Delete the stacks, the last one first.")
@click.option("--confirm", metavar="PROJECT", help="With --delete: the project's name, instead of asking for it.")
@wait_option
@click.option("--templates", "folder", type=click.Path(path_type=Path), default=ECS, hidden=True)
@root_option
def stacks(
    given: tuple[str, ...],
    only: str | None,
    diff: bool,
    yes: bool,
    delete: bool,
    confirm: str | None,
    wait: float,
    folder: Path,
    root: Path,
) -> None:
    """Make the AWS stacks of ecs/, or change them to what their templates say.

    Shows what would change in each, waits for a yes, and makes it, whole or not at all. Stacks that are as they should
    be are left alone. It can be interrupted, and run again, at any time. No deployment runs meanwhile: it holds their
    lock, once there is one.
    """
    environment = environments.environment(root)
    chosen = [stack for stack in STACKS if only in (None, stack.name)]
    if delete:
        if diff or given:
            raise click.UsageError("--delete takes neither --diff nor --set.")
        _delete(environment, chosen, confirm, wait, root)
        return
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
    context = _context(environment, root)
    store = lock.store(context)
    held = nullcontext(lambda: None) if diff else lock.held(context, store, pipelines.current().user, wait)
    with _ended_by_sigterm(), held as settle:
        cloud, released = CloudFormation(context.aws, context.poller), Released(context, store)
        update = Update(cloud, environment.project, folder, released, ask=not yes, diff=diff, settle=settle)
        for stack in chosen:
            update.change(stack, values[stack.name])


def _delete(environment: Environment, chosen: list[Stack], confirm: str | None, wait: float, root: Path) -> None:
    """Delete stacks after the project's name was given. Raises Ended and ClickException."""
    if confirm is None and not is_interactive():
        raise click.ClickException("This is not a terminal: give the project's name with --confirm.")
    context = _context(environment, root)
    names = [f"{environment.project}-{stack.name}" for stack in reversed(chosen)]
    click.echo(f"This deletes {', '.join(names)}. What remains, where it is there:")
    for kept in removal.kept(context.names):
        click.echo(f"  {kept}")
    if confirm is None:
        confirm = click.prompt(f"Type {environment.project} to go on", default="", show_default=False)
    if confirm != environment.project:
        raise click.ClickException(f"That is not {environment.project}. Nothing was deleted.")
    with _ended_by_sigterm(), lock.held(context, lock.store(context), pipelines.current().user, wait) as settle:
        work = removal.Removal(CloudFormation(context.aws, context.poller), context, settle)
        for stack in reversed(chosen):
            work.remove(stack)


def _context(environment: Environment, root: Path) -> Context:
    """Return the context of calls by an administrator, and say where they go. Raises Ended and ClickException."""
    in_region = environment.region
    aws = Aws({"AWS_REGION": in_region, "AWS_DEFAULT_REGION": in_region} if in_region else {})
    caller = aws.call("sts", "get-caller-identity")
    require_account(environment, caller["Account"])
    names = Names(environment.project, caller["Account"], region(aws))
    click.echo(f"Account {names.account}, region {names.region}, project {names.project}.")
    chosen = settings()
    return Context(aws, names, chosen, root, Poller(chosen.poll, Cancellation()), caller["Arn"])


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Have SIGTERM end this as Ctrl-C does, so that the lock is released."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def is_interactive() -> bool:
    """Tell whether a person can answer a question."""
    return sys.stdin.isatty()
