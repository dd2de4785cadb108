"""The resources of the stacks, in the shapes that AWS describes them in."""

from __future__ import annotations

import hashlib
from typing import Any

Json = dict[str, Any]

ACCOUNT, REGION, NAME = "111122223333", "eu-central-1", "colophon"
REGISTRY = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"
ARN = f"arn:aws:ecs:{REGION}:{ACCOUNT}"
GROUP = f"arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:targetgroup/{NAME}/0123456789abcdef"
SECRETS = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{NAME}"
OWNER, SITE_USER, NEXT_USER = (f"{SECRETS}/database-{name}-AbCdEf" for name in ("owner", "site-user", "next-user"))
SITE_USER_NAME, NEXT_USER_NAME = f"{NAME}/database-site-user", f"{NAME}/database-next-user"
DATABASE_URL = f"/{NAME}/database-url"
ROLES = f"arn:aws:iam::{ACCOUNT}:role"
ALARM = f"{NAME}-site-errors"
TYPE = "ecs.instance-type"
NOON = 1772366400.0  # 1 March 2026, as version 1 of the CLI gives times


def digest_of(text: str) -> str:
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def target(address: str, state: str, reason: str = "", description: str = "") -> Json:
    """Return a target of the load balancer."""
    why = {"Reason": reason, "Description": description} if reason else {}
    return {"Target": {"Id": address, "Port": 8000}, "HealthCheckPort": "8000", "TargetHealth": {"State": state, **why}}


def target_group() -> Json:
    """Return the target group of the load balancer."""
    group = {"TargetGroupArn": GROUP, "TargetGroupName": NAME, "TargetType": "ip", "Protocol": "HTTP", "Port": 8000}
    return group | {"HealthCheckPath": "/readyz", "HealthCheckPort": "traffic-port"}


def instance(cpu: int, memory: int, *, tasks: int = 0) -> Json:
    """Return a container instance with so much to spare, and so many tasks on it."""
    free = {"type": "INTEGER", "doubleValue": 0.0, "longValue": 0}
    left = [free | {"name": "CPU", "integerValue": cpu}, free | {"name": "MEMORY", "integerValue": memory}]
    arn = f"{ARN}:container-instance/{NAME}/1"
    names = {"containerInstanceArn": arn, "status": "ACTIVE", "attributes": [{"name": TYPE, "value": "t3.small"}]}
    counts = {"runningTasksCount": tasks, "pendingTasksCount": 0}
    return {**names, "agentConnected": True, "remainingResources": left, **counts}


def capacity_provider(scaling: str) -> Json:
    group = f"arn:aws:autoscaling:{REGION}:{ACCOUNT}:autoScalingGroup:1:name"
    provider = {"autoScalingGroupArn": group, "managedScaling": {"status": scaling}}
    return {"name": NAME, "status": "ACTIVE", "autoScalingGroupProvider": provider}


def role(name: str) -> Json:
    made = {"RoleId": "AROAFAKEFAKEFAKEFAKE", "CreateDate": "2026-01-01T00:00:00Z"}
    return {"Path": "/", "RoleName": name, "Arn": f"{ROLES}/{name}", **made}


def definition(arn: str, number: int, image: str) -> Json:
    """Return the service's task definition as ecs/service.yml makes it."""
    made = _definition(arn, number, NAME, _container("site", image, "site", _libpq(SITE_USER)), "execution")
    ports = [{"containerPort": 8000, "hostPort": 8000, "protocol": "tcp"}]
    more: Json = {"portMappings": ports, "dependsOn": [{"containerName": "site", "condition": "START"}]}
    edge = _container("edge", image, "edge", {}) | more | {"command": ["python3", "-m", "colophon", "edge"]}
    made["containerDefinitions"].append(edge | {"memory": 256})
    return made


def without_edge(definition: Json) -> Json:
    """Return a service's task definition as it was before there was an edge."""
    site, edge = definition["containerDefinitions"]
    return definition | {"containerDefinitions": [site | {"portMappings": edge["portMappings"]}]}


