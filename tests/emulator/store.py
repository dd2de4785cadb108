"""ministack's records as the rest of this package uses them: clusters, task definitions, alarms, fleets."""

from __future__ import annotations

import copy
import re
from typing import TYPE_CHECKING, Any

from ministack.core.responses import error_response_json, request_scope
from ministack.services import autoscaling, cloudwatch, ec2, ecs

from . import authorization, dependencies
from .capacity import INTERFACES, Fleet, offer

if TYPE_CHECKING:
    from collections.abc import Callable

    from .model import Json, Service


class RefusedError(Exception):
    """A request that ECS refuses. `code` is the name of its error."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def scope(service: Service) -> Any:
    """Select the records of the service's account and region."""
    return request_scope(service.account, service.region)


def cluster(data: Json) -> Json:
    """Return the cluster that a request names. Raises RefusedError."""
    name = ecs._resolve_cluster_name(data.get("cluster") or "default")
    found: Json | None = ecs._clusters.get(name) if name else None
    if found is None:
        raise RefusedError("ClusterNotFoundException", "Cluster not found.")
    return found


def definition(reference: object) -> Json:
    """Return a copy of the task definition of that name or ARN. Raises RefusedError."""
    found: Json | None = ecs._task_defs.get(ecs._resolve_td_key(str(reference or "")))
    if not found:
        raise RefusedError("ClientException", "Unable to find task definition.")
    if found["status"] != "ACTIVE":
        raise RefusedError("ClientException", "TaskDefinition is inactive")
    return copy.deepcopy(found)


def register_task_definition(data: Json) -> Any:
    """Register a task definition as ministack does, after the checks that only ECS makes."""
    try:
        containers = data.get("containerDefinitions") or []
        if refusal := dependencies.refusal(containers) or _unmatched(data.get("networkMode"), containers):
            raise RefusedError("ClientException", refusal)
        for container in containers:
            if not (container.get("memory") or container.get("memoryReservation") or data.get("memory")):
                invalid = f"Invalid setting for container '{container.get('name')}'."
                missing = "At least one of 'memory' or 'memoryReservation' must be specified."
                raise RefusedError("ClientException", f"{invalid} {missing}")
        check_roles(data)
    except RefusedError as refused:
        return error_response_json(refused.code, str(refused), 400)
    return ecs._register_task_definition(data)


def _unmatched(mode: str | None, containers: list[Json]) -> str:
    """Return why ECS does not register the ports of these container definitions, "" if it does."""
    mappings = [each for container in containers for each in container.get("portMappings") or []]
    if mode != "awsvpc" or all(each.get("hostPort") in (None, 0, each["containerPort"]) for each in mappings):
        return ""
    return "When networkMode=awsvpc, the host ports and container ports in port mappings must match."


def check_targets(settings: Json) -> None:
    """Raise RefusedError when a task definition has not the container or the port that a load balancer names."""
    containers = {each["name"]: each for each in definition(settings["taskDefinition"])["containerDefinitions"]}
    for entry in settings.get("loadBalancers") or []:
        name, port = entry.get("containerName"), int(entry.get("containerPort") or 0)
        if name not in containers:
            missing = f"The container {name} does not exist in the task definition."
            raise RefusedError("InvalidParameterException", missing)
        if port not in [int(each["containerPort"]) for each in containers[name].get("portMappings") or []]:
            missing = f"The container {name} did not have a container port {port} defined."
            raise RefusedError("InvalidParameterException", missing)


