"""The checks of where it is to run: the cluster, the service, and what its tasks need."""

from __future__ import annotations

from typing import TYPE_CHECKING

from delivery.aws.client import AwsError
from delivery.aws.ecs import capacity, task_definition
from delivery.deployment.candidate import No, Wanted, Warn

if TYPE_CHECKING:
    from delivery.aws.client import Json


def cluster(wanted: Wanted) -> str:
    cluster = wanted.situation.cluster
    name = wanted.situation.place.names.project
    if cluster is None or cluster["status"] != "ACTIVE":
        raise No(
            f"The cluster {name} is {cluster['status'] if cluster else 'not there'}.",
            "create the stacks (ecs/README.md), or set PROJECT to the name that they were created with.",
        )
    return f"{name} is active"


def service(wanted: Wanted) -> str:
    service = _the_service(wanted)
    if service["status"] != "ACTIVE":
        raise No(f"The service is {service['status']}.", "create it again: ecs/service.yml.")
    breaker = service.get("deploymentConfiguration", {}).get("deploymentCircuitBreaker", {})
    if not (breaker.get("enable") and breaker.get("rollback")):
        raise No(
            "The service does not undo a rollout that fails: its circuit breaker is off.",
            "ecs/service.yml, DeploymentCircuitBreaker.",
        )
    if task_definition.image(wanted.situation.definition) is None:
        raise No(
            f"{task_definition.revision(service['taskDefinition'])} has no container {task_definition.CONTAINER}.",
            "ecs/service.yml, ContainerDefinitions.",
        )
    return f"active, {service['runningCount']} of {service['desiredCount']} tasks running"


def deployments(wanted: Wanted) -> str:
    _the_service(wanted)
    for each in wanted.situation.deployments:
        if each["status"] in ("PENDING", "IN_PROGRESS", "STOP_REQUESTED", "ROLLBACK_REQUESTED", "ROLLBACK_IN_PROGRESS"):
            raise No(
                f"Another deployment is under way, {each['status']}: {each['serviceDeploymentArn']}.",
                "nothing: run this again when it has ended.",
            )
    return "none under way"


def roles(wanted: Wanted) -> str:
    _the_service(wanted)
    names = []
    for kind in ("taskRoleArn", "executionRoleArn"):
        arn = wanted.situation.definition.get(kind)
        if not arn:
            raise No(f"The task definition has no {kind}.", "ecs/service.yml, TaskDefinition.")
        names.append(arn.rsplit("/", 1)[-1])
        try:
            wanted.situation.place.aws.call("iam", "get-role", "--role-name", names[-1])
        except AwsError as error:
            if error.error != "NoSuchEntity":
                raise
            raise No(f"The role {names[-1]} is not there.", "ecs/service.yml, TaskRole and ExecutionRole.") from None
    return " and ".join(names)


def secrets(wanted: Wanted) -> str:
    _the_service(wanted)
    keys: dict[str, list[str]] = {}
    elsewhere = []
    for container in wanted.situation.definition["containerDefinitions"]:
        for secret in container.get("secrets", []):
            parts = secret["valueFrom"].split(":")
            if len(parts) >= 7 and parts[2] == "secretsmanager":
                keys.setdefault(":".join(parts[:7]), []).append(parts[7] if len(parts) > 7 else "")
            else:
                elsewhere.append(secret["name"])
    for arn, wants in keys.items():
        _secret(wanted, arn, wants)
    if elsewhere:
        raise Warn(f"{', '.join(elsewhere)}: not in Secrets Manager, so only ECS can tell")
    return (
        ", ".join(f"{arn.split(':')[6]} with {', '.join(filter(None, wants))}" for arn, wants in keys.items()) or "none"
    )


def _secret(wanted: Wanted, arn: str, keys: list[str]) -> None:
    try:
        found = wanted.situation.place.aws.call("secretsmanager", "describe-secret", "--secret-id", arn)
    except AwsError as error:
        if error.error != "ResourceNotFoundException":
            raise
        raise No(f"The secret {arn} is not there.", "ecs/database.yml, or Secrets in ecs/service.yml.") from None
    if found.get("DeletedDate"):
        raise No(f"The secret {arn} is being deleted.", "`aws secretsmanager restore-secret` brings it back.")
    # A secret's keys are in its value, which is nobody's to read here. RDS's own have these two
    # (https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-secrets-manager.html); of others, ECS tells.
    if found.get("OwningService") == "rds" and (wrong := sorted({*keys} - {"username", "password", ""})):
        raise No(f"The secret {arn} of RDS has no key {wrong[0]}.", "ecs/service.yml, Secrets.")


def target_group(wanted: Wanted) -> str:
    balancers = _the_service(wanted).get("loadBalancers") or []
    if not balancers:
        raise No("The service stands behind no load balancer.", "ecs/service.yml, LoadBalancers.")
    arn, name, port = (balancers[0].get(key) for key in ("targetGroupArn", "containerName", "containerPort"))
    definition = wanted.situation.definition
    container = next((each for each in definition["containerDefinitions"] if each["name"] == name), None)
    ports = [each["containerPort"] for each in (container or {}).get("portMappings", [])]
    if port not in ports:
        raise No(
            f"Visitors are sent to port {port} of {name}, which has {ports or 'none'}.",
            "ecs/service.yml, PortMappings.",
        )
    group = wanted.situation.place.aws.call("elbv2", "describe-target-groups", "--target-group-arns", str(arn))[
        "TargetGroups"
    ][0]
    if (group.get("TargetType") == "ip") != (definition.get("networkMode") == "awsvpc"):
        raise No(
            f"The target group takes targets by {group.get('TargetType')}, and the tasks' network is "
            f"{definition.get('networkMode', 'bridge')}.",
            "ecs/load-balancer.yml, TargetType, or ecs/service.yml, NetworkMode.",
        )
    if group.get("HealthCheckPort", "traffic-port") not in ("traffic-port", str(port)):
        raise No(
            f"The load balancer checks port {group['HealthCheckPort']}, and visitors go to {port}.",
            "ecs/load-balancer.yml, HealthCheckPort.",
        )
    if group.get("HealthCheckPath") != "/readyz":
        raise Warn(f"the load balancer checks {group.get('HealthCheckPath')}, which is not the site's /readyz")
    return f"port {port}, checked at /readyz"


def log_group(wanted: Wanted) -> str:
    name = wanted.situation.place.names.log_group
    found = wanted.situation.place.aws.call("logs", "describe-log-groups", "--log-group-name-prefix", name)["logGroups"]
    if name not in (group["logGroupName"] for group in found):
        raise No(f"The log group {name} is not there, and no task starts without it.", "ecs/service.yml, LogGroup.")
    return name


def room(wanted: Wanted) -> str:
    room = capacity.room(wanted.situation.place, _the_service(wanted), wanted.situation.definition)
    if room.tasks or room.unbounded:
        return room.sentence
    if room.grows:
        raise Warn(room.sentence)
    raise No(
        room.sentence, "ecs/cluster.yml: more or larger instances; or Cpu and MemoryReservation in ecs/service.yml."
    )


def site(wanted: Wanted) -> str:
    if not wanted.situation.site_url:
        raise No(
            f"{wanted.situation.place.names.site_url} does not say where the site is, and so nothing could be proven.",
            "ecs/service.yml, SiteUrlParameter.",
        )
    return wanted.situation.site_url


def _the_service(wanted: Wanted) -> Json:
    if wanted.situation.service is None:
        raise No("There is no service.", "create the stacks (ecs/README.md).")
    return wanted.situation.service
