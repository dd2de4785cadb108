"""How the API shows what ECS knows. Times are seconds since 1970, as its JSON has them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import capacity, scheduler
from .model import STARTING

if TYPE_CHECKING:
    from .model import Container, Deployment, Instance, Json, Release, Service, Task, World

# What CreateService was given and DescribeServices repeats.
REPEATED = (
    "serviceName",
    "loadBalancers",
    "serviceRegistries",
    "capacityProviderStrategy",
    "platformVersion",
    "taskDefinition",
    "deploymentConfiguration",
    "placementConstraints",
    "placementStrategy",
    "networkConfiguration",
    "healthCheckGracePeriodSeconds",
    "schedulingStrategy",
    "deploymentController",
    "enableECSManagedTags",
    "propagateTags",
    "enableExecuteCommand",
    "launchType",
    "availabilityZoneRebalancing",
)


def service(world: World, shown: Service) -> Json:
    """Return a service as DescribeServices does."""
    tasks = world.tasks_of(shown)
    running = sum(task.last_status == "RUNNING" for task in tasks)
    pending = sum(task.last_status in STARTING for task in tasks)
    ongoing = next((release for release in shown.releases if release.ongoing), None)
    return {
        **{key: shown.settings[key] for key in REPEATED if shown.settings.get(key) is not None},
        "serviceArn": shown.arn,
        "clusterArn": shown.cluster_arn,
        "status": shown.status,
        "desiredCount": shown.desired,
        "runningCount": running,
        "pendingCount": pending,
        "createdAt": shown.created,
        "events": list(shown.events),
        "deployments": [deployment(shown, tasks, entry) for entry in shown.deployments],
        "roleArn": f"arn:aws:iam::{shown.account}:role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS",
        "createdBy": f"arn:aws:iam::{shown.account}:root",
        **({"currentServiceDeployment": ongoing.arn} if ongoing else {}),
        "currentServiceRevisions": [
            {
                "arn": entry.revision,
                "requestedTaskCount": shown.desired,
                "runningTaskCount": scheduler.summary(shown, tasks, entry)["runningCount"],
                "pendingTaskCount": scheduler.summary(shown, tasks, entry)["pendingCount"],
            }
            for entry in shown.deployments
        ],
    }


def deployment(owner: Service, tasks: list[Task], shown: Deployment) -> Json:
    """Return one entry of a service's deployments."""
    return {
        "id": shown.id,
        "status": shown.status,
        "taskDefinition": shown.task_definition,
        **scheduler.summary(owner, tasks, shown),
        "failedTasks": shown.failed_tasks,
        "createdAt": shown.created,
        "updatedAt": shown.updated,
        "rolloutState": shown.state,
        "rolloutStateReason": shown.reason,
        **{
            key: owner.settings[key]
            for key in ("launchType", "capacityProviderStrategy", "networkConfiguration")
            if owner.settings.get(key)
        },
    }


def task(shown: Task) -> Json:
    """Return a task as DescribeTasks does."""
    placed = {"containerInstanceArn": shown.instance.arn} if shown.instance else {}
    stopped = {"stopCode": shown.stop_code, "stoppedReason": shown.stopped_reason} if shown.stop_code else {}
    provider = {"capacityProviderName": shown.capacity_provider} if shown.capacity_provider else {}
    return {
        "taskArn": shown.arn,
        "clusterArn": shown.cluster_arn,
        "taskDefinitionArn": shown.definition["taskDefinitionArn"],
        "lastStatus": shown.last_status,
        "desiredStatus": shown.desired_status,
        "group": shown.group,
        "startedBy": shown.started_by,
        "healthStatus": shown.health,
        "launchType": shown.launch_type or "EC2",
        "cpu": str(capacity.needs(shown.definition)[0]),
        "memory": str(capacity.needs(shown.definition)[1]),
        "availabilityZone": f"{shown.region}a",
        "connectivity": "CONNECTED",
        "connectivityAt": shown.times["createdAt"],
        "containers": [container(shown, entry) for entry in shown.containers],
        "attachments": _attachments(shown),
        "overrides": shown.overrides,
        "tags": shown.tags,
        "version": len(shown.times),
        "enableExecuteCommand": False,
        **placed,
        **stopped,
        **provider,
        **shown.times,
    }


def container(owner: Task, shown: Container) -> Json:
    """Return a container of a task as DescribeTasks does."""
    optional = {
        "exitCode": shown.exit_code,
        "reason": shown.reason,
        "imageDigest": shown.digest,
        "runtimeId": shown.docker_id,
    }
    bindings = [
        {"bindIP": "0.0.0.0", "containerPort": port, "protocol": "tcp", "hostPort": published}
        for port, published in shown.ports.items()
        if owner.definition.get("networkMode") != "awsvpc"
    ]
    interfaces = (
        [{"attachmentId": owner.id, "privateIpv4Address": shown.address}] if shown.address and not bindings else []
    )
    return {
        "containerArn": shown.arn,
        "taskArn": owner.arn,
        "name": shown.name,
        "image": shown.definition["image"],
        "lastStatus": shown.status,
        "healthStatus": shown.health,
        "networkBindings": bindings,
        "networkInterfaces": interfaces,
        "cpu": str(shown.definition.get("cpu") or 0),
        **{key: str(shown.definition[key]) for key in ("memory", "memoryReservation") if shown.definition.get(key)},
        **{key: value for key, value in optional.items() if value is not None},
    }


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
    times = {key: shown.times[key] for key in ("createdAt", "startedAt", "finishedAt") if key in shown.times}
    return {
        "serviceDeploymentArn": shown.arn,
        "serviceArn": owner.arn,
        "clusterArn": owner.cluster_arn,
        "status": shown.status,
        "targetServiceRevisionArn": shown.target_revision,
        **times,
        **({"statusReason": shown.reason} if shown.reason else {}),
    }


