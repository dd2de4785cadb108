"""A service on the emulator, made and released by AWS's API as a delivery does it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.emulator import ACCOUNT, REGION, docker, until

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.emulator import Emulator
    from tests.emulator.interface import Json

ENDED = ("SUCCESSFUL", "STOPPED", "ROLLBACK_SUCCESSFUL", "ROLLBACK_FAILED")
GROUP = "/site/log"
EXECUTION = f"arn:aws:iam::{ACCOUNT}:role/execution"
BASE = os.environ.get("BASE", "python:3.13-slim")
# A site of one file. Its image's environment says how it behaves.
SITE = Path(__file__).with_name("sample_site.py")


def document(*statements: Json) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def policy(*permissions: tuple[list[str], str]) -> str:
    """Return a policy that allows actions on a resource, for each pair of them."""
    return document(*({"Effect": "Allow", "Action": may, "Resource": resource} for may, resource in permissions))


def arn_of(kind: str, name: str) -> str:
    """Return the ARN of something of this account in its region."""
    return f"arn:aws:{kind}:{REGION}:{ACCOUNT}:{name}"


class Service:
    """Two tasks of a site behind a load balancer, checked every second at this pace, drained for two."""

    def __init__(self, aws: Emulator) -> None:
        self.aws = aws
        self.images: dict[str, str] = {}
        trust = {"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}
        aws("iam", "create_role", RoleName="execution", AssumeRolePolicyDocument=document(trust))
        may = policy(
            (["ecr:GetAuthorizationToken"], "*"),
            (["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"], arn_of("ecr", "repository/site")),
            (["logs:CreateLogStream", "logs:PutLogEvents"], arn_of("logs", "log-group:/site/*")),
            (["secretsmanager:GetSecretValue"], arn_of("secretsmanager", "secret:site/*")),
            (["ssm:GetParameters"], arn_of("ssm", "parameter/site/*")),
        )
        aws("iam", "put_role_policy", RoleName="execution", PolicyName="start", PolicyDocument=may)
        aws("logs", "create_log_group", logGroupName=GROUP)
        aws("ecs", "create_cluster", clusterName="site")
        balancers = aws("elbv2", "create_load_balancer", Name="site", Subnets=["subnet-1", "subnet-2"])
        balancer = balancers["LoadBalancers"][0]
        check = {"HealthCheckPath": "/readyz", "HealthCheckIntervalSeconds": 10, "UnhealthyThresholdCount": 3}
        http = {"Protocol": "HTTP", "Port": 8000, "VpcId": "vpc-1", "TargetType": "ip"}
        groups = aws("elbv2", "create_target_group", Name="site", **http, **check)
        self.group = groups["TargetGroups"][0]["TargetGroupArn"]
        delay = {"Key": "deregistration_delay.timeout_seconds", "Value": "20"}
        aws("elbv2", "modify_target_group_attributes", TargetGroupArn=self.group, Attributes=[delay])
        listener = {"LoadBalancerArn": balancer["LoadBalancerArn"], "Protocol": "HTTP", "Port": 80}
        forward = {"Type": "forward", "TargetGroupArn": self.group}
        aws("elbv2", "create_listener", **listener, DefaultActions=[forward])
        self.url = f"http://{balancer['DNSName']}"
        settings = {
            "loadBalancers": [{"targetGroupArn": self.group, "containerName": "site", "containerPort": 8000}],
            "deploymentConfiguration": {"deploymentCircuitBreaker": {"enable": True, "rollback": True}},
        }
        self.ecs("create_service", serviceName="site", taskDefinition=self.register("good"), desiredCount=2, **settings)
        self.steady()

    def ecs(self, operation: str, **arguments: Any) -> Json:
        """Call an operation of ECS on the service's cluster."""
        return self.aws("ecs", operation, cluster="site", **arguments)

    def image(self, name: str, **behaviour: str) -> str:
        """Return an image that behaves as said, by its digest; it is built and pushed at the first call."""
        if name not in self.images:
            repository = f"{self.aws.registry}/site"
            environment = "".join(f"ENV {key}={value}\n" for key, value in {"RELEASE": name, **behaviour}.items())
            recipe = f'FROM {BASE}\nCOPY {SITE.name} /\n{environment}CMD ["python3", "/{SITE.name}"]\n'
            docker(f"build --quiet --tag {repository}:{name} --file=- {SITE.parent}", feed=recipe)
            docker(f"push --quiet {repository}:{name}")
            known = json.loads(docker("image inspect", "--format={{json .RepoDigests}}", f"{repository}:{name}"))
            self.images[name] = next(digest for digest in known if digest.startswith(f"{repository}@sha256:"))
        return self.images[name]

    def register(self, image: str, *, task: Json | None = None, beside: Sequence[Json] = (), **container: Any) -> str:
        """Register a task definition, of an image by its name here or in full, and return its ARN.

        `container` is what its container `site` has else, and `beside` its other containers, which start before it.
        """
        log = {"awslogs-group": GROUP, "awslogs-region": REGION, "awslogs-stream-prefix": "site"}
        usual = {
            "image": image if "/" in image else self.image(image),
            "memory": 64,
            "stopTimeout": 5,
            "logConfiguration": {"logDriver": "awslogs", "options": log},
        }
        site = {"name": "site", "portMappings": [{"containerPort": 8000}], **container}
        containers = [{**usual, **each} for each in (*beside, site)]
        wanted = {"family": "site", "executionRoleArn": EXECUTION, "networkMode": "awsvpc", **(task or {})}
        made = self.aws("ecs", "register_task_definition", containerDefinitions=containers, **wanted)
        return str(made["taskDefinition"]["taskDefinitionArn"])

    def definition(self, arn: str, *keys: str) -> Json:
        """Return a task definition, or those of its keys that it can be registered again with."""
        found: Json = self.aws("ecs", "describe_task_definition", taskDefinition=arn)["taskDefinition"]
        return {key: found[key] for key in keys or found}

    def describe(self) -> Json:
        found: Json = self.ecs("describe_services", services=["site"])["services"][0]
        return found

    def steady(self) -> None:
        """Wait until nothing goes on."""

        def quiet() -> bool:
            shown = self.describe()
            states = [deployment["rolloutState"] for deployment in shown["deployments"]]
            return states == ["COMPLETED"] and bool(shown["runningCount"] == shown["desiredCount"])

        until(quiet)

    def update(self, definition: str, **settings: Any) -> str:
        """Begin a release, and return the ARN of its service deployment."""
        self.ecs("update_service", service="site", taskDefinition=definition, forceNewDeployment=True, **settings)
        deployments = self.ecs("list_service_deployments", service="site")["serviceDeployments"]
        return str(deployments[0]["serviceDeploymentArn"])

    def release(self, arn: str) -> Json:
        """Return a service deployment."""
        found = self.aws("ecs", "describe_service_deployments", serviceDeploymentArns=[arn])["serviceDeployments"]
        shown: Json = found[0]
        return shown

    def follow(self, arn: str) -> Json:
        """Wait for the end of a service deployment, and return it."""
        found: Json = until(lambda: shown if (shown := self.release(arn))["status"] in ENDED else None)
        return found

    def deploy(self, definition: str, **settings: Any) -> Json:
        """Release a task definition, and return the service deployment when it has ended."""
        return self.follow(self.update(definition, **settings))

    def tasks(self, desired: str = "RUNNING", **which: str) -> list[Json]:
        """Return tasks that are wanted, or that are stopped."""
        arns = self.ecs("list_tasks", desiredStatus=desired, **which)["taskArns"]
        found: list[Json] = self.ecs("describe_tasks", tasks=arns)["tasks"] if arns else []
        return found

    def task(self, arn: str) -> Json:
        found: Json = self.ecs("describe_tasks", tasks=[arn])["tasks"][0]
        return found

    def failed(self, definition: str) -> list[Json]:
        """Return the tasks of a definition that failed: those that were not stopped because a rollout ended."""
        stopped = self.tasks("STOPPED", family="site")
        own = [task for task in stopped if task["taskDefinitionArn"] == definition and task["lastStatus"] == "STOPPED"]
        return [task for task in own if not task["stoppedReason"].startswith("Scaling activity")]

    def log(self, task: Json, container: str = "site") -> list[str]:
        """Return what a task's container wrote."""
        names = {"logGroupName": GROUP, "logStreamName": f"site/{container}/{task['taskArn'].rsplit('/', 1)[-1]}"}
        events = self.aws("logs", "get_log_events", **names, startFromHead=True)["events"]
        return [event["message"] for event in events]

    def run(self, definition: str, **override: Any) -> Json:
        """Run a task of its own to its end, and return it."""
        overrides = {"containerOverrides": [{"name": "site", **override}]}
        answer = self.ecs("run_task", taskDefinition=definition, overrides=overrides)
        assert not answer["failures"]
        arn = answer["tasks"][0]["taskArn"]
        found: Json = until(lambda: task if (task := self.task(arn))["lastStatus"] == "STOPPED" else None)
        return found
