"""CloudFormation's change sets: what would change is shown first, and made whole or not at all."""

from __future__ import annotations

import json
import math
import os
import re
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from delivery.aws.errors import AwsError
from delivery.terminal.shell import CommandError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from delivery.aws.client import Aws
    from delivery.deployment.cancellation import Poller

# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html lists what a stack can be.
_NEVER_MADE = ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED")
# https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeChangeSet.html
NOT_BEGUN = ("UNAVAILABLE", "AVAILABLE", "OBSOLETE")
_NO_CHANGES = ("didn't contain changes", "No updates are to be performed")
_SIGNS = {"Add": "+", "Modify": "~", "Remove": "-", "SyncWithActual": "="}
_SECRET = re.compile(r"password|secret|token", re.IGNORECASE)
_LENGTH = 60  # of a value that is shown


class StackError(click.ClickException):
    """A stack cannot be changed, or its change failed."""


@dataclass(frozen=True)
class CloudFormation:
    """CloudFormation in one session."""

    aws: Aws
    poller: Poller

    def call(self, action: str, stack: str, **options: Any) -> Any:
        """Return what an action on a stack answers. Raises AwsError."""
        return self.aws.call("cloudformation", action, stack_name=stack, **options)


@dataclass
class ChangeSet:
    """A change that CloudFormation has worked out; `changes` is empty when there is nothing to do."""

    cloud: CloudFormation
    stack: str
    name: str
    creates: bool
    changes: tuple[Mapping[str, Any], ...] = ()
    begun: bool = False

    def call(self, action: str, **options: Any) -> Any:
        """Return what an action on the change set answers. Raises AwsError."""
        return self.cloud.call(action, self.stack, change_set_name=self.name, **options)


def describe(cloud: CloudFormation, stack: str) -> Mapping[str, Any] | None:
    """Return a stack as CloudFormation describes it, None when there is none. Raises CommandError."""
    try:
        found: Mapping[str, Any] = cloud.call("describe-stacks", stack)["Stacks"][0]
    except CommandError as error:
        if "does not exist" in error.errors:
            return None
        raise
    return found


def changeable(cloud: CloudFormation, stack: str) -> Mapping[str, Any] | None:
    """Return a stack as CloudFormation describes it, None when there is none.

    One that has nothing but a change set that was not made counts as none. Raises StackError when it is in a state that
    no change can begin from, and CommandError.
    """
    found = describe(cloud, stack)
    status = found["StackStatus"] if found else "REVIEW_IN_PROGRESS"
    if status == "REVIEW_IN_PROGRESS":
        return None
    if status.endswith("_IN_PROGRESS"):
        raise StackError(f"{stack} is being changed ({status}). Try again when that has finished.")
    if status in _NEVER_MADE:
        raise StackError(
            f"{stack} could not be created or deleted last time ({status}). See why in its events, delete it "
            f"(aws cloudformation delete-stack --stack-name {stack}), then try again."
        )
    if status == "UPDATE_ROLLBACK_FAILED":
        raise StackError(
            f"{stack} could not be changed, and its rollback failed. See its events for the reason, correct it, "
            f"continue the rollback (aws cloudformation continue-update-rollback --stack-name {stack}), then try again."
        )
    return found


@contextmanager
def prepare(
    cloud: CloudFormation,
    stack: str,
    template: Path,
    parameters: Mapping[str, str],
    *,
    creates: bool,
    drifts: bool = False,
) -> Iterator[ChangeSet]:
    """Yield what a template with these parameters would change; it is forgotten at the end unless it was made.

    A stack that `drifts` has resources that others change, too: a change that fails is undone to what these are now,
    not to what the stack last made of them. Raises StackError and CommandError.
    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/drift-aware-change-sets.html
    """
    change_set = ChangeSet(cloud, stack, f"stacks-{datetime.now(UTC):%Y%m%d-%H%M%S-%f}", creates)
    values = [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()]
    refused = False
    try:
        try:
            change_set.call(
                "create-change-set",
                change_set_type="CREATE" if creates else "UPDATE",
                template_body=f"file://{os.path.relpath(template)}",
                parameters=json.dumps(values),
                capabilities="CAPABILITY_NAMED_IAM",
                deployment_mode="REVERT_DRIFT" if drifts and not creates else None,
            )
        except AwsError as error:
            if "Unknown options" in error.errors:
                refused = True
                raise StackError(
                    "This aws CLI is older than CloudFormation's drift-aware change sets. DELIVERY_AWS_CLI=1 takes the "
                    "one that `make setup FOR=delivery` installs, which knows them."
                ) from None
            # The CLI makes a call again whose answer was lost, and is told that the change set is there.
            if error.error != "AlreadyExistsException":
                refused = True
                raise StackError(f"CloudFormation rejected the change to {stack}: {error.said}") from None
        change_set.changes = tuple(_changes(change_set))
        yield change_set
    finally:
        if not (change_set.begun or refused):
            _forget(change_set)


