"""The service on ECS: what it is set to run, and reads of its tasks, targets and deployments."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from delivery.aws import ecr
from delivery.aws.client import moment
from delivery.aws.ecs import stages, task_definition

if TYPE_CHECKING:
    from delivery.aws.context import Context
    from delivery.deployment.seam import Json, Stage

# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-deployment.html
UNDER_WAY = ("PENDING", "IN_PROGRESS", "STOP_REQUESTED", "ROLLBACK_REQUESTED", "ROLLBACK_IN_PROGRESS")
BATCH = 100  # as many as the calls of ECS take or give at once


class Running:
    """The service as it is when each part is read first. Every property raises AwsError."""

    def __init__(self, context: Context) -> None:
        self._context = context

    @cached_property
    def cluster(self) -> Json | None:
        """The cluster, None where there is none."""
        clusters = self._context.aws.call("ecs", "describe-clusters", clusters=self._context.names.project)["clusters"]
        return clusters[0] if clusters else None

    @cached_property
    def service(self) -> Json | None:
        """The service, with its tags. None where there is none."""
        return service(self._context)

    @cached_property
    def definition(self) -> Json:
        """The task definition that the service is set to run."""
        arn = (self.service or {})["taskDefinition"]
        found: Json = self._context.aws.call("ecs", "describe-task-definition", task_definition=arn)["taskDefinition"]
        return found

    @cached_property
    def preparing(self) -> Json:
        """The newest task definition that prepares the database."""
        family = self._context.names.preparing
        found: Json = self._context.aws.call("ecs", "describe-task-definition", task_definition=family)
        return dict(found["taskDefinition"])

    @cached_property
    def images(self) -> dict[str, str]:
        """The images of the project's containers, by their names, that the service is set to run."""
        return task_definition.images(self.definition, self._context.names.project)

    @property
    def repository(self) -> str:
        """The repository of its images; also of the one that there never was, before the first (ecs/service.yml)."""
        return task_definition.repository(next(iter(self.images.values()), ""))

    @property
    def image(self) -> str | None:
        """The image of all its containers; None before the first release, and where they differ."""
        found = {*self.images.values()}
        image = found.pop() if len(found) == 1 else None
        return image if task_definition.digest(image) else None

    @property
    def differing(self) -> str:
        """The images of its containers in words, where they differ."""
        found = self.images
        return ", ".join(f"{name} {image}" for name, image in found.items()) if len({*found.values()}) > 1 else ""

    @property
    def digest(self) -> str | None:
        """The digest of that image."""
        return task_definition.digest(self.image)

    @cached_property
    def commit(self) -> str | None:
        """The commit of that image, as the registry knows it."""
        return ecr.commit_of(self._context, self.digest) if self.digest else None

    @cached_property
    def recorded(self) -> str | None:
        """The image that was proven last, None before the first release."""
        value = self._context.aws.parameter(self._context.names.released_image)
        return value if value != "none" else None

    @cached_property
    def url(self) -> str | None:
        """The address that visitors use, without a slash at its end. None where it is not known."""
        value = self._context.aws.parameter(self._context.names.site_url)
        return value.rstrip("/") if value else None

    @property
    def idle(self) -> bool:
        """True if no task is to run, as before the first release."""
        return not (self.service or {}).get("desiredCount")

    @cached_property
    def deployments(self) -> list[Json]:
        """The service's deployments, in short, the newest first."""
        return deployments(self._context)


def service(context: Context) -> Json | None:
    """Return the service as it is at this moment, None where there is none. Raises AwsError."""
    name = context.names.project
    found = context.aws.call("ecs", "describe-services", cluster=name, services=name, include="TAGS")["services"]
    return found[0] if found and found[0]["status"] != "INACTIVE" else None


def minimum_tasks(service: Json) -> int:
    """Return with how many tasks an idle service starts: its tag `minimum-tasks` (ecs/service.yml), or 2."""
    tags = {each["key"]: each.get("value", "") for each in service.get("tags", [])}
    count = tags.get("minimum-tasks", "")
    return int(count) if count.isdigit() and int(count) else 2


def deployments(context: Context) -> list[Json]:
    """Return the service's deployments at this moment, in short, the newest first. Raises AwsError.

    The CLI does not follow the pages of this list by itself, and AWS promises no order of it.
    """
    name = context.names.project
    found: list[Json] = []
    page: Json = {"nextToken": None}
    while "nextToken" in page:
        page = context.aws.call(
            *("ecs", "list-service-deployments"),
            cluster=name,
            service=name,
            max_results=str(BATCH),
            next_token=page["nextToken"],
        )
        found += page["serviceDeployments"]
    return sorted(found, key=lambda each: moment(each["createdAt"]), reverse=True)


def target_health(context: Context, present: Json) -> list[Json]:
    """Return the targets of the service's target groups with their health. Raises AwsError."""
    groups = [each["targetGroupArn"] for each in present.get("loadBalancers", []) if each.get("targetGroupArn")]
    found = (context.aws.call("elbv2", "describe-target-health", target_group_arn=group) for group in groups)
    return [target for each in found for target in each["TargetHealthDescriptions"]]


def stage(context: Context, present: Json, deployment: str) -> Stage:
    """Return the stage of a deployment of the service, by its ARN. Raises AwsError."""
    found = context.aws.call("ecs", "describe-service-deployments", service_deployment_arns=deployment)
    return stages.of(next(iter(found["serviceDeployments"]), {}), target_health(context, present), [])


def tasks(
    context: Context, status: str, *, service_name: str | None = None, started_by: str | None = None
) -> list[Json]:
    """Return the tasks with a desired status: those to run, or those stopped within the last hour. Raises AwsError."""
    aws, name = context.aws, context.names.project
    listed = aws.call(
        *("ecs", "list-tasks"), cluster=name, desired_status=status, service_name=service_name, started_by=started_by
    )
    arns = listed["taskArns"]
    found: list[Json] = []
    for start in range(0, len(arns), BATCH):
        found += aws.call("ecs", "describe-tasks", cluster=name, tasks=arns[start : start + BATCH])["tasks"]
    return found
