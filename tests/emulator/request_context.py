"""The request context of IAM: the ARN and the condition keys that policies are evaluated against.

https://docs.aws.amazon.com/service-authorization/latest/reference/
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import cbor2
from ministack.core import iam_actions
from ministack.core.responses import get_account_id, get_region
from ministack.services import ecs

if TYPE_CHECKING:
    from .model import Json


def install() -> None:
    """Replace ministack's ARNs of ECS, ECR, CloudWatch and its logs, and add condition keys of ECS and S3."""
    extract, tagged = iam_actions.extract_resource_arn, iam_actions.request_tag_context
    of_s3 = iam_actions.s3_service_context

    def resource(
        service: str, method: str, path: str, headers: Json, body: bytes, query: Json, region: str, account: str
    ) -> Any:
        own = {"ecs": _ecs, "ecr": _ecr, "logs": _logs, "monitoring": _cloudwatch}.get(service)
        found = own(f":{region}:{account}:", _action(headers, path), _input(headers, body)) if own else None
        return found or extract(service, method, path, headers, body, query, region, account)

    def keys(service: str, action: str, body: bytes, params: Json) -> Json:
        own = _ecs_keys(_input({}, body)) if service == "ecs" else {}
        return {**tagged(service, action, body, params), **own}

    def s3_keys(action: str, query: Json, path: str = "", headers: Json | None = None) -> Json:
        given = {name: value for name, value in (headers or {}).items() if name in ("if-match", "if-none-match")}
        return {**of_s3(action, query, path, headers), **{f"s3:{name}": value for name, value in given.items()}}

    iam_actions.extract_resource_arn, iam_actions.request_tag_context = resource, keys
    iam_actions.s3_service_context = s3_keys


def _action(headers: Json, path: str) -> str:
    return str(headers.get("x-amz-target") or "").rpartition(".")[2] or path.rpartition("/operation/")[2]


def _input(headers: Json, body: bytes) -> Json:
    """Return the input of a request in JSON or CBOR; empty for AWS's other protocols."""
    try:
        found = cbor2.loads(body) if "cbor" in str(headers.get("smithy-protocol", "")) else json.loads(body or b"{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _cluster_arn(data: Json) -> str:
    name = str(data.get("cluster") or "default")
    return name if name.startswith("arn:") else f"arn:aws:ecs:{get_region()}:{get_account_id()}:cluster/{name}"


def _ecs_keys(data: Json) -> Json:
    """Return the condition keys of a request to ECS: its cluster, and what it says of these privileges."""
    keys: Json = {"ecs:cluster": _cluster_arn(data)}
    network = (data.get("networkConfiguration") or {}).get("awsvpcConfiguration") or {}
    if "containerDefinitions" in data:
        keys["ecs:privileged"] = _said(any(one.get("privileged") for one in data["containerDefinitions"]))
    if "enableExecuteCommand" in data:
        keys["ecs:enable-execute-command"] = _said(data["enableExecuteCommand"])
    if network:
        keys["ecs:subnet"] = network.get("subnets") or []
        keys["ecs:auto-assign-public-ip"] = _said(network.get("assignPublicIp") == "ENABLED")
    return keys


def _said(truth: object) -> str:
    return "true" if truth else "false"


def _first(data: Json, *names: str) -> str | None:
    """Return a request's first value under the first of these names that it has."""
    for name in names:
        value = data.get(name)
        if value:
            return str(value[0] if isinstance(value, list) else value)
    return None


def _ecs(place: str, action: str, data: Json) -> str | None:
    cluster = str(data.get("cluster") or "default").rsplit("/", 1)[-1]

    def arn(kind: str, name: str | None, *, within: bool = True) -> str:
        name = name or "*"
        return name if name.startswith("arn:") else f"arn:aws:ecs{place}{kind}/{f'{cluster}/' if within else ''}{name}"

    if action in ("CreateService", "UpdateService", "DeleteService", "DescribeServices", "ListServiceDeployments"):
        return arn("service", _first(data, "service", "serviceName", "services"))
    if action in ("DescribeServiceDeployments", "StopServiceDeployment"):
        return arn("service-deployment", _first(data, "serviceDeploymentArn", "serviceDeploymentArns"))
    if action == "DescribeServiceRevisions":
        return arn("service-revision", _first(data, "serviceRevisionArns"))
    if action in ("StopTask", "DescribeTasks"):
        return arn("task", _first(data, "task", "tasks"))
    if action in ("RunTask", "StartTask", "DeregisterTaskDefinition"):
        named = _first(data, "taskDefinition") or "*"
        # A family alone is its newest revision.
        return arn("task-definition", named if named.startswith("arn:") else ecs._resolve_td_key(named), within=False)
    if action == "RegisterTaskDefinition":
        return arn("task-definition", f"{data.get('family')}:*", within=False)
    if action in ("DescribeContainerInstances", "UpdateContainerInstancesState"):
        return arn("container-instance", _first(data, "containerInstances"))
    if action in ("DescribeClusters", "ListContainerInstances", "UpdateCluster", "PutClusterCapacityProviders"):
        return arn("cluster", _first(data, "clusters") or cluster, within=False)
    if action == "DescribeCapacityProviders":
        return arn("capacity-provider", _first(data, "capacityProviders"), within=False)
    return "*"


def _ecr(place: str, action: str, data: Json) -> str | None:
    if action != "DescribeRepositories":
        return None
    return f"arn:aws:ecr{place}repository/{_first(data, 'repositoryNames') or '*'}"


def _logs(place: str, action: str, data: Json) -> str | None:
    group = data.get("logGroupName") or ""
    if action == "DescribeLogGroups":
        return f"arn:aws:logs{place}log-group::log-stream:"
    if action in ("GetLogEvents", "PutLogEvents", "FilterLogEvents"):
        return f"arn:aws:logs{place}log-group:{group}:log-stream:{data.get('logStreamName') or ''}"
    return None


def _cloudwatch(place: str, action: str, data: Json) -> str | None:
    if action != "DescribeAlarms":
        return None
    return f"arn:aws:cloudwatch{place}alarm:{_first(data, 'AlarmNames', 'AlarmNamePrefix') or '*'}"
