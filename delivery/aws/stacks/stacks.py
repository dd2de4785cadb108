"""`stacks`: make the stacks of ecs/ and keep them as their templates say, each difference shown before it is made."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from delivery.aws import client
from delivery.aws.stacks import change_sets, parameters, templates
from delivery.release.checkout import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from delivery.aws.stacks.change_sets import ChangeSet

ECS = ROOT / "ecs"
ZONES = 3  # that the network needs
RELEASED_IMAGE = "ReleasedImage"
_SIGNS = {"Add": "+", "Modify": "~", "Remove": "-"}


class Stack(NamedTuple):
    """A stack of ecs/NAME.yml.

    `guarded` names resources, each with what must not be done to it, as stack policies have it, and why not.
    """

    name: str
    guarded: Mapping[str, tuple[tuple[str, ...], str]] = {}
    terminable: bool = True

    @property
    def file(self) -> str:
        return f"{self.name}.yml"

    @property
    def policy(self) -> dict[str, Any] | None:
        """The stack policy that guards those resources, None when there are none."""
        if not self.guarded:
            return None
        allow = {"Effect": "Allow", "Principal": "*", "Action": "Update:*", "Resource": "*"}
        deny = [
            {"Effect": "Deny", "Principal": "*", "Action": list(actions), "Resource": f"LogicalResourceId/{resource}"}
            for resource, (actions, _) in self.guarded.items()
        ]
        return {"Statement": [allow, *deny]}


# In the order in which each needs only those before it.
STACKS = (
    Stack("network"),
    Stack(
        "registry",
        guarded={RELEASED_IMAGE: (("Update:*",), "the parameter would say `none` again, whatever is released")},
    ),
    Stack("cluster"),
    Stack("load-balancer"),
    Stack(
        "database",
        guarded={"Database": (("Update:Replace", "Update:Delete"), "the database would be a new one, and empty")},
        terminable=False,
    ),
    Stack("service"),
    Stack("delivery"),
)


@click.command()
@click.option(
    "--project", envvar="PROJECT", default="colophon", show_default=True, help="The one name that all resources bear."
)
@click.option(
    "--parameters",
    "chosen",
    type=click.Path(path_type=Path),
    default=ECS / "parameters.toml",
    help="What you choose for the stacks' parameters, a table for each stack. By default ecs/parameters.toml.",
)
@click.option(
    "--set", "given", metavar="STACK.NAME=VALUE", multiple=True, help="Choose one more; it goes before the file."
)
@click.option("--only", type=click.Choice([stack.name for stack in STACKS]), help="Look at one stack alone.")
@click.option("--diff", is_flag=True, help="Show the differences and make none.")
@click.option("--yes", is_flag=True, help="Make the changes without asking.")
@click.option("--templates", "folder", type=click.Path(path_type=Path), default=ECS, hidden=True)
def stacks(
    project: str, chosen: Path, given: tuple[str, ...], only: str | None, diff: bool, yes: bool, folder: Path
) -> None:
    """Make the AWS stacks of ecs/, or change them to what their templates say.

    Shows what would change in each, asks, and makes it, whole or not at all. Stacks that are as they should be are left
    alone. It can be interrupted, and run again, at any time.
    """
    choices = parameters.add(parameters.read(chosen), given)
    declared = {stack.name: templates.parameters(folder / stack.file) for stack in STACKS}
    own = {"Project": project, RELEASED_IMAGE: f"/{project}/released-image"}
    values = parameters.complete(choices, declared, own, chosen)
    if not (diff or yes or somebody_can_be_asked()):
        raise click.ClickException("There is nobody to ask: say --yes to make the changes, or --diff to see them.")
    account = client.call("sts", "get-caller-identity")["Account"]
    click.echo(f"Account {account}, region {region()}, project {project}.")
    run = Run(project, folder, ask=not yes, diff=diff)
    for stack in STACKS:
        if only in (None, stack.name):
            run.change(stack, values[stack.name])


def somebody_can_be_asked() -> bool:
    """Whether a person sits at the terminal, so that a question would be answered."""
    return sys.stdin.isatty()


def region() -> str:
    """Return the region's name. Raises click.ClickException when it has not the zones that the network needs."""
    zones = client.call("ec2", "describe-availability-zones", "--filters", "Name=zone-type,Values=availability-zone")
    names = [zone["RegionName"] for zone in zones["AvailabilityZones"]]
    if len(names) < ZONES:
        raise click.ClickException(
            f"This region has {len(names)} zones, and the network needs {ZONES}: choose another."
        )
    return str(names[0])