def _changes(change_set: ChangeSet) -> list[Mapping[str, Any]]:
    """Wait until CloudFormation has worked a change set out, and return its changes."""
    for _ in change_set.cloud.poller.polls(math.inf):
        found = change_set.call("describe-change-set", include_property_values=True)
        if found["Status"] == "CREATE_COMPLETE":
            return [change["ResourceChange"] for change in found["Changes"] if change["Type"] == "Resource"]
        if found["Status"] == "FAILED":
            reason = found.get("StatusReason", "")
            if any(words in reason for words in _NO_CHANGES):
                return []
            raise StackError(f"CloudFormation rejected the change to {change_set.stack}: {reason}")
    raise AssertionError  # the polls have no end


def _forget(change_set: ChangeSet) -> None:
    """Delete a change set, and the empty stack that was made for it. Failing at that harms nothing."""
    with suppress(CommandError):
        change_set.call("delete-change-set")
        if change_set.creates:
            change_set.cloud.call("delete-stack", change_set.stack)


def make(change_set: ChangeSet, report: Callable[[str], None]) -> None:
    """Make a change and follow it to its end; `report` is told what becomes of each resource, a line each.

    Raises StackError with the first cause when CloudFormation could not make it and changed everything back, and
    CommandError.
    """
    known = {event["EventId"] for event in events(change_set.cloud, change_set.stack)}
    # From here on, giving up leaves it to CloudFormation.
    change_set.begun = True
    try:
        change_set.call("execute-change-set")
    except AwsError as error:
        # It may have been carried out. The CLI repeats a call whose answer was lost, and is told that it began.
        if error.may_be_done or error.error == "InvalidChangeSetStatus":
            change_set.begun = change_set.call("describe-change-set")["ExecutionStatus"] not in NOT_BEGUN
        else:
            change_set.begun = False
        if not change_set.begun:
            raise
    try:
        status, causes = follow(change_set.cloud, change_set.stack, known, report)
    except KeyboardInterrupt:
        report(f"CloudFormation continues with {change_set.stack} on its own.")
        raise
    if status not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
        cause = causes[0] if causes else "none of its resources says why"
        raise StackError(f"{change_set.stack} could not be changed ({status}): {cause}")


def follow(cloud: CloudFormation, stack: str, known: set[str], report: Callable[[str], None]) -> tuple[str, list[str]]:
    """Return a stack's state in the end, and the failures on the way, the first cause first.

    `known` are the IDs of earlier events: until there is another, the state is still an earlier one. A stack that is
    being deleted must be named by its ID, which outlives it.
    """
    causes = []
    earlier = frozenset(known)
    for _ in cloud.poller.polls(math.inf):
        # The state before the events, so that none is missed of those that led to it.
        state: str = (describe(cloud, stack) or {"StackStatus": "DELETE_COMPLETE"})["StackStatus"]
        found = events(cloud, stack)
        for event in found:
            status, reason = event["ResourceStatus"], event.get("ResourceStatusReason", "")
            if event["EventId"] in known or status.endswith("_IN_PROGRESS"):
                continue
            known.add(event["EventId"])
            line = f"{event['LogicalResourceId']}: {status}{f' ({reason})' if reason else ''}"
            report(line)
            if status.endswith("_FAILED"):
                causes.append(line)
        begun = any(event["EventId"] not in earlier for event in found)
        if state == "DELETE_COMPLETE" or (begun and not state.endswith("_IN_PROGRESS")):
            return state, causes
    raise AssertionError  # the polls have no end


def events(cloud: CloudFormation, stack: str) -> list[Mapping[str, Any]]:
    """Return a stack's latest events, the oldest of them first."""
    found: list[Mapping[str, Any]] = cloud.call("describe-stack-events", stack, max_items="200")["StackEvents"]
    return found[::-1]


def line(change: Mapping[str, Any]) -> str:
    """Return a resource's change, as a change set has it, in one line for a person."""
    text = f"{_SIGNS.get(change['Action'], '?')} {change['LogicalResourceId']} ({change['ResourceType']})"
    if changed := sorted({_property(detail["Target"]) for detail in change.get("Details", ())} - {""}):
        text += f": {', '.join(changed)}"
    replaced = {"True": "is replaced", "Conditional": "may be replaced"}.get(change.get("Replacement", ""))
    return f"{text}; {replaced}" if replaced else text


def _property(target: Mapping[str, str]) -> str:
    """Return the property that a change is about, with its values where CloudFormation gives them and none is secret.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ResourceTargetDefinition.html
    """
    name = target.get("Path", "").removeprefix("/Properties/") or target.get("Name", "")
    before, after = (_shown(target.get(key, "")) for key in ("BeforeValue", "AfterValue"))
    if not (before or after) or _SECRET.search(name):
        return name
    return f"{name} {before or 'none'} → {after or 'none'}"


def _shown(value: str) -> str:
    return value if len(value) <= _LENGTH else f"{value[:_LENGTH]}…"