def release(world: World, owner: Service, shown: Release) -> Json:
    """Return a service deployment as DescribeServiceDeployments does."""
    tasks = world.tasks_of(owner)

    def revision(arn: str) -> Json:
        own = [entry for entry in tasks if entry.deployment and entry.deployment.revision == arn and entry.wanted]
        running = sum(entry.last_status == "RUNNING" for entry in own)
        return {
            "arn": arn,
            "requestedTaskCount": owner.desired,
            "runningTaskCount": running,
            "pendingTaskCount": len(own) - running,
        }

    breaker = "DISABLED"
    if (shown.configuration.get("deploymentCircuitBreaker") or {}).get("enable"):
        opened = shown.failures >= shown.threshold
        breaker = "TRIGGERED" if opened else "MONITORING" if shown.ongoing else "MONITORING_COMPLETE"
    return {
        **{key: value for key, value in release_brief(owner, shown).items() if key != "targetServiceRevisionArn"},
        **shown.times,
        "sourceServiceRevisions": [revision(arn) for arn in shown.source_revisions],
        "targetServiceRevision": revision(shown.target_revision),
        "deploymentConfiguration": shown.configuration,
        "deploymentCircuitBreaker": {"status": breaker, "failureCount": shown.failures, "threshold": shown.threshold},
        "alarms": _alarms(shown),
        **({"rollback": shown.rollback} if shown.rollback else {}),
    }


def _alarms(shown: Release) -> Json:
    """Return how a service deployment's alarms are (ServiceDeploymentAlarms)."""
    configured = shown.configuration.get("alarms") or {}
    if not configured.get("enable"):
        return {"status": "DISABLED"}
    watching = "MONITORING" if shown.ongoing else "MONITORING_COMPLETE"
    return {
        "status": "TRIGGERED" if shown.alarms else watching,
        "alarmNames": configured.get("alarmNames") or [],
        "triggeredAlarmNames": shown.alarms,
    }


def revision(owner: Service, arn: str, definition: Json) -> Json:
    """Return a service revision as DescribeServiceRevisions does."""
    held = owner.revisions[arn]
    images = [
        {"containerName": c["name"], "image": c["image"], **_digest(c["image"])}
        for c in definition["containerDefinitions"]
    ]
    return {
        "serviceRevisionArn": arn,
        "serviceArn": owner.arn,
        "clusterArn": owner.cluster_arn,
        "taskDefinition": held["taskDefinition"],
        "containerImages": images,
        "createdAt": held["createdAt"],
        **{
            key: held[key]
            for key in ("loadBalancers", "capacityProviderStrategy", "networkConfiguration", "launchType")
            if held.get(key)
        },
    }


def _digest(image: str) -> Json:
    return {"imageDigest": image.partition("@")[2]} if "@" in image else {}


def instance(world: World, shown: Instance) -> Json:
    """Return a container instance as DescribeContainerInstances does."""
    cpu, memory, ports = capacity.remaining(world, shown)
    tasks = capacity.running_on(world, shown)
    taken = sorted({"22", "2375", "2376", "51678", "51679", *map(str, ports)})
    return {
        "containerInstanceArn": shown.arn,
        "ec2InstanceId": shown.ec2_id,
        "status": "ACTIVE",
        "agentConnected": True,
        "runningTasksCount": sum(entry.last_status == "RUNNING" for entry in tasks),
        "pendingTasksCount": sum(entry.last_status in STARTING for entry in tasks),
        "registeredResources": _resources(shown.cpu, shown.memory, taken),
        "remainingResources": _resources(cpu, memory, taken),
        "versionInfo": {"agentVersion": "1.100.0", "dockerVersion": "DockerVersion: 25.0"},
        "attributes": [],
        "attachments": [],
        "tags": [],
    }


def _resources(cpu: int, memory: int, ports: list[str]) -> list[Json]:
    numbers = [
        {"name": name, "type": "INTEGER", "doubleValue": 0.0, "longValue": 0, "integerValue": value}
        for name, value in (("CPU", cpu), ("MEMORY", memory))
    ]
    return [
        *numbers,
        {
            "name": "PORTS",
            "type": "STRINGSET",
            "doubleValue": 0.0,
            "longValue": 0,
            "integerValue": 0,
            "stringSetValue": ports,
        },
    ]
