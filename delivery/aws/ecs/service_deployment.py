"""A service deployment of ECS: begun by one call, and followed by its own ARN to its end."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import click

from delivery.aws.client import moment
from delivery.aws.ecs import diagnosis, service, stages, task_definition, task_log
from delivery.aws.ecs.diagnosis import Evidence
from delivery.aws.errors import AwsError
from delivery.deployment.cancellation import PERSISTING
from delivery.deployment.seam import Progress, State
from delivery.terminal.plain import plain

if TYPE_CHECKING:
    from delivery.aws.context import Context
    from delivery.deployment.outcomes import Cause
    from delivery.deployment.seam import Json

# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-deployment.html
STATES = {
    "SUCCESSFUL": State.DONE,
    "STOPPED": State.REPLACED,
    "ROLLBACK_SUCCESSFUL": State.UNDONE,
    "ROLLBACK_FAILED": State.FAILED,
    "STOP_REQUESTED": State.UNDOING,
    "ROLLBACK_REQUESTED": State.UNDOING,
    "ROLLBACK_IN_PROGRESS": State.UNDOING,
}
POLLS = 3  # after the first, for the deployment of a call that may have been carried out


class ServiceDeployment:
    """A deployment of the service to a task definition; `tasks` is the number to run, None for as many as now.

    `known` are the ARNs of the deployments there were before: a new one to this task definition is this one.
    """

    def __init__(self, context: Context, definition: Json, known: set[str], tasks: int | None = None) -> None:
        self._context, self._definition, self._known, self._tasks = context, definition, known, tasks
        self._arn = ""
        self._begun = False
        self.evidence = Evidence(definition=definition)
        self._targets: dict[tuple[str, int], Json] = {}

    @property
    def id(self) -> str:
        """The ARN of the deployment."""
        return self._arn

    @property
    def begun(self) -> bool:
        """True if the call was made and not refused."""
        return self._begun

    @property
    def task_definition(self) -> str:
        """The ARN of the task definition that is rolled out."""
        arn: str = self._definition["taskDefinitionArn"]
        return arn

    def begin(self, tasks: int | None = None) -> None:
        """Make the one call, and find the deployment that it made. Raises AwsError when there is none.

        From the call on this is not cancellable; what follows the deployment is.
        """
        context, name = self._context, self._context.names.project
        tasks = self._tasks if tasks is None else tasks
        self._begun = True
        change = f"the service was told to run {task_definition.revision(self.task_definition)}"
        try:
            context.aws.call(
                *("ecs", "update-service"),
                cluster=name,
                service=name,
                task_definition=self.task_definition,
                desired_count=None if tasks is None else str(tasks),
                force_new_deployment=True,
                change=change,
            )
        except AwsError as error:
            if not error.may_be_done:
                self._begun = False
                raise
            self._begun = self._find(POLLS * context.poller.interval) or self._is_set()
            context.aws.settle(change, made=self._begun)
            if not self._begun:
                context.poller.cancellation.check()
                raise
        if not self._arn and not self._find(PERSISTING):
            revision = task_definition.revision(self.task_definition)
            raise click.ClickException(f"ECS took the call for {revision} but shows no deployment of it.")

    def _find(self, seconds: float) -> bool:
        """Find the newest deployment to this task definition that was not there before, and tell whether there is one.

        There are two where the CLI made the call again, as its answer was lost, and ECS has stopped the first one.
        """
        for _ in self._context.poller.polls(seconds, cancellable=False):
            try:
                for each in service.deployments(self._context):
                    new = each["serviceDeploymentArn"] not in self._known
                    if new and self._goes_to(each["targetServiceRevisionArn"]) == self.task_definition:
                        self._arn = each["serviceDeploymentArn"]
                        return True
            except AwsError as error:
                if error.lasts:
                    raise
        return False

    def _is_set(self) -> bool:
        """Tell whether the service is set to run this task definition."""
        present = self._context.poller.until_answered(lambda: service.service(self._context))
        return present is not None and present["taskDefinition"] == self.task_definition

    def _goes_to(self, revision: str) -> str | None:
        found = self._context.aws.call("ecs", "describe-service-revisions", service_revision_arns=revision)
        revisions = found["serviceRevisions"]
        return revisions[0]["taskDefinition"] if revisions else None

    def _has_moved(self) -> bool:
        """Follow a later deployment to the same task definition, and tell whether there is one."""
        self._known.add(self._arn)
        moved = self._find(0)
        if moved:
            self.evidence.deployment = {}
        return moved

    @property
    def _status(self) -> str:
        """The deployment's status when it was read last."""
        return str(self.evidence.deployment.get("status", "PENDING"))

    def look(self) -> Progress:
        """Read the deployment, the service and its targets, and return the progress. Raises AwsError."""
        self._read()
        if self._status == "STOPPED" and self._has_moved():
            self._read()
        state, evidence = STATES.get(self._status, State.GOING), self.evidence
        stage = stages.of(evidence.deployment, evidence.seen, evidence.starting)
        counts = stages.counts(evidence.deployment, evidence.seen)
        return Progress(state, self._status, tuple(evidence.lines()), stage, counts)

    def _read(self) -> None:
        aws, name = self._context.aws, self._context.names.project
        found = aws.call("ecs", "describe-service-deployments", service_deployment_arns=self._arn)
        if found["serviceDeployments"]:
            self.evidence.deployment = found["serviceDeployments"][0]
        # The rest is evidence, without which the rollout goes on all the same.
        with suppress(AwsError):
            services = aws.call("ecs", "describe-services", cluster=name, services=name)["services"]
            self.evidence.service = services[0] if services else self.evidence.service
            # A target's reason is gone with the target, so it is noted while it can be seen.
            if not STATES.get(self._status, State.GOING).ended:
                self._note_targets()
                self.evidence.starting = self._starting()

    def _starting(self) -> list[Json]:
        """Return the new tasks that do not run yet."""
        # Whether `pendingTaskCount` has those that wait for an instance is documented nowhere.
        if stages.all_run(self.evidence.deployment):
            return []
        found = self._own(service.tasks(self._context, "RUNNING", service_name=self._context.names.project))
        return [each for each in found if each["lastStatus"] in stages.STARTING]

    def _note_targets(self) -> None:
        self.evidence.seen = service.target_health(self._context, self.evidence.service)
        for each in self.evidence.seen:
            key = (each["Target"]["Id"], each["Target"].get("Port", 0))
            if each["TargetHealth"]["State"].startswith("unhealthy"):
                self._targets[key] = each
        self.evidence.targets = list(self._targets.values())

    def stop(self) -> None:
        """Tell ECS to go back to what ran before; leaves a deployment that has ended. Raises AwsError."""
        aws = self._context.aws
        try:
            self._context.poller.until_answered(
                lambda: aws.call(
                    *("ecs", "stop-service-deployment"),
                    service_deployment_arn=self._arn,
                    stop_type="ROLLBACK",
                    change="ECS was told to undo that",
                )
            )
        except AwsError as error:
            if error.error not in ("ConflictException", "InvalidParameterException"):
                raise

    def successor(self) -> Cause | None:
        """Return the cause that names the newest deployment made after this one. Raises AwsError."""
        created = moment(self.evidence.deployment["createdAt"])
        newest = next(iter(service.deployments(self._context)), None)
        later = newest is not None and moment(newest["createdAt"]) > created
        return diagnosis.of_successor(newest) if newest and later else None

    def diagnose(self) -> Cause:
        """Return why it did not succeed, from the evidence that can be read; none is no reason not to undo it."""
        try:
            self._gather()
        except AwsError as error:
            click.secho(plain(f"Some of the evidence cannot be read: {error.message}"), fg="yellow", err=True)
        return diagnosis.of_rollout(self.evidence)

    def _gather(self) -> None:
        context, name = self._context, self._context.names.project
        own = self._own(service.tasks(context, "STOPPED", service_name=name))
        own.sort(key=lambda each: moment(each.get("stoppedAt") or each["createdAt"]))
        known = [each for each in own if diagnosis.tells(each)]
        self.evidence.tasks = known or own
        speaker = (known or own)[-1:] or self._own(service.tasks(context, "RUNNING", service_name=name))
        for task in speaker[-1:]:
            for container in task_definition.images(self._definition, name):
                self.evidence.logs[container] = task_log.Log(context, self._definition, task, container).last()

    def _own(self, tasks: list[Json]) -> list[Json]:
        return [each for each in tasks if each["taskDefinitionArn"] == self.task_definition]
