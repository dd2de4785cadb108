"""The JSON of ECS's API, made from the model. Times are seconds since 1970."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from . import capacity, scheduler
from .model import STARTING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .model import Container, Deployment, Instance, Json, Release, Service, Task, World

# The arguments of CreateService that DescribeServices repeats.
REPEATED = """
serviceName loadBalancers serviceRegistries capacityProviderStrategy platformVersion taskDefinition
deploymentConfiguration placementConstraints placementStrategy networkConfiguration healthCheckGracePeriodSeconds
schedulingStrategy deploymentController enableECSManagedTags propagateTags enableExecuteCommand launchType
availabilityZoneRebalancing
"""
ROLE = "role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS"


def described(kind: str, names: Iterable[str], shown: Callable[[str], Json | None]) -> Json:
    """Return the answer of a Describe action; a name for which `shown` gives None is missing."""
    found = {name: shown(name) for name in names}
    missing = [{"arn": name, "reason": "MISSING"} for name, value in found.items() if value is None]
    return {kind: [value for value in found.values() if value is not None], "failures": missing}


def capacity_providers(theirs: Callable[[Json], Any], data: Json) -> Any:
    """Return ministack's answer of DescribeCapacityProviders, with those that it did not find."""
    status, headers, body = theirs(data)
    found: Json = json.loads(body)
    names = {provider[key] for provider in found["capacityProviders"] for key in ("name", "capacityProviderArn")}
    missing = [name for name in data.get("capacityProviders") or [] if name not in names]
    found["failures"] = [{"arn": name, "reason": "MISSING"} for name in missing]
    return status, headers, json.dumps(found).encode()


def chosen(source: Json, *keys: str) -> Json:
    """Return the keys of a mapping that have a value."""
    return {key: source[key] for key in keys if source.get(key)}


def service(world: World, shown: Service) -> Json:
    """Return a service as DescribeServices does."""
    tasks = world.tasks_of(shown)
    ongoing = next((release for release in shown.releases if release.ongoing), None)
    running = sum(task.last_status == "RUNNING" for task in tasks)
    pending = sum(task.last_status in STARTING for task in tasks)
    account = f"arn:aws:iam::{shown.account}"
    names = {"serviceArn": shown.arn, "clusterArn": shown.cluster_arn, "status": shown.status}
    counts = {"desiredCount": shown.desired, "runningCount": running, "pendingCount": pending}
    origin = {"createdAt": shown.created, "createdBy": f"{account}:root", "roleArn": f"{account}:{ROLE}"}
    revisions = [
        _counted(entry.revision, shown.desired, **scheduler.summary(shown, tasks, entry)) for entry in shown.deployments
    ]
    return {
        **{key: shown.settings[key] for key in REPEATED.split() if shown.settings.get(key) is not None},
        **names,
        **counts,
        **origin,
        "events": list(shown.events),
        "deployments": [deployment(shown, tasks, entry) for entry in shown.deployments],
        **({"currentServiceDeployment": ongoing.arn} if ongoing else {}),
        "currentServiceRevisions": revisions,
    }


def _counted(arn: str, desired: int, runningCount: int, pendingCount: int, **_: Any) -> Json:  # noqa: N803
    counts = {"requestedTaskCount": desired, "runningTaskCount": runningCount, "pendingTaskCount": pendingCount}
    return {"arn": arn, **counts}


def deployment(owner: Service, tasks: list[Task], shown: Deployment) -> Json:
    """Return one entry of a service's deployments."""
    names = {"id": shown.id, "status": shown.status, "taskDefinition": shown.task_definition}
    counts = {**scheduler.summary(owner, tasks, shown), "failedTasks": shown.failed_tasks}
    rollout = {"rolloutState": shown.state, "rolloutStateReason": shown.reason}
    times = {"createdAt": shown.created, "updatedAt": shown.updated}
    settings = chosen(owner.settings, "launchType", "capacityProviderStrategy", "networkConfiguration")
    return {**names, **counts, **rollout, **times, **settings}


