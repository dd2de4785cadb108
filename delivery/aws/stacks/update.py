"""The stacks of ecs/, made and changed to what their templates say, each difference shown before it is made."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from delivery.aws.stacks import change_sets
from delivery.environments import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from delivery.aws.client import Aws
    from delivery.aws.stacks.change_sets import ChangeSet, CloudFormation

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
        """The template's file name."""
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


def region(aws: Aws) -> str:
    """Return the region's name. Raises click.ClickException when it lacks the zones that the network needs."""
    found = aws.call("ec2", "describe-availability-zones", filters="Name=zone-type,Values=availability-zone")
    names = [zone["RegionName"] for zone in found["AvailabilityZones"]]
    if len(names) < ZONES:
        raise click.ClickException(
            f"This region has {len(names)} zones, and the network needs {ZONES}: choose another."
        )
    return str(names[0])


class Update:
    """An update of a project's stacks, one after the other."""

    def __init__(self, cloud: CloudFormation, project: str, folder: Path, *, ask: bool, diff: bool) -> None:
        self._cloud, self._project, self._folder = cloud, project, folder
        self._ask, self._diff = ask, diff

    def change(self, stack: Stack, values: Mapping[str, str]) -> None:
        """Make a stack what its template and these values say. Raises click.ClickException."""
        name = f"{self._project}-{stack.name}"
        present = change_sets.describe(self._cloud, name)
        if present is None and self._diff:
            click.echo(f"{name}: does not exist; it would be created.")
            return
        if present and RELEASED_IMAGE in values:
            self._catch_up(stack, name, present, values[RELEASED_IMAGE])
        with change_sets.prepare(
            self._cloud, name, self._folder / stack.file, values, creates=present is None
        ) as change_set:
            self._make(stack, change_set)
        if not self._diff:
            _protect(self._cloud, stack, name, present or {})

    def _catch_up(self, stack: Stack, name: str, present: Mapping[str, Any], parameter: str) -> None:
        """Let a stack know the image that was released since it was last changed, and change nothing else.

        CloudFormation answers a change that fails by putting back what the stack was, with the image that it was: that
        would undo every release since. After this, it is the present one.
        """
        released = self._cloud.aws.parameter(parameter)
        had = {one["ParameterKey"]: one for one in present["Parameters"]}
        if had[RELEASED_IMAGE].get("ResolvedValue", had[RELEASED_IMAGE]["ParameterValue"]) == released:
            return
        click.echo(f"{name}: first takes over the image that was released since, so that a failure cannot undo that.")
        values = {key: one["ParameterValue"] for key, one in had.items()} | {RELEASED_IMAGE: parameter}
        with change_sets.prepare(self._cloud, name, None, values, creates=False) as change_set:
            self._make(stack, change_set)

    def _make(self, stack: Stack, change_set: ChangeSet) -> None:
        """Show a change, ask, and make it."""
        name = change_set.stack
        if not change_set.changes:
            click.echo(f"{name}: no changes.")
            return
        click.echo(f"{name}: {'does not exist' if change_set.creates else 'would change'}.")
        for change in change_set.changes:
            click.echo(f"  {line(change)}")
            _refuse_destruction(stack, name, change)
        if self._diff:
            return
        if self._ask and not click.confirm(f"{'Create' if change_set.creates else 'Change'} {name}?"):
            raise click.ClickException(f"{name} was left as it is, and the stacks after it were not looked at.")
        change_sets.make(change_set, lambda event: click.echo(f"  {event}"))
        click.echo(f"{name}: {'created' if change_set.creates else 'changed'}.")


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


def _protect(cloud: CloudFormation, stack: Stack, name: str, present: Mapping[str, Any]) -> None:
    """Have CloudFormation itself guard what must not be destroyed, where it does not yet."""
    if stack.policy:
        found = cloud.call("get-stack-policy", name)
        if json.loads(found.get("StackPolicyBody") or "{}") != stack.policy:
            cloud.call("set-stack-policy", name, stack_policy_body=json.dumps(stack.policy))
    if not stack.terminable and not present.get("EnableTerminationProtection"):
        cloud.call("update-termination-protection", name, enable_termination_protection=True)
