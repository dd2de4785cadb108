"""Drift-aware change sets: one that fails is undone to what a service was before, not to what its stack made of it.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/drift-aware-change-sets.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ministack.services import cloudformation
from ministack.services.cloudformation import changesets, handlers, stacks

if TYPE_CHECKING:
    from .model import Json, World


def install(world: World) -> None:
    """Add the deployment mode REVERT_DRIFT, and send a service back whose own update failed, as AWS does."""
    actions = handlers._ACTION_HANDLERS
    create, execute, sent_back = (
        actions["CreateChangeSet"],
        actions["ExecuteChangeSet"],
        stacks._sends_back_failed_update,
    )

    def created(params: Json) -> Any:
        answer = create(params)
        if found := _change_set(params):
            found["_drift_aware"] = handlers._p(params, "DeploymentMode") == "REVERT_DRIFT"
        return answer

    def executed(params: Json) -> Any:
        found = _change_set(params)
        if found and found["_drift_aware"]:
            _read(world, cloudformation._stacks[found["StackName"]])
        return execute(params)

    actions |= {"CreateChangeSet": created, "ExecuteChangeSet": executed}
    stacks._sends_back_failed_update = lambda kind: kind == "AWS::ECS::Service" or sent_back(kind)


def _change_set(params: Json) -> Json | None:
    found = changesets._find_change_set(handlers._p(params, "ChangeSetName"), handlers._p(params, "StackName"))
    change_set: Json | None = found[1]
    return change_set


def _read(world: World, stack: Json) -> None:
    """Record what the services of a stack are now, which is what its rollback puts back."""
    for resource in stack["_resources"].values():
        if resource["ResourceType"] == "AWS::ECS::Service":
            service = world.services[resource["PhysicalResourceId"]]
            resource["Properties"] |= {
                "TaskDefinition": service.primary.task_definition,
                "DesiredCount": service.desired,
            }