def task(shown: Task) -> Json:
    """Return a task as DescribeTasks does."""
    cpu, memory = capacity.needs(shown.definition)
    definition = shown.definition["taskDefinitionArn"]
    names = {"taskArn": shown.arn, "clusterArn": shown.cluster_arn, "taskDefinitionArn": definition}
    state = {"lastStatus": shown.last_status, "desiredStatus": shown.desired_status, "healthStatus": shown.health}
    origin = {"group": shown.group, "startedBy": shown.started_by, "launchType": shown.launch_type or "EC2"}
    size = {"cpu": str(cpu), "memory": str(memory), "availabilityZone": f"{shown.region}a"}
    agent = {"connectivity": "CONNECTED", "connectivityAt": shown.times["createdAt"], "enableExecuteCommand": False}
    return {
        **names,
        **state,
        **origin,
        **size,
        **agent,
        "containers": [container(shown, entry) for entry in shown.containers],
        "attachments": _attachments(shown),
        "overrides": shown.overrides,
        "tags": shown.tags,
        "version": len(shown.times),
        **({"containerInstanceArn": shown.instance.arn} if shown.instance else {}),
        **({"stopCode": shown.stop_code, "stoppedReason": shown.stopped_reason} if shown.stop_code else {}),
        **({"capacityProviderName": shown.capacity_provider} if shown.capacity_provider else {}),
        **shown.times,
    }


def container(owner: Task, shown: Container) -> Json:
    """Return a container of a task as DescribeTasks does."""
    names = {"containerArn": shown.arn, "taskArn": owner.arn, "name": shown.name, "image": shown.definition["image"]}
    state = {"lastStatus": shown.status, "healthStatus": shown.health, "cpu": str(shown.definition.get("cpu") or 0)}
    alone = owner.definition.get("networkMode") != "awsvpc"  # of the containers of its task
    bindings = [
        {"bindIP": "0.0.0.0", "containerPort": port, "protocol": "tcp", "hostPort": published}
        for port, published in shown.ports.items()
        if alone
    ]
    interface = {"attachmentId": owner.id, "privateIpv4Address": shown.address}
    interfaces = [interface] if shown.address and not alone else []
    memory = {key: str(value) for key, value in chosen(shown.definition, "memory", "memoryReservation").items()}
    ended = {"exitCode": shown.exit_code, "reason": shown.reason}
    optional = {**ended, "imageDigest": shown.digest, "runtimeId": shown.docker_id}
    known = {key: value for key, value in optional.items() if value is not None}
    return {**names, **state, "networkBindings": bindings, "networkInterfaces": interfaces, **memory, **known}


def _attachments(owner: Task) -> list[Json]:
    """Return the network interface of a task that has its own."""
    address = next((c.address for c in owner.containers if c.address), None)
    if owner.definition.get("networkMode") != "awsvpc" or not address:
        return []
    subnets = (owner.network.get("awsvpcConfiguration") or {}).get("subnets") or [""]
    details = [{"name": "subnetId", "value": subnets[0]}, {"name": "privateIPv4Address", "value": address}]
    return [{"id": owner.id, "type": "ElasticNetworkInterface", "status": "ATTACHED", "details": details}]


def release_brief(owner: Service, shown: Release) -> Json:
    """Return a service deployment as ListServiceDeployments does."""
    names = {"serviceDeploymentArn": shown.arn, "serviceArn": owner.arn, "clusterArn": owner.cluster_arn}
    state = {"status": shown.status, "targetServiceRevisionArn": shown.target_revision}
    times = chosen(shown.times, "createdAt", "startedAt", "finishedAt")
    return {**names, **state, **times, **({"statusReason": shown.reason} if shown.reason else {})}