def agent() -> Json:
    """Return a vendor's container, as people put it beside the site."""
    return {"name": "agent", "image": "registry.example.org/vendor/agent:7", "essential": False, "memory": 64}


def preparing(arn: str, number: int, image: str) -> Json:
    """Return the task definition that prepares the database, likewise."""
    users = {"DATABASE_SITE_USER": SITE_USER, "DATABASE_NEXT_USER": NEXT_USER}
    command = {"command": ["python3", "-m", "colophon", "prepare"]}
    container = _container("site", image, "prepare", _libpq(OWNER) | users) | command
    return _definition(arn, number, f"{NAME}-prepare", container, "prepare-execution")


def _libpq(secret: str) -> dict[str, str]:
    url = f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter{DATABASE_URL}"
    return {"DATABASE_URL": url, "PGUSER": f"{secret}:username::", "PGPASSWORD": f"{secret}:password::"}


def _container(name: str, image: str, prefix: str, secrets: dict[str, str]) -> Json:
    log = {"awslogs-group": f"/{NAME}/site", "awslogs-stream-prefix": prefix}
    return {
        **{"name": name, "image": image, "cpu": 0, "memory": 1024, "memoryReservation": 384, "essential": True},
        "portMappings": [],
        "secrets": [{"name": name, "valueFrom": value} for name, value in secrets.items()],
        "logConfiguration": {"logDriver": "awslogs", "options": log},
    }


def _definition(arn: str, number: int, family: str, container: Json, role: str) -> Json:
    registered = {"taskDefinitionArn": arn, "revision": number, "status": "ACTIVE", "registeredAt": NOON}
    registered |= {"registeredBy": f"arn:aws:iam::{ACCOUNT}:root", "compatibilities": ["EC2", "FARGATE"]}
    return registered | {
        "requiresAttributes": [{"name": "com.amazonaws.ecs.capability.ecr-auth"}],
        "family": family,
        "networkMode": "awsvpc",
        "requiresCompatibilities": ["EC2"],
        "cpu": "512",
        "taskRoleArn": f"{ROLES}/{NAME}-task-{REGION}",
        "executionRoleArn": f"{ROLES}/{NAME}-{role}-{REGION}",
        "volumes": [],
        "placementConstraints": [],
        "containerDefinitions": [container],
    }


def service(
    definition: str, desired: int, *, status: str, rollout: str, breaker: Json, events: list[Json], front: str
) -> Json:
    """Return the service, all of whose tasks run, and whose visitors come to the container `front`."""
    tasks = {"desiredCount": desired, "runningCount": desired, "pendingCount": 0, "taskDefinition": definition}
    primary = {"id": "ecs-svc/1", "status": "PRIMARY", "failedTasks": 0, "rolloutState": rollout, **tasks}
    limits = {"maximumPercent": 200, "minimumHealthyPercent": 100}
    alarms = {"alarmNames": [ALARM], "enable": True, "rollback": True}
    network = {"subnets": ["subnet-1"], "securityGroups": ["sg-1"]}
    return tasks | {
        "serviceArn": f"{ARN}:service/{NAME}/{NAME}",
        "serviceName": NAME,
        "status": status,
        "loadBalancers": [{"targetGroupArn": GROUP, "containerName": front, "containerPort": 8000}],
        "deploymentConfiguration": {"deploymentCircuitBreaker": breaker, "alarms": alarms, **limits},
        "healthCheckGracePeriodSeconds": 30,
        "capacityProviderStrategy": [{"capacityProvider": NAME, "weight": 1, "base": 0}],
        "networkConfiguration": {"awsvpcConfiguration": network},
        "deployments": [primary],
        "events": events,
        "tags": [{"key": "minimum-tasks", "value": "3"}],
    }


def task(name: str, definition: str, status: str, **more: Any) -> Json:
    arn = f"{ARN}:task/{NAME}/{name}"
    return {"taskArn": arn, "taskDefinitionArn": definition, "lastStatus": status, **more}
