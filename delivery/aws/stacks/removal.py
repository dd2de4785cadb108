"""The removal of a project's stacks, the last one first, and of what keeps CloudFormation from removing them."""

from __future__ import annotations

import math
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from delivery.aws.errors import AwsError
from delivery.aws.stacks import change_sets
from delivery.aws.stacks.change_sets import StackError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from delivery.aws.context import Context
    from delivery.aws.names import Names
    from delivery.aws.stacks.change_sets import CloudFormation
    from delivery.aws.stacks.update import Stack
    from delivery.deployment.seam import Json


def kept(names: Names) -> list[str]:
    """Return what outlives the stacks, in words: what cannot be made again."""
    place = f"{names.account}-{names.region}"
    return [
        "a last snapshot of the database, and its backups until they expire",
        f"the images, in the repository {names.project}",
        f"the name of the released one, in the parameter {names.released_image}",
        f"the receipts and the logs, in the buckets {names.bucket}, {names.project}-access-logs-{place} and "
        f"{names.project}-trail-{place}",
    ]


class Removal:
    """A removal. `settle` is called before each stack is removed, and raises what keeps it from being removed.

    Each step leaves alone what is done already: it can be interrupted, and run again.
    """

    def __init__(self, cloud: CloudFormation, context: Context, settle: Callable[[], None]) -> None:
        self._cloud, self._context, self._settle = cloud, context, settle
        self._aws, self._project = context.aws, context.names.project

    def remove(self, stack: Stack) -> None:
        """Remove a stack and follow that to its end. Raises StackError with the cause when it fails, and AwsError."""
        name = f"{self._project}-{stack.name}"
        present = change_sets.describe(self._cloud, name)
        if present is None:
            click.echo(f"{name}: is not there.")
            return
        status, arn = present["StackStatus"], present["StackId"]
        known = {event["EventId"] for event in change_sets.events(self._cloud, arn)}
        if status == "DELETE_IN_PROGRESS":
            click.echo(f"{name}: is being deleted already.")
        elif status.endswith("_IN_PROGRESS") and status != "REVIEW_IN_PROGRESS":
            raise StackError(f"{name} is being changed ({status}). Try again when that has finished.")
        else:
            self._settle()
            click.echo(f"{name}: is deleted.")
            if present.get("EnableTerminationProtection"):
                self._cloud.call("update-termination-protection", name, no_enable_termination_protection=True)
            self._unlock(stack)
            self._cloud.call("delete-stack", arn)
        try:
            status, causes = change_sets.follow(self._cloud, arn, known, lambda event: click.echo(f"  {event}"))
        except KeyboardInterrupt:
            click.echo(f"  CloudFormation continues with {name} on its own.")
            raise
        if status != "DELETE_COMPLETE":
            cause = causes[0] if causes else "none of its resources says why"
            raise StackError(f"{name} could not be deleted ({status}): {cause}\nRun this again when that is put right.")

    def _unlock(self, stack: Stack) -> None:
        """Take away what would keep a stack's resources from being deleted."""
        if stack.name == "load-balancer":
            with _unless_gone():
                self._unlock_load_balancer()
        elif stack.name == "database":
            with _unless_gone():
                self._unlock_database()
        elif stack.name == "cluster":
            with _unless_gone():
                self._stop_tasks()
            self._end_instances()

    def _unlock_load_balancer(self) -> None:
        (balancer,) = self._aws.call("elbv2", "describe-load-balancers", names=self._project)["LoadBalancers"]
        self._aws.call(
            *("elbv2", "modify-load-balancer-attributes"),
            load_balancer_arn=balancer["LoadBalancerArn"],
            attributes="Key=deletion_protection.enabled,Value=false",
        )

    def _unlock_database(self) -> None:
        (database,) = self._aws.call("rds", "describe-db-instances", db_instance_identifier=self._project)[
            "DBInstances"
        ]
        if database.get("DeletionProtection"):
            self._aws.call(
                *("rds", "modify-db-instance"),
                db_instance_identifier=self._project,
                no_deletion_protection=True,
                apply_immediately=True,
            )

    def _stop_tasks(self) -> None:
        for task in self._aws.call("ecs", "list-tasks", cluster=self._project)["taskArns"]:
            self._aws.call("ecs", "stop-task", cluster=self._project, task=task, reason="The stacks are deleted")

    def _end_instances(self) -> None:
        """End the instances: those that ECS protects from scale-in would keep their group from being deleted."""
        if not self._instances():
            return
        self._aws.call(
            *("autoscaling", "update-auto-scaling-group"),
            auto_scaling_group_name=self._project,
            min_size="0",
            desired_capacity="0",
            no_new_instances_protected_from_scale_in=True,
        )
        left = 0
        for _ in self._cloud.poller.polls(math.inf):
            instances = self._instances()
            if not instances:
                return
            protected = [one["InstanceId"] for one in instances if one["ProtectedFromScaleIn"]]
            if protected:
                self._aws.call(
                    *("autoscaling", "set-instance-protection"),
                    auto_scaling_group_name=self._project,
                    instance_ids=protected,
                    no_protected_from_scale_in=True,
                )
            if len(instances) != left:
                left = len(instances)
                click.echo(f"  instances that have not ended yet: {left}")

    def _instances(self) -> list[Json]:
        """Return the instances of the cluster's group; none where there is no group."""
        groups = self._aws.call(
            "autoscaling", "describe-auto-scaling-groups", auto_scaling_group_names=self._project, quiet=True
        )["AutoScalingGroups"]
        instances: list[Json] = groups[0]["Instances"] if groups else []
        return instances


@contextmanager
def _unless_gone() -> Iterator[None]:
    """Leave alone what an earlier removal has deleted already."""
    try:
        yield
    except AwsError as error:
        if not error.error.endswith(("NotFound", "NotFoundFault", "NotFoundException")):
            raise
