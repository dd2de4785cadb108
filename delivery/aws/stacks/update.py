"""The stacks of ecs/, made and changed to what their templates say, each difference shown before it is made."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from delivery.aws.stacks import change_sets
from delivery.environments import ROOT
from delivery.terminal.plain import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from delivery.aws.client import Aws
    from delivery.aws.stacks.change_sets import ChangeSet, CloudFormation
    from delivery.aws.stacks.released import Released

ECS = ROOT / "ecs"
ZONES = 3  # that the network needs
RELEASED_IMAGE = "ReleasedImage"


class Stack(NamedTuple):
    """A stack of ecs/NAME.yml.

    `guarded` names resources, each with what must not be done to it, as stack policies have it, and why not. The
    delivery, too, changes resources of a stack that `drifts`.
    """

    name: str
    guarded: Mapping[str, tuple[tuple[str, ...], str]] = {}
    terminable: bool = True
    drifts: bool = False

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
    Stack("service", drifts=True),
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
    """An update of a project's stacks, one after the other.

    `settle` is called before each change is made, and raises what keeps it from being made.
    """

    def __init__(
        self,
        cloud: CloudFormation,
        project: str,
        folder: Path,
        released: Released,
        *,
        ask: bool,
        diff: bool,
        settle: Callable[[], None] = lambda: None,
    ) -> None:
        self._cloud, self._project, self._folder, self._released = cloud, project, folder, released
        self._ask, self._diff, self._settle = ask, diff, settle

    def change(self, stack: Stack, values: Mapping[str, str]) -> None:
        """Make a stack what its template and these values say. Raises click.ClickException."""
        name = f"{self._project}-{stack.name}"
        present = change_sets.changeable(self._cloud, name)
        if present is None and self._diff:
            click.echo(f"{name}: does not exist; it would be created.")
            return
        if RELEASED_IMAGE in values and not self._released.restore(serving=present is not None, diff=self._diff):
            return
        template = self._folder / stack.file
        with change_sets.prepare(
            self._cloud, name, template, values, creates=present is None, drifts=stack.drifts
        ) as change_set:
            self._make(stack, change_set)
        if not self._diff:
            _protect(self._cloud, stack, name, present or {})

    def _make(self, stack: Stack, change_set: ChangeSet) -> None:
        """Show a change, ask, and make it."""
        name = change_set.stack
        if not change_set.changes:
            click.echo(f"{name}: no changes.")
            return
        click.echo(f"{name}: {'does not exist' if change_set.creates else 'would change'}.")
        for change in change_set.changes:
            click.echo(f"  {change_sets.line(change)}")
            _refuse_destruction(stack, name, change)
        if self._diff:
            return
        if self._ask and not click.confirm(f"{'Create' if change_set.creates else 'Change'} {name}?"):
            raise click.ClickException(f"{name} was left as it is, and the stacks after it were not looked at.")
        self._settle()
        change_sets.make(change_set, lambda event: click.echo(plain(f"  {event}")))
        click.echo(f"{name}: {'created' if change_set.creates else 'changed'}.")


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
