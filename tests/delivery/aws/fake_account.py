"""AWS with a site on it, as the delivery meets it: what it asks is answered from a state that its calls change."""

from __future__ import annotations

import copy
import hashlib
import json
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.delivery.aws.fake_cli import Call, Fault, Json, Program

if TYPE_CHECKING:
    from collections.abc import Callable

ACCOUNT, REGION = "111122223333", "eu-central-1"
REGISTRY = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"
NAME = "colophon"
ARN = f"arn:aws:ecs:{REGION}:{ACCOUNT}"
GROUP = f"arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:targetgroup/{NAME}/0123456789abcdef"
SECRET = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:rds!db-fake-AbCdEf"
CHANGED = (
    "images",
    "objects",
    "parameters",
    "definitions",
    "deployments",
    "scripts",
    "one_off",
    "migration",
    "desired",
    "service_definition",
    "running_definition",
    "completed",
)
UNDER_WAY = ("PENDING", "IN_PROGRESS")
NOON = 1772366400.0  # 1 March 2026, as version 1 of the CLI gives times


def digest_of(text: str) -> str:
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


class FakeSite:
    """An account with the stacks in it. A test changes what it likes before the delivery asks."""

    def __init__(self, folder: Path) -> None:
        self.images: dict[str, Json] = {}
        self.objects: dict[str, tuple[bytes, str]] = {}
        self.parameters: dict[str, str] = {f"/{NAME}/released-image": "none"}
        self.definitions: dict[str, Json] = {}
        self.deployments: list[Json] = []
        self.scripts: list[list[str]] = []  # the statuses that each deployment will go through
        self.after_stop = ["ROLLBACK_REQUESTED", "ROLLBACK_IN_PROGRESS", "ROLLBACK_SUCCESSFUL"]
        self.one_off: dict[str, Json] = {}
        self.migration: Json = {"exitCode": 0}
        self.stopped: list[Json] = []  # tasks that a rollout which fails leaves behind
        self.events: list[Json] = []
        self.targets: list[Json] = [target("10.0.1.10", "healthy"), target("10.0.1.11", "healthy")]
        self.log: list[str] = ["a line of the log"]
        self.scan: Json | None = {"status": "COMPLETE"}
        self.findings: list[Json] = []
        self.media_type: str | None = "application/vnd.docker.distribution.manifest.v2+json"
        self.secret: Json = {"ARN": SECRET, "Name": "rds!db-fake", "OwningService": "rds"}
        self.instances = [instance(1024, 2048)]
        self.scaling = "ENABLED"
        self.breaker: Json = {"enable": True, "rollback": True}
        self.log_groups: list[Json] = [{"logGroupName": f"/{NAME}/site"}]
        self.group: Json = {
            "TargetGroupArn": GROUP,
            "TargetGroupName": NAME,
            "Protocol": "HTTP",
            "Port": 8000,
            "HealthCheckPath": "/readyz",
            "HealthCheckPort": "traffic-port",
            "TargetType": "ip",
        }
        self.desired, self.running_definition = 2, ""
        self.faults: dict[Call, list[Exception]] = {}
        self.before: dict[Call, list[Callable[[], None]]] = {}
        self.site_says: Json | None = None
        self.cluster_status, self.service_status = "ACTIVE", "ACTIVE"
        self._numbers = 0
        self._writing = threading.Lock()
        definition = self.register(None)
        self.service_definition = definition
        self.running_definition = definition
        self.completed = definition
        self._serve()
        self.program = Program(folder, self._answer)

    # -- what a test says

    def state(self) -> Json:
        """Return what the delivery's calls change, to be restored."""
        return copy.deepcopy({name: getattr(self, name) for name in CHANGED})

    def restore(self, state: Json) -> None:
        """Have everything as it was, and no call made."""
        for name, value in copy.deepcopy(state).items():
            setattr(self, name, value)
        self.program.calls.clear()
        self.program.fates.clear()

    def push(self, commit: str, *, content: str = "") -> str:
        """Have an image of a commit in the registry, and return its digest."""
        manifest = json.dumps({"schemaVersion": 2, "config": {"digest": digest_of(f"id {content or commit}")}})
        digest = digest_of(manifest)
        self.images[digest] = {"tags": [commit], "manifest": manifest}
        return digest

    def run(self, commit: str) -> str:
        """Have the service run a commit, as if released long ago, and return its digest."""
        digest = self.push(commit)
        self.service_definition = self.running_definition = self.completed = self.register(digest)
        self.images[digest]["tags"].append(f"released-{commit}")
        self.parameters[f"/{NAME}/released-image"] = f"{REGISTRY}/{NAME}@{digest}"
        return digest

    def fail(self, service: str, operation: str, *faults: Exception) -> None:
        """Have the next calls of an operation fail."""
        self.faults.setdefault((service, operation), []).extend(faults)

    def at(self, service: str, operation: str, *hooks: Callable[[], None]) -> None:
        """Have something happen during the next calls of an operation."""
        self.before.setdefault((service, operation), []).extend(hooks)

    def hold_lock(self, who: str, *, seconds: float) -> None:
        """Have another deployment hold the lock for so many seconds from now."""
        until = datetime.now(UTC) + timedelta(seconds=seconds)
        lease = {"holder": who, "id": who, "since": "2026-03-01T12:00:00Z", "until": until.isoformat()}
        self.objects["lease.json"] = (json.dumps(lease).encode(), f'"{self._number()}"')

    # -- what a test asks

    @property
    def operations(self) -> list[str]:
        return [" ".join(words[:2]) for words in self.program.calls]

    @property
    def url(self) -> str:
        return self.parameters[f"/{NAME}/site-url"]

    @property
    def receipts(self) -> list[Json]:
        return [json.loads(self.objects[key][0]) for key in sorted(self.objects) if key.startswith("receipts/")]

    @property
    def lock(self) -> Json:
        found: Json = json.loads(self.objects["lease.json"][0])
        return found

    @property
    def container(self) -> Json:
        """The container of the task definition that the service runs."""
        container: Json = self.definitions[self.service_definition]["containerDefinitions"][0]
        return container

    @property
    def released(self) -> str:
        return self.parameters[f"/{NAME}/released-image"]

    def digest(self, commit: str) -> str:
        """Return the digest of a commit's image."""
        return next(digest for digest, image in self.images.items() if commit in image["tags"])

    def definition_of(self, commit: str) -> str:
        """Return the first task definition that was registered with a commit's image."""
        digest = self.digest(commit)
        return next(arn for arn in self.definitions if self.image_of(arn).endswith(digest))

    def image_of(self, definition: str) -> str:
        image: str = self.definitions[definition]["containerDefinitions"][0]["image"]
        return image

    # -- the site

    def _serve(self) -> None:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = json.dumps(outer.site_says or outer._passport()).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        self.parameters[f"/{NAME}/site-url"] = f"http://127.0.0.1:{self.server.server_address[1]}"

    def _passport(self) -> Json:
        digest = self.image_of(self.running_definition).partition("@")[2]
        tags = self.images.get(digest, {}).get("tags", [])
        return {"state": "released", "commit": tags[0] if tags else None, "image_digest": digest}

    def close(self) -> None:
        self.program.close()
        self.server.shutdown()
        self.server.server_close()

    # -- AWS

    def _answer(self, service: str, operation: str, given: Json) -> Json | str | None:
        for hook in self._next(self.before, (service, operation)):
            hook()
        for fault in self._next(self.faults, (service, operation)):
            raise fault
        handler = getattr(self, f"_{service}_{operation}".replace("-", "_"))
        said: Json | str | None = handler(given)
        return said

    def _next(self, planned: dict[Call, list[Any]], call: Call) -> list[Any]:
        waiting = planned.get(call, [])
        return [waiting.pop(0)] if waiting else []

    def _number(self) -> int:
        self._numbers += 1
        return self._numbers

    def _configure_get(self, _: Json) -> str:
        return f"{REGION}\n"

    def _sts_get_caller_identity(self, _: Json) -> Json:
        arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/{NAME}-deploy/job-1"
        return {"Account": ACCOUNT, "UserId": "FAKE:job-1", "Arn": arn}

    def _ssm_get_parameter(self, given: Json) -> Json:
        if given["name"] not in self.parameters:
            raise Fault("ParameterNotFound")
        return {"Parameter": {"Name": given["name"], "Type": "String", "Value": self.parameters[given["name"]]}}

    def _ssm_put_parameter(self, given: Json) -> Json:
        self.parameters[given["name"]] = given["value"]
        return {"Version": 2}

    def _iam_get_role(self, given: Json) -> Json:
        name = given["role-name"]
        return {
            "Role": {
                "Path": "/",
                "RoleName": name,
                "RoleId": "AROAFAKEFAKEFAKEFAKE",
                "Arn": f"arn:aws:iam::{ACCOUNT}:role/{name}",
                "CreateDate": "2026-01-01T00:00:00Z",
            }
        }

    def _secretsmanager_describe_secret(self, given: Json) -> Json:
        if given["secret-id"] != self.secret["ARN"]:
            raise Fault("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
        return self.secret

    def _logs_describe_log_groups(self, _: Json) -> Json:
        return {"logGroups": self.log_groups}

    def _logs_get_log_events(self, given: Json) -> Json:
        lines = [] if given.get("next-token") else self.log
        events = [{"timestamp": 1, "message": line, "ingestionTime": 1} for line in lines]
        return {"events": events, "nextForwardToken": "f/1", "nextBackwardToken": "b/1"}

    def _elbv2_describe_target_groups(self, _: Json) -> Json:
        return {"TargetGroups": [self.group]}

    def _elbv2_describe_target_health(self, _: Json) -> Json:
        return {"TargetHealthDescriptions": self.targets}

    # -- the registry

    def _ecr_describe_repositories(self, _: Json) -> Json:
        return {"repositories": [{"repositoryName": NAME, "repositoryUri": f"{REGISTRY}/{NAME}"}]}

    def _ecr_get_login_password(self, _: Json) -> str:
        return "a fake password\n"

    def _image(self, given: str) -> tuple[str, Json] | None:
        kind, _, value = given.partition("=")
        return next(
            (
                (digest, image)
                for digest, image in self.images.items()
                if (digest == value if kind == "imageDigest" else value in image["tags"])
            ),
            None,
        )

    def _ecr_describe_images(self, given: Json) -> Json:
        found = self._image(given["image-ids"])
        if found is None:
            raise Fault("ImageNotFoundException")
        details = {"repositoryName": NAME, "imageDigest": found[0], "imageTags": found[1]["tags"]}
        if self.media_type:
            details["imageManifestMediaType"] = self.media_type
        return {"imageDetails": [details]}

    def _ecr_batch_get_image(self, given: Json) -> Json:
        found = self._image(given["image-ids"])
        if found is None:
            return {"images": [], "failures": [{"failureCode": "ImageNotFound"}]}
        return {
            "images": [
                {
                    "repositoryName": NAME,
                    "imageId": {"imageDigest": found[0]},
                    "imageManifest": found[1]["manifest"],
                    "imageManifestMediaType": self.media_type,
                }
            ],
            "failures": [],
        }

    def _ecr_put_image(self, given: Json) -> Json:
        request = self._request("ecr", "put-image", given)
        tags = self.images[digest_of(request["imageManifest"])]["tags"]
        if request["imageTag"] in tags:
            raise Fault("ImageAlreadyExistsException", "Image with digest and tag already exists")
        tags.append(request["imageTag"])
        return {"image": {"repositoryName": NAME}}

    def _ecr_describe_image_scan_findings(self, _: Json) -> Json:
        if self.scan is None:
            raise Fault("ScanNotFoundException")
        counts: dict[str, int] = {}
        for each in self.findings:
            counts[each["severity"]] = counts.get(each["severity"], 0) + 1
        return {
            "repositoryName": NAME,
            "imageScanStatus": self.scan,
            "imageScanFindings": {"findings": self.findings, "findingSeverityCounts": counts},
        }

    # -- the bucket

    def _s3api_get_object(self, given: Json) -> Json:
        if given["key"] not in self.objects:
            raise Fault("NoSuchKey", "The specified key does not exist.")
        body, tag = self.objects[given["key"]]
        Path(given[""]).write_bytes(body)
        return {"ETag": tag, "ContentLength": len(body)}

    def _s3api_put_object(self, given: Json) -> Json:
        with self._writing:  # the condition and the write are one
            return self._put(given)

    def _put(self, given: Json) -> Json:
        key, known = given["key"], self.objects.get(given["key"])
        if "if-none-match" in given and known:
            raise Fault("PreconditionFailed", "At least one of the pre-conditions you specified did not hold")
        if "if-match" in given and known is None:
            raise Fault("NoSuchKey", "The specified key does not exist.")
        if "if-match" in given and known and known[1] != given["if-match"]:
            raise Fault("PreconditionFailed", "At least one of the pre-conditions you specified did not hold")
        self.objects[key] = (Path(given["body"]).read_bytes(), f'"{self._number()}"')
        return {"ETag": self.objects[key][1]}

    def _s3api_list_objects_v2(self, given: Json) -> Json | None:
        keys = [key for key in sorted(self.objects) if key.startswith(given["prefix"])]
        return {"Contents": [{"Key": key} for key in keys]} if keys else None

    # -- ECS

    def register(self, digest: str | None) -> str:
        """Register a task definition with an image, and return its ARN."""
        number = len(self.definitions) + 1
        image = f"{REGISTRY}/{NAME}@{digest}" if digest else f"{REGISTRY}/{NAME}:none"
        arn = f"{ARN}:task-definition/{NAME}:{number}"
        self.definitions[arn] = definition(arn, number, image)
        return arn

    def _request(self, service: str, operation: str, given: Json) -> Json:
        from tests.delivery.aws.fake_cli import model, shape_errors

        request: Json = json.loads(Path(given["cli-input-json"].removeprefix("file://")).read_text())
        if model(service) is not None and (errors := shape_errors(service, operation, request, side="input")):
            raise ValueError(errors)
        return request

    def _ecs_describe_clusters(self, _: Json) -> Json:
        return {"clusters": [{"clusterName": NAME, "status": self.cluster_status}], "failures": []}

    def _ecs_describe_services(self, _: Json) -> Json:
        newest = self.deployments[0] if self.deployments else None
        return {
            "services": [
                {
                    "serviceArn": f"{ARN}:service/{NAME}/{NAME}",
                    "serviceName": NAME,
                    "status": self.service_status,
                    "desiredCount": self.desired,
                    "runningCount": self.desired,
                    "pendingCount": 0,
                    "taskDefinition": self.service_definition,
                    "loadBalancers": [{"targetGroupArn": GROUP, "containerName": "site", "containerPort": 8000}],
                    "deploymentConfiguration": {
                        "deploymentCircuitBreaker": self.breaker,
                        "maximumPercent": 200,
                        "minimumHealthyPercent": 100,
                    },
                    "healthCheckGracePeriodSeconds": 30,
                    "capacityProviderStrategy": [{"capacityProvider": NAME, "weight": 1, "base": 0}],
                    "networkConfiguration": {
                        "awsvpcConfiguration": {"subnets": ["subnet-1"], "securityGroups": ["sg-1"]}
                    },
                    "deployments": [
                        {
                            "id": "ecs-svc/1",
                            "status": "PRIMARY",
                            "taskDefinition": self.service_definition,
                            "desiredCount": self.desired,
                            "runningCount": self.desired,
                            "pendingCount": 0,
                            "failedTasks": 0,
                            "rolloutState": "IN_PROGRESS" if newest else "COMPLETED",
                        }
                    ],
                    "events": self.events,
                    "tags": [{"key": "minimum-tasks", "value": "3"}],
                }
            ],
            "failures": [],
        }

    def _ecs_describe_task_definition(self, given: Json) -> Json:
        return {"taskDefinition": self.definitions[given["task-definition"]]}

    def _ecs_register_task_definition(self, given: Json) -> Json:
        request = self._request("ecs", "register-task-definition", given)
        number = len(self.definitions) + 1
        arn = f"{ARN}:task-definition/{NAME}:{number}"
        said = {key: value for key, value in request.items() if key != "tags"}
        self.definitions[arn] = said | {"taskDefinitionArn": arn, "revision": number, "status": "ACTIVE"}
        return {"taskDefinition": self.definitions[arn]}

    def _ecs_list_service_deployments(self, _: Json) -> Json:
        keys = ("serviceDeploymentArn", "createdAt", "status", "targetServiceRevisionArn")
        return {"serviceDeployments": [{key: each[key] for key in keys} for each in self.deployments]}

    def _ecs_describe_service_revisions(self, given: Json) -> Json:
        arn = given["service-revision-arns"]
        held = next(each for each in self.deployments if each["targetServiceRevisionArn"] == arn)
        return {"serviceRevisions": [{"serviceRevisionArn": arn, "taskDefinition": held["_to"]}], "failures": []}

    def deploy(self, to: str) -> Json:
        """Make a deployment, as an update of the service does."""
        number = self._number()
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

    def _ecs_update_service(self, given: Json) -> Json:
        self.desired = int(given.get("desired-count", self.desired))
        self.deploy(given["task-definition"])
        return {"service": self._ecs_describe_services({})["services"][0]}

    def _ecs_describe_service_deployments(self, given: Json) -> Json:
        arn = given["service-deployment-arns"]
        held = next(each for each in self.deployments if each["serviceDeploymentArn"] == arn)
        self._proceed(held)
        said = {
            "serviceDeploymentArn": arn,
            "createdAt": held["createdAt"],
            "status": held["status"],
            "targetServiceRevision": {
                "arn": held["targetServiceRevisionArn"],
                "requestedTaskCount": 2,
                "runningTaskCount": 0,
                "pendingTaskCount": 2,
            },
            "deploymentCircuitBreaker": {"status": "MONITORING", "failureCount": 0, "threshold": 2},
        }
        return {"serviceDeployments": [said | held.get("_more", {})], "failures": []}

    def _proceed(self, held: Json) -> None:
        held["status"] = held["_script"].pop(0) if len(held["_script"]) > 1 else held["_script"][0]
        if held["status"] == "SUCCESSFUL":
            self.running_definition = self.completed = held["_to"]
        if held["status"].startswith("ROLLBACK") and held is self.deployments[0]:
            self.service_definition = self.completed

    def _ecs_stop_service_deployment(self, given: Json) -> Json:
        arn = given["service-deployment-arn"]
        held = next(each for each in self.deployments if each["serviceDeploymentArn"] == arn)
        if held["status"] in ("SUCCESSFUL", "STOPPED", "ROLLBACK_SUCCESSFUL", "ROLLBACK_FAILED"):
            raise Fault("ConflictException", f"The service deployment is in a terminal state: {held['status']}.")
        held["_script"] = list(self.after_stop)
        return {"serviceDeploymentArn": arn}

    def _ecs_list_container_instances(self, _: Json) -> Json:
        return {"containerInstanceArns": [each["containerInstanceArn"] for each in self.instances]}

    def _ecs_describe_container_instances(self, _: Json) -> Json:
        return {"containerInstances": self.instances, "failures": []}

    def _ecs_describe_capacity_providers(self, _: Json) -> Json:
        group = {
            "autoScalingGroupArn": f"arn:aws:autoscaling:{REGION}:{ACCOUNT}:autoScalingGroup:1:name",
            "managedScaling": {"status": self.scaling},
        }
        return {"capacityProviders": [{"name": NAME, "status": "ACTIVE", "autoScalingGroupProvider": group}]}

    # -- tasks

    def _ecs_list_tasks(self, given: Json) -> Json:
        if "started-by" in given:
            own = [each for each in self.one_off.values() if each["startedBy"] == given["started-by"]]
            stopped = given["desired-status"] == "STOPPED"
            return {"taskArns": [each["taskArn"] for each in own if (each["lastStatus"] == "STOPPED") is stopped]}
        if given["desired-status"] == "STOPPED":
            return {"taskArns": [each["taskArn"] for each in self._stopped()]}
        return {"taskArns": [each["taskArn"] for each in self._running()]}

    def _ecs_describe_tasks(self, given: Json) -> Json:
        wanted = given["tasks"] if isinstance(given["tasks"], list) else [given["tasks"]]
        if wanted[0] in self.one_off:
            task = self.one_off[wanted[0]]
            found = _said(task)
            if self.migration:
                task["lastStatus"] = "STOPPED"
            if found["lastStatus"] == "STOPPED":
                found |= {"stopCode": "EssentialContainerExited", "stoppedReason": "Essential container in task exited"}
                found["containers"] = [{"name": "site", **self.migration}]
            return {"tasks": [found], "failures": []}
        known = [*self._running(), *self._stopped()]
        return {"tasks": [each for each in known if each["taskArn"] in wanted], "failures": []}

    def _running(self) -> list[Json]:
        image = self.image_of(self.running_definition)
        return [
            {
                "taskArn": f"{ARN}:task/{NAME}/running{number}",
                "taskDefinitionArn": self.running_definition,
                "lastStatus": "RUNNING",
                "createdAt": NOON,
                "containers": [{"name": "site", "image": image, "imageDigest": image.partition("@")[2]}],
            }
            for number in range(self.desired)
        ]

    def _stopped(self) -> list[Json]:
        newest = self.deployments[0]["_to"] if self.deployments else self.running_definition
        return [
            {
                "taskArn": f"{ARN}:task/{NAME}/stopped{number}",
                "taskDefinitionArn": newest,
                "lastStatus": "STOPPED",
                "createdAt": NOON + number,
                "stoppedAt": NOON + number + 1,
                **each,
            }
            for number, each in enumerate(self.stopped)
        ]

    def _ecs_run_task(self, given: Json) -> Json:
        request = self._request("ecs", "run-task", given)
        for known in self.one_off.values():
            if known["_token"] == request["clientToken"]:
                return {"tasks": [_said(known)], "failures": []}
        arn = f"{ARN}:task/{NAME}/prepare{self._number()}"
        self.one_off[arn] = {
            "taskArn": arn,
            "taskDefinitionArn": request["taskDefinition"],
            "lastStatus": "RUNNING",
            "containers": [{"name": "site"}],
            "overrides": request["overrides"],
            "startedBy": request["startedBy"],
            "_token": request["clientToken"],
        }
        return {"tasks": [_said(self.one_off[arn])], "failures": []}

    def _ecs_stop_task(self, given: Json) -> Json:
        task = self.one_off[given["task"]]
        self.migration = self.migration or {"exitCode": 143}
        task["lastStatus"] = "STOPPED"
        return {"task": _said(task)}


def _said(held: Json) -> Json:
    """Return what AWS says of what the test holds."""
    return {key: value for key, value in held.items() if not key.startswith("_")}


def target(address: str, state: str, reason: str = "", description: str = "") -> Json:
    """Return a target of the load balancer."""
    why = {"Reason": reason, "Description": description} if reason else {}
    return {"Target": {"Id": address, "Port": 8000}, "HealthCheckPort": "8000", "TargetHealth": {"State": state, **why}}


def instance(cpu: int, memory: int) -> Json:
    """Return a container instance with so much to spare."""
    left = [
        {"name": name, "type": "INTEGER", "doubleValue": 0.0, "longValue": 0, "integerValue": value}
        for name, value in (("CPU", cpu), ("MEMORY", memory))
    ]
    return {
        "containerInstanceArn": f"{ARN}:container-instance/{NAME}/1",
        "status": "ACTIVE",
        "agentConnected": True,
        "remainingResources": left,
    }


def definition(arn: str, number: int, image: str) -> Json:
    """Return a task definition as ecs/service.yml makes it."""
    return {
        "taskDefinitionArn": arn,
        "family": NAME,
        "revision": number,
        "status": "ACTIVE",
        "networkMode": "awsvpc",
        "requiresCompatibilities": ["EC2"],
        "compatibilities": ["EC2", "FARGATE"],
        "cpu": "512",
        "registeredAt": NOON,
        "registeredBy": f"arn:aws:iam::{ACCOUNT}:root",
        "requiresAttributes": [{"name": "com.amazonaws.ecs.capability.ecr-auth"}],
        "taskRoleArn": f"arn:aws:iam::{ACCOUNT}:role/{NAME}-task",
        "executionRoleArn": f"arn:aws:iam::{ACCOUNT}:role/{NAME}-execution",
        "volumes": [],
        "placementConstraints": [],
        "containerDefinitions": [
            {
                "name": "site",
                "image": image,
                "cpu": 0,
                "memory": 1024,
                "memoryReservation": 384,
                "essential": True,
                "portMappings": [{"containerPort": 8000, "hostPort": 8000, "protocol": "tcp"}],
                "secrets": [
                    {"name": "PGUSER", "valueFrom": f"{SECRET}:username::"},
                    {"name": "PGPASSWORD", "valueFrom": f"{SECRET}:password::"},
                ],
                "logConfiguration": {
                    "logDriver": "awslogs",
                    "options": {"awslogs-group": f"/{NAME}/site", "awslogs-stream-prefix": "site"},
                },
            }
        ],
    }
