"""A service deployment, as ECS calls it: asked for with one call, and followed by its own ARN to its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from . import diagnosis, situation, taskdefinition, tasklog
from .aws import AwsError, moment
from .diagnosis import Evidence

if TYPE_CHECKING:
    from collections.abc import Callable

    from .aws import Json
    from .situation import Place

# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-deployment.html
ENDED = frozenset({"SUCCESSFUL", "STOPPED", "ROLLBACK_SUCCESSFUL", "ROLLBACK_FAILED"})
UNDOING = frozenset({"STOP_REQUESTED", "ROLLBACK_REQUESTED", "ROLLBACK_IN_PROGRESS"})
PERSISTING = 60.0  # seconds for ECS to show the deployment that it was asked for, or to take the word that ends it


class ServiceDeployment:
    """A deployment of the service to a task definition.

    `known` are the ARNs of the deployments there were before: a new one to this task definition is this one.
    """

    def __init__(self, place: Place, definition: Json, known: set[str]) -> None:
        self._place, self._definition, self._known = place, definition, known
        self.arn = ""
        self.asked = False  # whether the call was made, and not refused
        self.evidence = Evidence(definition=definition)
        self._targets: dict[tuple[str, int], Json] = {}

    @property
    def task_definition(self) -> str:
        """The ARN of the task definition that is rolled out."""
        arn: str = self._definition["taskDefinitionArn"]
        return arn

    def begin(self, desired: int | None = None) -> None:
        """Make the one call, and learn which deployment it made. Raises AwsError when there is none.

        From the call on nothing here heeds a cancellation: it is heeded by whoever follows.
        """
        place = self._place
        count = () if desired is None else ("--desired-count", str(desired))
        self.asked = True
        try:
            place.aws.call(
                "ecs", "update-service", "--cluster", place.names.project, "--service", place.names.project,
                "--task-definition", self.task_definition, *count, "--force-new-deployment",
            )  # fmt: skip
        except AwsError as error:
            if not error.may_pass:
                self.asked = False
                raise
            # The answer was lost; the call may have been heard.
            if not self._find(0):
                raise
            return
        if not self._find(PERSISTING):
            raise click.ClickException(
                f"ECS took the call for {taskdefinition.revision(self.task_definition)} but shows no deployment of it."
            )

    def _find(self, seconds: float) -> bool:
        for _ in self._place.waiting.looks(seconds, heed=False):
            try:
                found = situation.deployments(self._place)
                # Somebody may already have made another after it.
                for each in reversed([each for each in found if each["serviceDeploymentArn"] not in self._known]):
                    if self._goes_to(each["targetServiceRevisionArn"]) == self.task_definition:
                        self.arn = each["serviceDeploymentArn"]
                        return True
            except AwsError as error:
                if not error.may_pass:
                    raise
        return False

    def _goes_to(self, revision: str) -> str | None:
        found = self._place.aws.call("ecs", "describe-service-revisions", "--service-revision-arns", revision)
        revisions = found["serviceRevisions"]
        return revisions[0]["taskDefinition"] if revisions else None

    def follow(
        self, seconds: float, tell: Callable[[Evidence], None], *, until: frozenset[str] = ENDED, heed: bool = True
    ) -> str:
        """Look at it `until` it has one of these statuses, or for so many seconds, and return its status.

        Raises Cancelled when `heed`, and AwsError for an error that will not pass by itself.
        """
        for _ in self._place.waiting.looks(seconds, heed=heed):
            try:
                self.look()
            except AwsError as error:
                if not error.may_pass:
                    raise
                continue
            tell(self.evidence)
            if self.status in until:
                break
        return self.status

    @property
    def status(self) -> str:
        """The deployment's status when it was looked at last."""
        return str(self.evidence.deployment.get("status", "PENDING"))

    def look(self) -> None:
        """Ask how things stand. Raises AwsError."""
        place, name = self._place, self._place.names.project
        found = place.aws.call("ecs", "describe-service-deployments", "--service-deployment-arns", self.arn)
        if found["serviceDeployments"]:
            self.evidence.deployment = found["serviceDeployments"][0]
        services = place.aws.call("ecs", "describe-services", "--cluster", name, "--services", name)["services"]
        self.evidence.service = services[0] if services else self.evidence.service
        # A target's reason is gone with the target, so it is noted while it can be seen.
        if self.status not in ENDED:
            balancers = self.evidence.service.get("loadBalancers") or []
            if balancers:
                self.evidence.seen = situation.target_health(place, balancers[0]["targetGroupArn"])
            for each in self.evidence.seen:
                key = (each["Target"]["Id"], each["Target"].get("Port", 0))
                if each["TargetHealth"]["State"].startswith("unhealthy"):
                    self._targets[key] = each
            self.evidence.targets = list(self._targets.values())

    def stop(self) -> None:
        """Ask ECS to go back to what ran before; one that has ended meanwhile is left as it is. Raises AwsError."""
        for passed in self._place.waiting.looks(PERSISTING, heed=False):
            try:
                self._place.aws.call(
                    "ecs", "stop-service-deployment", "--service-deployment-arn", self.arn, "--stop-type", "ROLLBACK"
                )  # fmt: skip
            except AwsError as error:
                if error.error in ("ConflictException", "InvalidParameterException"):
                    return
                if not error.may_pass or passed >= PERSISTING:
                    raise
            else:
                return

    def is_before(self, other: Json) -> bool:
        """Tell whether another deployment was made after this one."""
        return moment(other["createdAt"]) > moment(self.evidence.deployment["createdAt"])

    def gather(self) -> None:
        """Have all the evidence there is of why it did not succeed. Raises AwsError."""
        name = self._place.names.project
        stopped = situation.tasks(self._place, "STOPPED", service_name=name)
        own = [each for each in stopped if each["taskDefinitionArn"] == self.task_definition]
        own.sort(key=lambda each: moment(each.get("stoppedAt") or each["createdAt"]))
        known = [each for each in own if diagnosis.tells(each)]
        self.evidence.tasks = known or own
        speaker = (known or own)[-1:] or [
            each
            for each in situation.tasks(self._place, "RUNNING", service_name=name)
            if each["taskDefinitionArn"] == self.task_definition
        ]
        if speaker:
            self.evidence.logs = tasklog.Log(self._place, self._definition, speaker[-1]).last()
