"""The checks of the service: its cluster, its roles and secrets, its load balancer, and room for its tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from delivery.aws.ecs import capacity, service, task_definition
from delivery.aws.errors import AwsError
from delivery.deployment.errors import Doubt, Refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from delivery.aws.context import Context
    from delivery.aws.ecs.service import Running
    from delivery.deployment.seam import Candidate, Json

NAMES = (
    *("cluster", "service", "containers", "deployments", "roles", "secrets"),
    *("target group", "log group", "capacity", "alarms", "address"),
)

ALARMS = ("MetricAlarms", "CompositeAlarms")  # in the answer of DescribeAlarms


class Checks:
    """The checks of one service. Each returns what it found, and raises Refusal, Doubt and AwsError."""

    def __init__(self, context: Context, running: Running) -> None:
        self._context, self._running = context, running

    def by_name(self) -> dict[str, Callable[[Candidate], str]]:
        """Return the checks by their names, in the order in which they run."""
        return {name: _of_no_candidate(getattr(self, name.replace(" ", "_"))) for name in NAMES}

    def cluster(self) -> str:
        """Check that the cluster is there and active."""
        cluster = self._running.cluster
        name = self._context.names.project
        if cluster is None or cluster["status"] != "ACTIVE":
            raise Refusal(
                f"The cluster {name} is {cluster['status'] if cluster else 'not there'}.",
                "create the stacks (ecs/README.md), or correct `project` in delivery.toml.",
            )
        return f"{name} is active"

    def service(self) -> str:
        """Check that the service is active, and undoes a failed rollout by itself."""
        service = self._service()
        if service["status"] != "ACTIVE":
            raise Refusal(f"The service is {service['status']}.", "create it again: ecs/service.yml.")
        breaker = service.get("deploymentConfiguration", {}).get("deploymentCircuitBreaker", {})
        if not (breaker.get("enable") and breaker.get("rollback")):
            raise Refusal(
                "The service does not roll back a failed rollout: its circuit breaker is off.",
                "check ecs/service.yml, DeploymentCircuitBreaker.",
            )
        return f"active, {service['runningCount']} of {service['desiredCount']} tasks running"

    def containers(self) -> str:
        """Check that the tasks have containers of the project's image, and which these are: a deployment replaces it.

        Containers of other images, such as a vendor's agent, may stand beside them.
        """
        names, revision = self._context.names, task_definition.revision(self._service()["taskDefinition"])
        if not self._running.images:
            raise Refusal(
                f"{revision} has no container of an image of the repository {names.project}.",
                "check ecs/service.yml, ContainerDefinitions.",
            )
        try:
            preparing = task_definition.images(self._running.preparing, names.project)
        except AwsError as error:
            if error.error != "ClientException":  # "Unable to describe task definition."
                raise
            preparing = {}
        if len(preparing) != 1:
            raise Refusal(
                f"No task definition {names.preparing} with one container of an image of the repository "
                f"{names.project} prepares the database.",
                "make the service's stack again: ecs/service.yml, PrepareTaskDefinition.",
            )
        images = (*self._running.images.values(), *preparing.values())
        repositories = dict.fromkeys(map(task_definition.repository, images))
        if len(repositories) > 1:
            raise Refusal(
                f"The task definitions name images of several repositories: {', '.join(repositories)}.",
                "check ecs/service.yml, Image of each container; one of another registry needs another name there.",
            )
        if self._running.differing:
            raise Doubt(f"{revision} has different images, of which a deployment makes one: {self._running.differing}")
        return ", ".join(self._running.images)

    def deployments(self) -> str:
        """Check that no other deployment is under way."""
        present = self._service()
        for each in self._running.deployments:
            if each["status"] in service.UNDER_WAY:
                arn = each["serviceDeploymentArn"]
                stage = service.stage(self._context, present, arn).value
                raise Refusal(
                    f"Another deployment is under way, {each['status']} ({stage}): {arn}.",
                    # One that bakes has not completed, so ECS would go back to the one before it.
                    "run this again when it has ended; to undo that one now, `aws ecs stop-service-deployment "
                    f"--service-deployment-arn {arn} --stop-type ROLLBACK`.",
                )
        return "none under way"

    def roles(self) -> str:
        """Check that the tasks' roles are there."""
        names = dict.fromkeys(
            self._role(definition, kind)
            for definition in self._definitions()
            for kind in ("taskRoleArn", "executionRoleArn")
        )
        for name in names:
            try:
                self._context.aws.call("iam", "get-role", "--role-name", name)
            except AwsError as error:
                if error.error != "NoSuchEntity":
                    raise
                raise Refusal(f"The role {name} is not there.", "check the roles in ecs/service.yml.") from None
        return ", ".join(names)

    def _role(self, definition: Json, kind: str) -> str:
        if not definition.get(kind):
            name = task_definition.revision(definition["taskDefinitionArn"])
            raise Refusal(f"{name} has no {kind}.", "check the task definitions in ecs/service.yml.")
        return str(definition[kind]).rsplit("/", 1)[-1]

    def secrets(self) -> str:
        """Check that the secrets that the tasks read are there, and the parameter that says where the database is."""
        sources = dict.fromkeys(
            ":".join(secret["valueFrom"].split(":")[:7])  # without its key
            for definition in self._definitions()
            for container in definition["containerDefinitions"]
            for secret in container.get("secrets", [])
        )
        url, elsewhere, found = self._context.names.database_url, [], []
        for source in sources:
            if ":secretsmanager:" in source:
                self._secret(source)
                found.append(source.split(":")[6])
            elif not source.endswith(f":parameter{url}"):
                elsewhere.append(source)
            elif self._context.aws.parameter(url) is None:
                raise Refusal(f"The parameter {url} is not there.", "check ecs/database.yml, DatabaseUrl.")
        if elsewhere:
            raise Doubt(f"{', '.join(elsewhere)}: not in Secrets Manager, so only ECS can tell")
        return ", ".join(found)

    def _definitions(self) -> tuple[Json, Json]:
        self._service()
        return self._running.definition, self._running.preparing

    def _secret(self, arn: str) -> None:
        try:
            found = self._context.aws.call("secretsmanager", "describe-secret", "--secret-id", arn)
        except AwsError as error:
            if error.error != "ResourceNotFoundException":
                raise
            raise Refusal(
                f"The secret {arn} is not there.", "check ecs/database.yml, or Secrets in ecs/service.yml."
            ) from None
        if found.get("DeletedDate"):
            raise Refusal(f"The secret {arn} is being deleted.", "`aws secretsmanager restore-secret` brings it back.")

    def target_group(self) -> str:
        """Check that each load balancer sends visitors and health checks to a port of a container of the project's."""
        balancers = self._service().get("loadBalancers") or []
        if not balancers:
            raise Refusal("The service has no load balancer.", "check ecs/service.yml, LoadBalancers.")
        return "; ".join(map(self._balancer, balancers))

    def _balancer(self, balancer: Json) -> str:
        arn, name, port = (balancer.get(key) for key in ("targetGroupArn", "containerName", "containerPort"))
        definition = self._running.definition
        own = task_definition.own(definition["containerDefinitions"], self._context.names.project)
        container = next((each for each in own if each["name"] == name), None)
        if container is None:
            raise Refusal(
                f"Visitors are sent to the container {name}, which runs no image of this project in "
                f"{task_definition.revision(definition['taskDefinitionArn'])}.",
                "check ecs/service.yml, LoadBalancers.",
            )
        ports = [each["containerPort"] for each in container.get("portMappings", [])]
        if port not in ports:
            raise Refusal(
                f"Visitors are sent to port {port} of {name}, which has {ports or 'none'}.",
                "check ecs/service.yml, PortMappings.",
            )
        group = self._context.aws.call("elbv2", "describe-target-groups", "--target-group-arns", str(arn))[
            "TargetGroups"
        ][0]
        if (group.get("TargetType") == "ip") != (definition.get("networkMode") == "awsvpc"):
            raise Refusal(
                f"The target group takes targets by {group.get('TargetType')}, and the tasks' network is "
                f"{definition.get('networkMode', 'bridge')}.",
                "check ecs/load-balancer.yml, TargetType, or ecs/service.yml, NetworkMode.",
            )
        if group.get("HealthCheckPort", "traffic-port") not in ("traffic-port", str(port)):
            raise Refusal(
                f"The load balancer checks port {group['HealthCheckPort']}, and visitors go to {port}.",
                "check ecs/load-balancer.yml, HealthCheckPort.",
            )
        if group.get("HealthCheckPath") != "/readyz":
            raise Doubt(f"the load balancer checks {group.get('HealthCheckPath')}, which is not the site's /readyz")
        return f"port {port} of {name}, checked at /readyz"

    def log_group(self) -> str:
        """Check that the group of the tasks' logs is there."""
        name = self._context.names.log_group
        found = self._context.aws.call("logs", "describe-log-groups", "--log-group-name-prefix", name)["logGroups"]
        if name not in (group["logGroupName"] for group in found):
            raise Refusal(
                f"The log group {name} does not exist, and no task starts without it.",
                "check ecs/service.yml, LogGroup.",
            )
        return name

    def capacity(self) -> str:
        """Check that the cluster has room for one more task, or grows by itself."""
        room = capacity.room(self._context, self._service(), self._running.definition)
        if room.tasks or room.unbounded:
            return room.sentence
        if room.grows:
            raise Doubt(room.sentence)
        raise Refusal(
            room.sentence,
            "check ecs/cluster.yml: more or larger instances; or Cpu and MemoryReservation in ecs/service.yml.",
        )

    def alarms(self) -> str:
        """Check that alarms end a bad rollout, and that none is on: ECS would then watch none of them.

        https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-alarm-failure.html. No refusal: the
        release that mends what an alarm is about has to pass.
        """
        configured = self._service().get("deploymentConfiguration", {}).get("alarms", {})
        names = configured.get("alarmNames", [])
        if not (names and configured.get("enable") and configured.get("rollback")):
            raise Doubt("no alarm ends a bad rollout: check ecs/service.yml, DeploymentConfiguration")
        found = self._context.aws.call(
            *("cloudwatch", "describe-alarms"), alarm_names=names, alarm_types=["MetricAlarm", "CompositeAlarm"]
        )
        states = {each["AlarmName"]: each["StateValue"] for kind in ALARMS for each in found.get(kind, [])}
        on = [name for name in names if states.get(name) == "ALARM"]
        if on:
            raise Doubt(f"ECS will watch no alarm during this deployment, as these are on: {', '.join(on)}")
        if missing := [name for name in names if name not in states]:
            raise Doubt(f"not there: {', '.join(missing)}; `make stacks` creates them again (ecs/service.yml)")
        return f"{', '.join(names)}: none is on"

    def address(self) -> str:
        """Check that the site's address is known."""
        if not self._running.url:
            raise Refusal(
                f"{self._context.names.site_url} does not say where the site is, and so nothing could be proven.",
                "check ecs/service.yml, SiteUrlParameter.",
            )
        return self._running.url

    def _service(self) -> Json:
        if self._running.service is None:
            raise Refusal("There is no service.", "create the stacks (ecs/README.md).")
        return self._running.service


def _of_no_candidate(check: Callable[[], str]) -> Callable[[Candidate], str]:
    return lambda _: check()