class Run:
    """One walk through the stacks."""

    def __init__(self, project: str, folder: Path, *, ask: bool, diff: bool) -> None:
        self.project = project
        self.folder = folder
        self.ask = ask
        self.diff = diff

    def change(self, stack: Stack, values: Mapping[str, str]) -> None:
        """Make a stack what its template and these values say. Raises click.ClickException."""
        name = f"{self.project}-{stack.name}"
        present = change_sets.describe(name)
        if present is None and self.diff:
            click.echo(f"{name}: is not there; it would be made.")
            return
        if present and RELEASED_IMAGE in values:
            self._catch_up(stack, name, present, values[RELEASED_IMAGE])
        with change_sets.work_out(name, self.folder / stack.file, values, creates=present is None) as change_set:
            self._make(stack, change_set)
        if not self.diff:
            _protect(stack, name, present or {})

    def _catch_up(self, stack: Stack, name: str, present: Mapping[str, Any], parameter: str) -> None:
        """Let a stack know the image that was released since it was last changed, and change nothing else.

        CloudFormation answers a change that fails by putting back what the stack was, with the image that it was: that
        would undo every release since. After this, it is the present one.
        """
        released = client.call("ssm", "get-parameter", "--name", parameter)["Parameter"]["Value"]
        had = {one["ParameterKey"]: one for one in present["Parameters"]}
        if had[RELEASED_IMAGE].get("ResolvedValue", had[RELEASED_IMAGE]["ParameterValue"]) == released:
            return
        click.echo(f"{name}: first takes over the image that was released since, so that a failure cannot undo that.")
        values = {key: one["ParameterValue"] for key, one in had.items()} | {RELEASED_IMAGE: parameter}
        with change_sets.work_out(name, None, values, creates=False) as change_set:
            self._make(stack, change_set)

    def _make(self, stack: Stack, change_set: ChangeSet) -> None:
        """Show a change, ask, and make it."""
        name = change_set.stack
        if not change_set.changes:
            click.echo(f"{name}: no changes.")
            return
        click.echo(f"{name}: {'is not there' if change_set.creates else 'would change'}.")
        for change in change_set.changes:
            click.echo(f"  {line(change)}")
            _refuse_destruction(stack, name, change)
        if self.diff:
            return
        if self.ask and not click.confirm(f"{'Make' if change_set.creates else 'Change'} {name}?"):
            raise click.ClickException(f"{name} was left as it is, and the stacks after it were not looked at.")
        change_sets.make(change_set, lambda event: click.echo(f"  {event}"))
        click.echo(f"{name}: {'made' if change_set.creates else 'changed'}.")


def line(change: Mapping[str, Any]) -> str:
    """Return a resource's change, as a change set has it, in one line for a person."""
    text = f"{_SIGNS.get(change['Action'], '?')} {change['LogicalResourceId']} ({change['ResourceType']})"
    targets = [detail["Target"] for detail in change.get("Details", ())]
    if changed := sorted({target["Name"] for target in targets if target.get("Name")}):
        text += f": {', '.join(changed)}"
    replaced = {"True": "is replaced", "Conditional": "may be replaced"}.get(change.get("Replacement", ""))
    return f"{text}; {replaced}" if replaced else text


def _refuse_destruction(stack: Stack, name: str, change: Mapping[str, Any]) -> None:
    """Raise click.ClickException when a change would do to a guarded resource what must not be done to it.

    The stack's policy would refuse it too, but in the middle of the change.
    """
    actions, harm = stack.guarded.get(change["LogicalResourceId"], ((), ""))
    doing = {"Remove": "Update:Delete", "Modify": "Update:Modify"}.get(change["Action"])
    if change.get("Replacement") == "True":
        doing = "Update:Replace"
    if doing and (doing in actions or "Update:*" in actions):
        raise click.ClickException(f"{name} must not change {change['LogicalResourceId']}: {harm}.")


def _protect(stack: Stack, name: str, present: Mapping[str, Any]) -> None:
    """Have CloudFormation itself guard what must not be destroyed, where it does not yet."""
    if stack.policy:
        found = client.call("cloudformation", "get-stack-policy", "--stack-name", name) or {}
        if json.loads(found.get("StackPolicyBody") or "{}") != stack.policy:
            policy = ("--stack-policy-body", json.dumps(stack.policy))
            client.call("cloudformation", "set-stack-policy", "--stack-name", name, *policy)
    if not stack.terminable and not present.get("EnableTerminationProtection"):
        protect = ("update-termination-protection", "--enable-termination-protection")
        client.call("cloudformation", *protect, "--stack-name", name)
