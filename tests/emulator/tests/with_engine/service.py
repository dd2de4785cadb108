"""A service on the emulator, made and released by AWS's API as a delivery does it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.emulator.interface import ACCOUNT, REGION, until

if TYPE_CHECKING:
    from tests.emulator.interface import Emulator, Json

ENDED = ("SUCCESSFUL", "STOPPED", "ROLLBACK_SUCCESSFUL", "ROLLBACK_FAILED")
GROUP = "/site/log"
EXECUTION = f"arn:aws:iam::{ACCOUNT}:role/execution"


def trust(principal: str) -> str:
    statement = {"Effect": "Allow", "Principal": {"Service": principal}, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def policy(*statements: tuple[list[str], str]) -> str:
    """Return a policy that allows actions on a resource, for each pair of them."""
    allowed = [{"Effect": "Allow", "Action": actions, "Resource": resource} for actions, resource in statements]
    return json.dumps({"Version": "2012-10-17", "Statement": allowed})


class Service:
    """Two tasks of a site behind a load balancer, checked every second at this pace, drained for two."""

    def __init__(self, aws: Emulator) -> None:
        self.aws = aws
        self.images: dict[str, str] = {}
        aws("iam", "create_role", RoleName="execution", AssumeRolePolicyDocument=trust("ecs-tasks.amazonaws.com"))
        may = policy(
            (["ecr:GetAuthorizationToken"], "*"),
            (["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"], f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/site"),
            (["logs:CreateLogStream", "logs:PutLogEvents"], f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/site/*"),
            (["secretsmanager:GetSecretValue"], f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:site/*"),
            (["ssm:GetParameters"], f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/site/*"),
        )
        aws("iam", "put_role_policy", RoleName="execution", PolicyName="start", PolicyDocument=may)
        aws("logs", "create_log_group", logGroupName=GROUP)
        aws("ecs", "create_cluster", clusterName="site")
        balancer = aws("elbv2", "create_load_balancer", Name="site", Subnets=["subnet-1", "subnet-2"])["LoadBalancers"][
            0
        ]
        self.group = aws(
            "elbv2",
            "create_target_group",
            Name="site",
            Protocol="HTTP",
            Port=8000,
            VpcId="vpc-1",
            TargetType="ip",
            HealthCheckPath="/readyz",
            HealthCheckIntervalSeconds=10,
            UnhealthyThresholdCount=3,
        )["TargetGroups"][0]["TargetGroupArn"]
        delay = {"Key": "deregistration_delay.timeout_seconds", "Value": "20"}
        aws("elbv2", "modify_target_group_attributes", TargetGroupArn=self.group, Attributes=[delay])
        aws(
            "elbv2",
            "create_listener",
            LoadBalancerArn=balancer["LoadBalancerArn"],
            Protocol="HTTP",
            Port=80,
            DefaultActions=[{"Type": "forward", "TargetGroupArn": self.group}],
        )
        self.url = f"http://{balancer['DNSName']}"
        aws(
            "ecs",
            "create_service",
            cluster="site",
            serviceName="site",
            taskDefinition=self.register("good"),
            desiredCount=2,
            loadBalancers=[{"targetGroupArn": self.group, "containerName": "site", "containerPort": 8000}],
            deploymentConfiguration={"deploymentCircuitBreaker": {"enable": True, "rollback": True}},
        )
        self.steady()

    def image(self, name: str, **behaviour: str) -> str:
        """Return an image that behaves as said, by its digest; it is built when it is first asked for."""
        if name not in self.images:
            self.images[name] = self.aws.push(name, **behaviour)
        return self.images[name]

    def register(self, image: str, *, task: Json | None = None, **container: Any) -> str:
        """Register a task definition, of an image by its name here or in full, and return its ARN."""
        definition = {
            "name": "site",
            "image": image if "/" in image else self.image(image),
            "memory": 64,
            "stopTimeout": 5,
            "portMappings": [{"containerPort": 8000}],
            "logConfiguration": {
                "logDriver": "awslogs",
                "options": {"awslogs-group": GROUP, "awslogs-region": REGION, "awslogs-stream-prefix": "site"},
            },
            **container,
        }
        arn: str = self.aws(
            "ecs",
            "register_task_definition",
            family="site",
            executionRoleArn=EXECUTION,
            containerDefinitions=[definition],
            **({"networkMode": "awsvpc"} | (task or {})),
        )["taskDefinition"]["taskDefinitionArn"]
        return arn

    def describe(self) -> Json:
        found: Json = self.aws("ecs", "describe_services", cluster="site", services=["site"])["services"][0]
        return found

    def steady(self) -> None:
        """Wait until nothing goes on."""

        def quiet() -> bool:
            shown = self.describe()
            return (
                len(shown["deployments"]) == 1
                and shown["deployments"][0]["rolloutState"] == "COMPLETED"
                and shown["runningCount"] == shown["desiredCount"]
            )

        until(quiet)

    def update(self, definition: str, **settings: Any) -> str:
        """Begin a release, and return the ARN of its service deployment."""
        self.aws(
            "ecs",
            "update_service",
            cluster="site",
            service="site",
            taskDefinition=definition,
            forceNewDeployment=True,
            **settings,
        )
        deployments = self.aws("ecs", "list_service_deployments", cluster="site", service="site")["serviceDeployments"]
        arn: str = deployments[0]["serviceDeploymentArn"]
        return arn

    def release(self, arn: str) -> Json:
        """Return a service deployment."""
        found: Json = self.aws("ecs", "describe_service_deployments", serviceDeploymentArns=[arn])[
            "serviceDeployments"
        ][0]
        return found

    def follow(self, arn: str) -> Json:
        """Wait for the end of a service deployment, and return it."""

        def ended() -> Json | None:
            found = self.release(arn)
            return found if found["status"] in ENDED else None

        found: Json = until(ended)
        return found

    def tasks(self, desired: str = "RUNNING", **which: str) -> list[Json]:
        """Return tasks that are wanted, or that are stopped."""
        arns = self.aws("ecs", "list_tasks", cluster="site", desiredStatus=desired, **which)["taskArns"]
        if not arns:
            return []
        found: list[Json] = self.aws("ecs", "describe_tasks", cluster="site", tasks=arns)["tasks"]
        return found

    def failed(self, definition: str) -> list[Json]:
        """Return the tasks of a definition that failed: those that were not stopped because a rollout ended."""
        stopped = self.tasks("STOPPED", family="site")
        own = [task for task in stopped if task["taskDefinitionArn"] == definition and task["lastStatus"] == "STOPPED"]
        return [task for task in own if not task["stoppedReason"].startswith("Scaling activity")]

    def log(self, task: Json) -> list[str]:
        """Return what a task's container wrote."""
        stream = f"site/site/{task['taskArn'].rsplit('/', 1)[-1]}"
        events = self.aws("logs", "get_log_events", logGroupName=GROUP, logStreamName=stream, startFromHead=True)[
            "events"
        ]
        return [event["message"] for event in events]

    def run(self, definition: str, **override: Any) -> Json:
        """Run a task of its own to its end, and return it."""
        overrides = {"containerOverrides": [{"name": "site", **override}]}
        answer = self.aws("ecs", "run_task", cluster="site", taskDefinition=definition, overrides=overrides)
        assert not answer["failures"]
        arn = answer["tasks"][0]["taskArn"]

        def stopped() -> Json | None:
            task: Json = self.aws("ecs", "describe_tasks", cluster="site", tasks=[arn])["tasks"][0]
            return task if task["lastStatus"] == "STOPPED" else None

        found: Json = until(stopped)
        return found
