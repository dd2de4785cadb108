"""A service deployment, as ECS calls it: asked for with one call, and followed by its own ARN to its end."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import click

from delivery.aws.client import AwsError, moment
from delivery.aws.ecs import diagnosis, task_definition, task_log
from delivery.aws.ecs import service as situation
from delivery.aws.ecs.diagnosis import Evidence
from delivery.deployment.cancellation import PERSISTING

if TYPE_CHECKING:
    from collections.abc import Callable

    from delivery.aws.client import Json
    from delivery.aws.ecs.service import Place

# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-deployment.html
ENDED = frozenset({"SUCCESSFUL", "STOPPED", "ROLLBACK_SUCCESSFUL", "ROLLBACK_FAILED"})
UNDOING = frozenset({"STOP_REQUESTED", "ROLLBACK_REQUESTED", "ROLLBACK_IN_PROGRESS"})
LOOKS = 3  # after the first, for the deployment of a call that may have been heard


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
        change = f"the service was told to run {task_definition.revision(self.task_definition)}"
        try:
            place.aws.call(
                "ecs",
                "update-service",
                "--cluster",
                place.names.project,
                "--service",
                place.names.project,
                "--task-definition",
                self.task_definition,
                *count,
                "--force-new-deployment",
                change=change,
            )
        except AwsError as error:
            if not error.may_be_done:
                self.asked = False
                raise
            self.asked = self._find(LOOKS * place.waiting.poll) or self._is_wanted()
            place.aws.found_out(change, made=self.asked)
            if not self.asked:
                place.waiting.cancellation.check()
                raise
        if not self.arn and not self._find(PERSISTING):
            raise click.ClickException(
                f"ECS took the call for {task_definition.revision(self.task_definition)} but shows no deployment of it."
            )

    def _find(self, seconds: float) -> bool:
        """Find the newest deployment to this task definition that was not there before, and tell whether there is one.

        There are two where the CLI made the call again, as its answer was lost, and ECS has stopped the first one.
        """
        for _ in self._place.waiting.looks(seconds, heed=False):
            try:
                for each in situation.deployments(self._place):
                    new = each["serviceDeploymentArn"] not in self._known
                    if new and self._goes_to(each["targetServiceRevisionArn"]) == self.task_definition:
                        self.arn = each["serviceDeploymentArn"]
                        return True
            except AwsError as error:
                if error.lasts:
                    raise
        return False

    def _is_wanted(self) -> bool:
        """Tell whether the service is to run this task definition."""
        service = self._place.waiting.until_answered(lambda: situation.service(self._place))
        return service is not None and service["taskDefinition"] == self.task_definition

    def _goes_to(self, revision: str) -> str | None:
        found = self._place.aws.call("ecs", "describe-service-revisions", "--service-revision-arns", revision)
        revisions = found["serviceRevisions"]
        return revisions[0]["taskDefinition"] if revisions else None

    def follow(
        self, seconds: float, tell: Callable[[Evidence], None], *, until: frozenset[str] = ENDED, heed: bool = True
    ) -> str:
        """Look at it `until` it has one of these statuses, or for so many seconds, and return its status.

        Raises Cancelled when `heed`, and AwsError for one that lasts. Any other error of what only looks is outlived.
        """
        for _ in self._place.waiting.looks(seconds, heed=heed):
            try:
                self.look()
                if self.status == "STOPPED" and self._has_moved():
                    continue
            except AwsError as error:
                if error.lasts:
                    raise
                continue
            tell(self.evidence)
            if self.status in until:
                break
        return self.status

    def _has_moved(self) -> bool:
        """Follow a later deployment to the same task definition, and tell whether there is one."""
        self._known.add(self.arn)
        moved = self._find(0)
        if moved:
            self.evidence.deployment = {}
        return moved

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
        # The rest is evidence, without which the rollout goes on all the same.
        with suppress(AwsError):
            services = place.aws.call("ecs", "describe-services", "--cluster", name, "--services", name)["services"]
            self.evidence.service = services[0] if services else self.evidence.service
            # A target's reason is gone with the target, so it is noted while it can be seen.
            if self.status not in ENDED:
                self._note_targets()

    def _note_targets(self) -> None:
        balancers = self.evidence.service.get("loadBalancers") or []
        if balancers:
            self.evidence.seen = situation.target_health(self._place, balancers[0]["targetGroupArn"])
        for each in self.evidence.seen:
            key = (each["Target"]["Id"], each["Target"].get("Port", 0))
            if each["TargetHealth"]["State"].startswith("unhealthy"):
                self._targets[key] = each
        self.evidence.targets = list(self._targets.values())

    def stop(self) -> None:
        """Ask ECS to go back to what ran before; one that has ended meanwhile is left as it is. Raises AwsError."""
        aws = self._place.aws
        try:
            self._place.waiting.until_answered(
                lambda: aws.call(
                    "ecs",
                    "stop-service-deployment",
                    "--service-deployment-arn",
                    self.arn,
                    "--stop-type",
                    "ROLLBACK",
                    change="ECS was told to undo that",
                )
            )
        except AwsError as error:
            if error.error not in ("ConflictException", "InvalidParameterException"):
                raise

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
            self.evidence.logs = task_log.Log(self._place, self._definition, speaker[-1]).last()
