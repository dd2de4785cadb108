"""The removal of a project's stacks, the last one first, and of what keeps CloudFormation from removing them."""

from __future__ import annotations

import math
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from delivery.aws.errors import AwsError
from delivery.aws.stacks import change_sets
from delivery.aws.stacks.change_sets import StackError
from delivery.terminal.plain import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from delivery.aws.context import Context
    from delivery.aws.names import Names
    from delivery.aws.stacks.change_sets import CloudFormation
    from delivery.aws.stacks.update import Stack
    from delivery.deployment.seam import Json


def kept(names: Names) -> list[str]:
    """Return what outlives the stacks, in words: what cannot be made again."""
    return [
        "a last snapshot of the database, and its backups until they expire",
        f"the images, in the repository {names.project}",
        f"the name of the released one, in the parameter {names.released_image}",
        f"the receipts, in the bucket {names.bucket}",
        f"logs, in the other buckets whose names begin with {names.project}-",
    ]


class Removal:
    """A removal. `settle` is called before each stack is removed, and raises what keeps it from being removed.

    Each step leaves alone what is done already: it can be interrupted, and run again.
    """

    def __init__(self, cloud: CloudFormation, context: Context, settle: Callable[[], None]) -> None:
        self._cloud, self._settle = cloud, settle
        self._aws, self._project = context.aws, context.names.project

    def remove(self, stack: Stack) -> None:
        """Remove a stack and follow that to its end. Raises StackError with the cause when it fails, and AwsError."""
        name = f"{self._project}-{stack.name}"
        present = change_sets.describe(self._cloud, name)
        if present is None:
            click.echo(f"{name}: is not there.")
            return
        status, arn = present["StackStatus"], present["StackId"]
        events = change_sets.events(self._cloud, arn)
        known = {event["EventId"] for event in events}
        if status == "DELETE_IN_PROGRESS":
            known -= {event["EventId"] for event in events if event["ResourceStatus"].startswith("DELETE")}
            click.echo(f"{name}: is being deleted already.")
        elif status.endswith("_IN_PROGRESS") and status != "REVIEW_IN_PROGRESS":
            raise StackError(f"{name} is being changed ({status}). Try again when that has finished.")
        else:
            self._settle()
            click.echo(f"{name}: is deleted.")
            if present.get("EnableTerminationProtection"):
                self._cloud.call("update-termination-protection", name, no_enable_termination_protection=True)
            self._unlock(arn)
            self._cloud.call("delete-stack", arn)
        try:
            status, causes = change_sets.follow(self._cloud, arn, known, lambda event: click.echo(plain(f"  {event}")))
        except KeyboardInterrupt:
            click.echo(f"  CloudFormation continues with {name} on its own.")
            raise
        if status != "DELETE_COMPLETE":
            cause = causes[0] if causes else "none of its resources says why"
            raise StackError(f"{name} could not be deleted ({status}): {cause}\nRun this again when that is put right.")

    def _unlock(self, stack: str) -> None:
        """Take away what would keep a stack's resources from being deleted."""
        unlock = {
            "AWS::ECS::Cluster": self._stop_tasks,
            "AWS::AutoScaling::AutoScalingGroup": self._end_instances,
            "AWS::ElasticLoadBalancingV2::LoadBalancer": self._unlock_load_balancer,
            "AWS::RDS::DBInstance": self._unlock_database,
        }
        found = self._cloud.call("describe-stack-resources", stack)["StackResources"]
        for kind, action in unlock.items():
            for one in found:
                if one["ResourceType"] == kind and one.get("PhysicalResourceId"):
                    with _unless_gone():
                        action(one["PhysicalResourceId"])

    def _stop_tasks(self, cluster: str) -> None:
        for task in self._aws.call("ecs", "list-tasks", cluster=cluster)["taskArns"]:
            self._aws.call("ecs", "stop-task", cluster=cluster, task=task, reason="The stacks are deleted")

    def _end_instances(self, group: str) -> None:
        """End the instances: those that ECS protects from scale-in would keep their group from being deleted."""
        if not self._instances(group):
            return
        self._aws.call(
            *("autoscaling", "update-auto-scaling-group"),
            auto_scaling_group_name=group,
            min_size="0",
            desired_capacity="0",
            no_new_instances_protected_from_scale_in=True,
        )
        left = 0
        for _ in self._cloud.poller.polls(math.inf):
            instances = self._instances(group)
            if not instances:
                return
            protected = [one["InstanceId"] for one in instances if one["ProtectedFromScaleIn"]]
            if protected:
                self._aws.call(
                    *("autoscaling", "set-instance-protection"),
                    auto_scaling_group_name=group,
                    instance_ids=protected,
                    no_protected_from_scale_in=True,
                )
            if len(instances) != left:
                left = len(instances)
                click.echo(f"  instances that have not ended yet: {left}")

    def _instances(self, group: str) -> list[Json]:
        groups = self._aws.call(
            *("autoscaling", "describe-auto-scaling-groups"), auto_scaling_group_names=group, quiet=True
        )["AutoScalingGroups"]
        instances: list[Json] = groups[0]["Instances"] if groups else []
        return instances

    def _unlock_load_balancer(self, arn: str) -> None:
        unlocked = "Key=deletion_protection.enabled,Value=false"
        self._aws.call("elbv2", "modify-load-balancer-attributes", load_balancer_arn=arn, attributes=unlocked)

    def _unlock_database(self, instance: str) -> None:
        (found,) = self._aws.call("rds", "describe-db-instances", db_instance_identifier=instance)["DBInstances"]
        if found.get("DeletionProtection"):
            self._aws.call(
                *("rds", "modify-db-instance"),
                db_instance_identifier=instance,
                no_deletion_protection=True,
                apply_immediately=True,
            )


@contextmanager
def _unless_gone() -> Iterator[None]:
    """Leave alone what an earlier removal has deleted already."""
    try:
        yield
    except AwsError as error:
        if not error.error.endswith(("NotFound", "NotFoundFault", "NotFoundException")):
            raise
