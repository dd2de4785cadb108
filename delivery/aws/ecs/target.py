"""ECS as the target of a deployment."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from delivery.aws.client import moment
from delivery.aws.database_users import DatabaseUsers
from delivery.aws.ecr import Registry
from delivery.aws.ecs import migration, service, task_definition
from delivery.aws.ecs.checks import Checks
from delivery.aws.ecs.service import Running
from delivery.aws.ecs.service_deployment import ServiceDeployment
from delivery.aws.ecs.task_definition import difference
from delivery.aws.store import Bucket
from delivery.deployment.outcomes import Cause, Ended, Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping

    from delivery.aws.context import Context
    from delivery.deployment.seam import Image, Json


@dataclass(frozen=True)
class Revision:
    """The service's task definition and the one that prepares the database, as registered, and what is new in them."""

    definition: Json
    preparing: Json
    difference: list[str] = field(default_factory=list)

    @property
    def id(self) -> str:
        """The ARN."""
        return str(self.definition["taskDefinitionArn"])


class EcsTarget:
    """A project's service on ECS. Every method raises AwsError."""

    advice: Mapping[str, str] = {
        "unproven": "look at what stands between visitors and the load balancer: the domain, SiteUrl in "
        "ecs/service.yml, a cache.",
    }

    def __init__(self, context: Context) -> None:
        self._context = context
        self.name, self.identity, self.changes = context.names.project, context.identity, context.aws.changes
        self.running = Running(context)
        self.registry = Registry(context, lambda: self.running.repository)
        self.users = DatabaseUsers(context)
        self.store = Bucket(context.aws, context.names.bucket)
        self.checks = {"scan": self.registry.scan} | Checks(context, self.running).by_name()

    def prepare(self, image: Image) -> Revision:
        """Register the present task definitions with another image in them, and nothing else changed."""
        site, preparing = self.running.definition, self.running.preparing
        new_site, new_preparing = self._register(site, image), self._register(preparing, image)
        return Revision(new_site, new_preparing, difference(site, new_site) + difference(preparing, new_preparing))

    def _register(self, present: Json, image: Image) -> Json:
        request = task_definition.with_image(present, self.registry.name(image))
        # Repeated, it makes two revisions, of which the last one counts.
        answer = self._context.poller.until_answered(
            lambda: self._context.aws.request(
                *("ecs", "register-task-definition", request, self._context.folder / f"{present['family']}.json"),
                change="a task definition with the image in it was registered",
            )
        )
        return dict(answer["taskDefinition"])

    def preview(self, image: Image) -> list[str]:
        """Return the lines that show what a deployment of an image would change."""
        lines = ["There would be new revisions of these task definitions."]
        for present in (self.running.definition, self.running.preparing):
            lines += difference(present, task_definition.with_image(present, self.registry.name(image)))
        return [*lines, f"{self.first_tasks()} tasks would be started, the first ones."] if self.running.idle else lines

    def migrate(self, revision: Revision) -> Json:
        """Prepare the database with a task of a revision. Raises Ended and Cancelled."""
        return migration.migrate(self._context, self.running.service or {}, revision.preparing)

    def change(self, revision: Revision) -> ServiceDeployment:
        """Return the change to a revision, not begun."""
        known = {each["serviceDeploymentArn"] for each in self.running.deployments}
        return ServiceDeployment(self._context, revision.definition, known)

    def restore(self) -> ServiceDeployment:
        """Return the change back to the task definition that ran before, with no task where none ran."""
        found = self._context.poller.until_answered(
            lambda: service.deployments(self._context), repeat=lambda error: not error.lasts
        )
        known = {each["serviceDeploymentArn"] for each in found}
        tasks = 0 if self.running.idle else None
        return ServiceDeployment(self._context, self.running.definition, known, tasks=tasks)

    def first_tasks(self) -> int:
        """Return with how many tasks a first release starts."""
        return service.minimum_tasks(self.running.service or {})

    def runs(self, revision: Revision) -> bool:
        """Return whether the service is still set to run a revision."""
        present = service.service(self._context) or {}
        return bool(present.get("taskDefinition") == revision.id)

    def tasks(self) -> dict[str, dict[str, str | None]]:
        """Return the running tasks by ARN, each with the digests of the project's containers by their names."""
        return {
            task["taskArn"]: {
                each["name"]: each.get("imageDigest") for each in task_definition.own(task["containers"], self.name)
            }
            for task in service.tasks(self._context, "RUNNING", service_name=self.name)
        }

    def record(self, image: Image) -> None:
        """Write an image into the parameter that the service's stack reads."""
        self._context.aws.call(
            *("ssm", "put-parameter"),
            name=self._context.names.released_image,
            value=self.registry.name(image),
            type="String",
            overwrite=True,
            change="the image was recorded as the released one",
        )

    def require_service(self) -> None:
        """Raise Ended, refused, where there is no service."""
        if self.running.service is None:
            no = f"There is no service {self.name}."
            raise Ended(Outcome.REFUSED, Cause("no-service", no, (), "create the stacks (ecs/README.md)."))

    def status(self) -> list[tuple[str, str]]:
        """Return what there is to say of the service as it is, each with its name."""
        self.require_service()
        present = self.running.service or {}
        counts = f"{present['runningCount']} of {present['desiredCount']} running, {present['pendingCount']} pending"
        return [
            ("revision", task_definition.revision(present["taskDefinition"])),
            ("tasks", counts),
            ("targets", self._targets(present)),
            ("deployment", self._newest_deployment(present)),
        ]

    def _targets(self, present: Json) -> str:
        if not present.get("loadBalancers"):
            return "no load balancer"
        found = service.target_health(self._context, present)
        states = Counter(each["TargetHealth"]["State"] for each in found)
        return ", ".join(f"{count} {state}" for state, count in sorted(states.items())) or "none"

    def _newest_deployment(self, present: Json) -> str:
        newest = next(iter(self.running.deployments), None)
        if newest is None:
            return "none"
        since = newest.get("finishedAt") or newest["createdAt"]
        state, arn = newest["status"], newest["serviceDeploymentArn"]
        if state in service.UNDER_WAY:
            state += f" ({service.stage(self._context, present, arn).value})"
        why = f", as it says: {newest['statusReason']}" if newest.get("statusReason") else ""
        return f"{state} since {moment(since):%Y-%m-%d %H:%M:%S %Z}: {arn}{why}"
