"""Auto Scaling groups of stacks, whose made-up instances are protected from scale-in and keep their group from ending.

https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-instance-protection.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ministack.services import autoscaling
from ministack.services.cloudformation import provisioners

if TYPE_CHECKING:
    from .model import Json

GROUP = "AWS::AutoScaling::AutoScalingGroup"


def install() -> None:
    """Give groups of stacks instances, end none that is protected, and add the call that takes the protection away."""
    kind = provisioners._RESOURCE_HANDLERS[GROUP]
    create, delete, update = kind["create"], kind["delete"], autoscaling._ACTION_MAP["UpdateAutoScalingGroup"]

    def created(logical_id: str, props: Json, stack: str) -> Any:
        name, attributes = create(logical_id, props, stack)
        group = autoscaling._asgs[name]
        group["NewInstancesProtectedFromScaleIn"] = str(props.get("NewInstancesProtectedFromScaleIn")).lower() == "true"
        autoscaling._reconcile_instances(group)
        return name, attributes

    def deleted(name: str, props: Json) -> None:
        if any(one["ProtectedFromScaleIn"] for one in autoscaling._asgs.get(name, {}).get("Instances", ())):
            raise ValueError("Group did not stabilize: instances are protected from scale-in.")
        delete(name, props)

    def updated(params: Json) -> Any:
        group = autoscaling._asgs.get(autoscaling._p(params, "AutoScalingGroupName"))
        kept = [one for one in group["Instances"] if one["ProtectedFromScaleIn"]] if group else []
        answer = update(params)
        if group:
            group["Instances"] = kept + [one for one in group["Instances"] if one not in kept]
        return answer

    kind |= {"create": created, "delete": deleted}
    autoscaling._ACTION_MAP |= {"UpdateAutoScalingGroup": updated, "SetInstanceProtection": _protect}


def _protect(params: Json) -> Any:
    """Set the protection of instances; one that is not wanted any more ends when it loses it."""
    group = autoscaling._asgs.get(autoscaling._p(params, "AutoScalingGroupName"))
    if group is None:
        return autoscaling._error("ValidationError", "AutoScalingGroup name not found")
    named = autoscaling._parse_member_list(params, "InstanceIds")
    for one in group["Instances"]:
        if one["InstanceId"] in named:
            one["ProtectedFromScaleIn"] = autoscaling._p(params, "ProtectedFromScaleIn") == "true"
    kept = [one for one in group["Instances"] if one["ProtectedFromScaleIn"]]
    if len(kept) >= group["DesiredCapacity"]:
        group["Instances"] = kept
    return autoscaling._xml(200, "SetInstanceProtectionResponse", "<SetInstanceProtectionResult/>")