def _latest_active(resolve: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return ministack's way from a reference to a task definition, but for a family: to its latest ACTIVE revision.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeTaskDefinition.html
    """

    def key(reference: Any) -> Any:
        name = str(reference or "").rpartition("/")[2]
        if not name or ":" in name:
            return resolve(reference)
        known = [each for each in ecs._task_defs.values() if each["family"] == name and each["status"] == "ACTIVE"]
        return f"{name}:{max(each['revision'] for each in known)}" if known else name

    return key


def install() -> None:
    """Have a family's name lead to its latest active revision, and EC2 say how many interfaces an instance takes."""
    ecs._resolve_td_key = _latest_active(ecs._resolve_td_key)
    described = ec2._ACTION_MAP["DescribeInstanceTypes"]
    most = f"<maximumNetworkInterfaces>{INTERFACES + 1}</maximumNetworkInterfaces>".encode()

    def types(parameters: Json) -> Any:
        status, headers, body = described(parameters)
        body = re.sub(rb"<maximumNetworkInterfaces>\d+</maximumNetworkInterfaces>", most, body)
        return status, {**headers, "Content-Length": str(len(body))} if "Content-Length" in headers else headers, body

    ec2._ACTION_MAP["DescribeInstanceTypes"] = types


def check_roles(task_definition: Json) -> None:
    """Raise RefusedError when the caller may not pass a task definition's roles to tasks."""
    for key in ("executionRoleArn", "taskRoleArn"):
        role = task_definition.get(key)
        reason = authorization.may_not_pass(role) if role else None
        if reason:
            raise RefusedError("AccessDeniedException", reason)


def alarmed(service: Service) -> list[str]:
    """Return the names of the alarms that a service watches and that are in ALARM."""
    with scope(service):
        names = (service.configuration.get("alarms") or {}).get("alarmNames") or []
        return [name for name in names if (cloudwatch._alarms.get(name) or {}).get("StateValue") == "ALARM"]


def bake(service: Service) -> float:
    """Return the seconds that a service's alarms need to see something, the longest counting.

    AWS says only that it computes the bake from them; https://github.com/aws/copilot-cli/pull/4294 says how.
    """
    with scope(service):
        names = (service.configuration.get("alarms") or {}).get("alarmNames") or []
        alarms = [cloudwatch._alarms.get(name) or {} for name in names]
        return max((each.get("Period", 0) * each.get("EvaluationPeriods", 0) for each in alarms), default=0)


def fleet(of: Json) -> Fleet:
    """Return a cluster's fleet: the Auto Scaling group of its capacity provider, if it has one."""
    group = _group(of)
    if group is None:
        return Fleet()
    least = int(group.get("MinSize") or 0)
    kind = _instance_type(group)
    return Fleet(max(int(group.get("DesiredCapacity") or 0), least), *offer(kind), kind)


def scales(of: Json) -> bool:
    """Tell whether a cluster's capacity provider starts instances for tasks, which wait in PROVISIONING meanwhile.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/cluster-auto-scaling.html
    """
    providers = [ecs._capacity_providers.get(name) or {} for name in of.get("capacityProviders") or []]
    groups = [each.get("autoScalingGroupProvider") or {} for each in providers]
    return any((group.get("managedScaling") or {}).get("status") == "ENABLED" for group in groups)


def grow(of: Json) -> None:
    """Add an instance to a cluster that has no room, as managed scaling does, up to the largest size of its group."""
    group = _group(of)
    if group and int(group.get("DesiredCapacity") or group.get("MinSize") or 0) < int(group.get("MaxSize") or 0):
        group["DesiredCapacity"] = fleet(of).size + 1


def _group(of: Json) -> Json | None:
    for name in of.get("capacityProviders") or []:
        provider = (ecs._capacity_providers.get(name) or {}).get("autoScalingGroupProvider") or {}
        found: Json | None = autoscaling._asgs.get(str(provider.get("autoScalingGroupArn") or "").rsplit("/", 1)[-1])
        if found:
            return found
    return None


def _instance_type(group: Json) -> str:
    named = group.get("LaunchTemplate") or {}
    template = ec2._launch_templates.get(str(named.get("LaunchTemplateId"))) or {}
    versions = template.get("Versions") or [{}]
    return str((versions[-1].get("LaunchTemplateData") or {}).get("InstanceType") or "t3.medium")