def release(world: World, owner: Service, shown: Release) -> Json:
    """Return a service deployment as DescribeServiceDeployments does."""
    tasks = [entry for entry in world.tasks_of(owner) if entry.wanted and entry.deployment]

    def revision(arn: str) -> Json:
        own = [entry for entry in tasks if entry.deployment and entry.deployment.revision == arn]
        running = sum(entry.last_status == "RUNNING" for entry in own)
        return _counted(arn, owner.desired, running, len(own) - running)

    breaker = "DISABLED"
    if (shown.configuration.get("deploymentCircuitBreaker") or {}).get("enable"):
        opened = shown.failures >= shown.threshold
        breaker = "TRIGGERED" if opened else "MONITORING" if shown.ongoing else "MONITORING_COMPLETE"
    return {
        **{key: value for key, value in release_brief(owner, shown).items() if key != "targetServiceRevisionArn"},
        **shown.times,
        "sourceServiceRevisions": [revision(arn) for arn in shown.source_revisions],
        "targetServiceRevision": revision(shown.target_revision),
        **_lifecycle(shown),
        "deploymentConfiguration": shown.configuration,
        "deploymentCircuitBreaker": {"status": breaker, "failureCount": shown.failures, "threshold": shown.threshold},
        "alarms": _alarms(shown),
        **({"rollback": shown.rollback} if shown.rollback else {}),
    }


def _lifecycle(shown: Release) -> Json:
    """Return the stage of a service deployment that is under way (ServiceDeploymentLifecycleStage)."""
    if not shown.ongoing or shown.rollback:
        return {}
    started = "SCALE_UP" if "startedAt" in shown.times else "PRE_SCALE_UP"
    return {"lifecycleStage": "BAKE_TIME" if shown.baking else started}


def _alarms(shown: Release) -> Json:
    """Return the state of a service deployment's alarms (ServiceDeploymentAlarms)."""
    configured = shown.configuration.get("alarms") or {}
    if not shown.watches:
        return {"status": "DISABLED"}
    status = "TRIGGERED" if shown.alarms else "MONITORING" if shown.ongoing else "MONITORING_COMPLETE"
    return {"status": status, "alarmNames": configured.get("alarmNames") or [], "triggeredAlarmNames": shown.alarms}


def revision(owner: Service, arn: str, definition: Json) -> Json:
    """Return a service revision as DescribeServiceRevisions does."""
    held = owner.revisions[arn]
    images = [
        {"containerName": c["name"], "image": c["image"], **_digest(c["image"])}
        for c in definition["containerDefinitions"]
    ]
    names = {"serviceRevisionArn": arn, "serviceArn": owner.arn, "clusterArn": owner.cluster_arn}
    own = {"taskDefinition": held["taskDefinition"], "containerImages": images, "createdAt": held["createdAt"]}
    settings = chosen(held, "loadBalancers", "capacityProviderStrategy", "networkConfiguration", "launchType")
    return {**names, **own, **settings}


def _digest(image: str) -> Json:
    return {"imageDigest": image.partition("@")[2]} if "@" in image else {}


def instance(world: World, shown: Instance) -> Json:
    """Return a container instance as DescribeContainerInstances does."""
    cpu, memory, ports = capacity.remaining(world, shown)
    tasks = capacity.running_on(world, shown)
    taken = sorted({"22", "2375", "2376", "51678", "51679", *map(str, ports)})
    names = {"containerInstanceArn": shown.arn, "ec2InstanceId": shown.ec2_id, "status": "ACTIVE"}
    kind = {"name": "ecs.instance-type", "value": shown.kind}
    empty: Json = {"attributes": [kind], "attachments": [], "tags": []}
    return {
        **names,
        **empty,
        "agentConnected": True,
        "versionInfo": {"agentVersion": "1.100.0", "dockerVersion": "DockerVersion: 25.0"},
        "runningTasksCount": sum(entry.last_status == "RUNNING" for entry in tasks),
        "pendingTasksCount": sum(entry.last_status in STARTING for entry in tasks),
        "registeredResources": _resources(shown.cpu, shown.memory, taken),
        "remainingResources": _resources(cpu, memory, taken),
    }


def _resources(cpu: int, memory: int, ports: list[str]) -> list[Json]:
    zero = {"doubleValue": 0.0, "longValue": 0, "integerValue": 0}
    numbers = {"CPU": cpu, "MEMORY": memory}
    return [
        *({"name": name, "type": "INTEGER", **zero, "integerValue": number} for name, number in numbers.items()),
        {"name": "PORTS", "type": "STRINGSET", **zero, "stringSetValue": ports},
    ]
