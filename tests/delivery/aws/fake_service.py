"""The service on ECS, its deployments and its tasks, which change with the delivery's calls."""

from __future__ import annotations

import json
from pathlib import Path

from tests.delivery.aws import resources
from tests.delivery.aws.fake_cli import Fault, hold_against_model
from tests.delivery.aws.resources import ARN, NAME, NOON, REGISTRY, Json

PREPARING = f"{NAME}-prepare"
UNDER_WAY = ("PENDING", "IN_PROGRESS")
BAKING = "BAKING"  # in a script: IN_PROGRESS with all tasks new
DEFINITIONS = ("definitions", "service_definition", "running_definition", "completed")
# What a call may change, or a test plans for the calls to come.
DATABASE = ("users", "passwords", "serving")
SERVICE_STATE = (*DEFINITIONS, *DATABASE, "deployments", "scripts", "one_off", "migration", "desired")


def read_request(service: str, operation: str, given: Json) -> Json:
    """Return the request that a call gives in a file, if AWS would take it."""
    request: Json = json.loads(Path(given["cli-input-json"].removeprefix("file://")).read_text())
    hold_against_model(service, operation, request, side="input")
    return request


class FakeService:
    def __init__(self) -> None:
        self.definitions: dict[str, Json] = {}
        self.deployments: list[Json] = []
        self.scripts: list[list[str]] = []  # the statuses that each deployment will go through, or BAKING
        self.after_stop = ["ROLLBACK_REQUESTED", "ROLLBACK_IN_PROGRESS", "ROLLBACK_SUCCESSFUL"]
        self.one_off: dict[str, Json] = {}
        self.migration: Json = {"exitCode": 0}
        self.unplaced = 0  # how often a one-off task is seen before it has an instance
        self.starting: list[Json] = []  # tasks of a rollout that do not run yet
        self.stopped: list[Json] = []  # tasks that a rollout which fails leaves behind
        self.events: list[Json] = []
        self.instances = [resources.instance(1024, 2048)]
        self.scaling = "ENABLED"
        self.alarms = {resources.ALARM: "OK"}
        self.breaker: Json = {"enable": True, "rollback": True}
        self.cluster_status, self.service_status = "ACTIVE", "ACTIVE"
        self.desired = 2
        # What the secrets of the site's users hold, their passwords in the database, and the user that tasks are.
        names = (resources.SITE_USER_NAME, resources.NEXT_USER_NAME)
        self.users = {
            secret: {"username": f"site_{number}", "password": f"fake {number}"}
            for number, secret in enumerate(names, 1)
        }
        self.passwords = {user["username"]: user["password"] for user in self.users.values()}
        self.serving = self.users[names[0]]
        self._numbers = 0
        self.service_definition = self.running_definition = self.completed = self.register(None)
        arn, number = self._next_definition(PREPARING)
        self.definitions[arn] = resources.preparing(arn, number, f"{REGISTRY}/{NAME}:none")

    def same_answers(self) -> dict[str, Json | str]:
        """Return what each operation answers whose options do not matter."""
        instances = [each["containerInstanceArn"] for each in self.instances]
        alarms = [{"AlarmName": name, "StateValue": state} for name, state in self.alarms.items()]
        interfaces = {"InstanceType": "t3.small", "NetworkInfo": {"MaximumNetworkInterfaces": 3}}
        return {
            "cloudwatch describe-alarms": {"MetricAlarms": alarms, "CompositeAlarms": []},
            "ec2 describe-instance-types": {"InstanceTypes": [interfaces]},
            "ecs describe-capacity-providers": {"capacityProviders": [resources.capacity_provider(self.scaling)]},
            "ecs describe-clusters": {"clusters": [{"clusterName": NAME, "status": self.cluster_status}]},
            "ecs describe-container-instances": {"containerInstances": self.instances},
            "ecs describe-services": {"services": [self.service()]},
            "ecs list-container-instances": {"containerInstanceArns": instances},
        }

    def number(self) -> int:
        self._numbers += 1
        return self._numbers

    def containers(self, definition: str | None = None) -> dict[str, Json]:
        """Return the containers of a task definition by their names, by default of the one that the service runs."""
        found = self.definitions[definition or self.service_definition]["containerDefinitions"]
        return {each["name"]: each for each in found}

    def image_of(self, definition: str) -> str:
        return str(self.containers(definition)["site"]["image"])

    def register(self, digest: str | None) -> str:
        """Register a task definition with an image, and return its ARN."""
        image = f"{REGISTRY}/{NAME}@{digest}" if digest else f"{REGISTRY}/{NAME}:none"
        arn, number = self._next_definition()
        self.definitions[arn] = resources.definition(arn, number, image)
        return arn

    def _next_definition(self, family: str = NAME) -> tuple[str, int]:
        number = 1 + sum(each["family"] == family for each in self.definitions.values())
        return f"{ARN}:task-definition/{family}:{number}", number

    def newest(self, family: str = NAME) -> str:
        """Return the ARN of the newest task definition of a family."""
        return [arn for arn, each in self.definitions.items() if each["family"] == family][-1]

    @property
    def preparing(self) -> Json:
        """The newest task definition that prepares the database."""
        return self.definitions[self.newest(PREPARING)]

    def _ecs_describe_task_definition(self, given: Json) -> Json:
        wanted = given["task-definition"]
        found = [each for arn, each in self.definitions.items() if wanted in (arn, each["family"])]
        if not found:
            raise Fault("ClientException", "Unable to describe task definition.")
        return {"taskDefinition": found[-1]}

    def _ecs_register_task_definition(self, given: Json) -> Json:
        request = read_request("ecs", "register-task-definition", given)
        request.pop("tags", None)
        arn, number = self._next_definition(request["family"])
        self.definitions[arn] = request | {"taskDefinitionArn": arn, "revision": number, "status": "ACTIVE"}
        return {"taskDefinition": self.definitions[arn]}

    def service(self) -> Json:
        rollout = "IN_PROGRESS" if self.deployments else "COMPLETED"
        front = "edge" if "edge" in self.containers() else "site"
        more: Json = {"status": self.service_status, "breaker": self.breaker, "events": self.events, "front": front}
        return resources.service(self.service_definition, self.desired, rollout=rollout, **more)

    def deploy(self, to: str) -> Json:
        """Make a deployment, as an update of the service does."""
        number = self.number()
        for older in self.deployments:
            if older["status"] in UNDER_WAY:
                older["_script"] = ["STOPPED"]
        made = {
            "serviceDeploymentArn": f"{ARN}:service-deployment/{NAME}/{NAME}/{number}",
            "createdAt": NOON + number,
            "status": "PENDING",
            "targetServiceRevisionArn": f"{ARN}:service-revision/{NAME}/{NAME}/{number}",
            "_to": to,
            "_script": self.scripts.pop(0) if self.scripts else ["PENDING", "IN_PROGRESS", "SUCCESSFUL"],
        }
        self.deployments.insert(0, made)
        self.service_definition = to
        return made

    def _deployment(self, arn: str) -> Json:
        """Return the deployment with an ARN: its own, or that of the revision that it is to."""
        keys = ("serviceDeploymentArn", "targetServiceRevisionArn")
        return next(each for each in self.deployments if arn in [each[key] for key in keys])

    def _ecs_list_service_deployments(self, given: Json) -> Json:
        """List two a page, the oldest first: AWS promises neither another order nor full pages."""
        keys = ("serviceDeploymentArn", "createdAt", "status", "statusReason", "targetServiceRevisionArn")
        start = int(given.get("next-token", 0))
        listed = sorted(self.deployments, key=lambda each: each["createdAt"])[start:]
        more = {"nextToken": str(start + 2)} if listed[2:] else {}
        shown = [{key: each[key] for key in keys if key in each} for each in listed[:2]]
        return {"serviceDeployments": shown, **more}

    def _ecs_describe_service_revisions(self, given: Json) -> Json:
        arn = given["service-revision-arns"]
        revision = {"serviceRevisionArn": arn, "taskDefinition": self._deployment(arn)["_to"]}
        return {"serviceRevisions": [revision]}

    def _ecs_update_service(self, given: Json) -> Json:
        self.desired = int(given.get("desired-count", self.desired))
        self.deploy(given["task-definition"])
        return {"service": self.service()}

    def _ecs_describe_service_deployments(self, given: Json) -> Json:
        held = self._deployment(given["service-deployment-arns"])
        self._proceed(held)
        running = 2 if self.running_definition == held["_to"] else 0
        pending = 0 if running else len(self.starting)
        tasks = {"requestedTaskCount": 2, "runningTaskCount": running, "pendingTaskCount": pending}
        described = {key: held[key] for key in ("serviceDeploymentArn", "createdAt", "status")} | {
            "alarms": {"status": "MONITORING" if held["status"] in UNDER_WAY else "MONITORING_COMPLETE"},
            "targetServiceRevision": {"arn": held["targetServiceRevisionArn"], **tasks},
            "deploymentCircuitBreaker": {"status": "MONITORING", "failureCount": 0, "threshold": 2},
        }
        return {"serviceDeployments": [described | held.get("_more", {})]}

    def _proceed(self, held: Json) -> None:
        status = held["_script"].pop(0) if len(held["_script"]) > 1 else held["_script"][0]
        held["status"] = "IN_PROGRESS" if status == BAKING else status
        if status in (BAKING, "SUCCESSFUL"):
            self.running_definition = held["_to"]
            self.serving = self.users[resources.SITE_USER_NAME]
        if status == "SUCCESSFUL":
            self.completed = held["_to"]
        if status.startswith("ROLLBACK") and held is self.deployments[0]:
            self.service_definition = self.running_definition = self.completed

    def _ecs_stop_service_deployment(self, given: Json) -> Json:
        held = self._deployment(given["service-deployment-arn"])
        if held["status"] in ("SUCCESSFUL", "STOPPED", "ROLLBACK_SUCCESSFUL", "ROLLBACK_FAILED"):
            raise Fault("ConflictException", f"The service deployment is in a terminal state: {held['status']}.")
        held["_script"] = list(self.after_stop)
        return {"serviceDeploymentArn": held["serviceDeploymentArn"]}

    # -- tasks

    def _ecs_list_tasks(self, given: Json) -> Json:
        stopped = given["desired-status"] == "STOPPED"
        tasks = self._stopped() if stopped else self._running()
        if "started-by" in given:
            own = [each for each in self.one_off.values() if each["startedBy"] == given["started-by"]]
            tasks = [each for each in own if (each["lastStatus"] == "STOPPED") is stopped]
        return {"taskArns": [each["taskArn"] for each in tasks]}

    def _ecs_describe_tasks(self, given: Json) -> Json:
        arns = given["tasks"] if isinstance(given["tasks"], list) else [given["tasks"]]
        tasks = [each for each in [*self._running(), *self._stopped()] if each["taskArn"] in arns]
        if arns[0] in self.one_off:
            tasks = [self._proceed_with(self.one_off[arns[0]])]
        return {"tasks": tasks}

    def _proceed_with(self, task: Json) -> Json:
        """Return a one-off task as it is, and stop it once the migration has an end."""
        if task["lastStatus"] == "PROVISIONING":
            self.unplaced -= 1
            task["lastStatus"] = "PROVISIONING" if self.unplaced > 0 else "RUNNING"
            return _public(task)
        found = _public(task)
        if self.migration:
            task["lastStatus"] = "STOPPED"
            if self.migration == {"exitCode": 0}:
                self.passwords |= {user["username"]: user["password"] for user in self.users.values()}
        if found["lastStatus"] == "STOPPED":
            found |= {"stopCode": "EssentialContainerExited", "stoppedReason": "Essential container in task exited"}
            names = self.containers(task["taskDefinitionArn"])
            beside = {"exitCode": 137}  # ECS ends those that stand beside the one that prepares
            found["containers"] = [{"name": name, **(self.migration if name == "site" else beside)} for name in names]
        return found

    def _running(self) -> list[Json]:
        images = {name: each["image"] for name, each in self.containers(self.running_definition).items()}
        containers = [
            {"name": name, "image": image, "imageDigest": image.partition("@")[2]} for name, image in images.items()
        ]
        more: Json = {"createdAt": NOON, "containers": containers}
        names = [f"running{number}" for number in range(self.desired)]
        running = [resources.task(name, self.running_definition, "RUNNING", **more) for name in names]
        to = self.service_definition
        return running + [resources.task(f"new{at}", to, **each) for at, each in enumerate(self.starting)]

    def _stopped(self) -> list[Json]:
        newest = self.deployments[0]["_to"] if self.deployments else self.running_definition
        tasks = [resources.task(f"stopped{number}", newest, "STOPPED") for number in range(len(self.stopped))]
        times = [{"createdAt": NOON + number, "stoppedAt": NOON + number + 1} for number in range(len(tasks))]
        return [task | time | more for task, time, more in zip(tasks, times, self.stopped, strict=True)]

    def _ecs_run_task(self, given: Json) -> Json:
        request = read_request("ecs", "run-task", given)
        token = request["clientToken"]
        task = next((known for known in self.one_off.values() if known["_token"] == token), None)
        if task is None:
            more = {"containers": [{"name": "site"}], "_token": token}
            more["startedBy"] = request["startedBy"]
            status = "PROVISIONING" if self.unplaced else "RUNNING"
            task = resources.task(f"prepare{self.number()}", request["taskDefinition"], status, **more)
            self.one_off[task["taskArn"]] = task
        return {"tasks": [_public(task)], "failures": []}

    def _ecs_stop_task(self, given: Json) -> Json:
        task = self.one_off[given["task"]]
        self.migration = self.migration or {"exitCode": 143}
        task["lastStatus"] = "STOPPED"
        return {"task": _public(task)}


def _public(held: Json) -> Json:
    """Return an answer without what only this account knows of it."""
    return {key: value for key, value in held.items() if not key.startswith("_")}
