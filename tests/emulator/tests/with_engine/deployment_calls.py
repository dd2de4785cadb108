"""The calls of a deployment, with the few that make what they need, and the shapes of what comes back."""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING, Any

from tests.emulator import CallError
from tests.emulator.tests.with_engine.service import document

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
LAYER = {"mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip", "size": 2, "digest": f"sha256:{'b' * 64}"}
MANIFEST = {
    "schemaVersion": 2,
    "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
    "config": {**LAYER, "mediaType": "application/vnd.docker.container.image.v1+json"},
    "layers": [LAYER],
}


def paths(value: Any, where: str = "") -> Iterator[str]:
    """Yield the path of each member that has a value."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from paths(inner, f"{where}.{UUID.sub('*', key)}" if where else key)
    elif isinstance(value, list):
        for inner in value:
            yield from paths(inner, f"{where}[]")
    elif value not in (None, ""):
        yield where


class Recorder:
    """An account whose every call is noted with the shape of its answer, or the code of its error."""

    def __init__(self, account: Callable[..., dict[str, Any]]) -> None:
        self.account = account
        self.noted: dict[str, set[str]] = {}

    def __call__(self, label: str, operation: str, **arguments: Any) -> dict[str, Any]:
        """Call SERVICE.OPERATION; the note's name is the operation with a label, which is empty for the usual case."""
        service, name = operation.split(".")
        noted = f"{operation} {label}".strip()
        try:
            answer = self.account(service, name, **arguments)
        except CallError as error:
            self.noted[noted] = {f"! {error.code}"}
            return {}
        self.noted[noted] = {*paths(answer)}
        return answer


def prepare(account: Callable[..., dict[str, Any]]) -> dict[str, str]:
    """Make what a deployment finds: network, repository, roles, secret, log group, and return their names."""
    trust = {"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}
    role = account("iam", "create_role", RoleName="site", AssumeRolePolicyDocument=document(trust))["Role"]["Arn"]
    vpc = account("ec2", "create_vpc", CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    group = account("elbv2", "create_target_group", Name="site", Protocol="HTTP", Port=80, VpcId=vpc, TargetType="ip")[
        "TargetGroups"
    ][0]["TargetGroupArn"]
    account("logs", "create_log_group", logGroupName="/site")
    account("logs", "create_log_stream", logGroupName="/site", logStreamName="a")
    event = {"timestamp": int(time.time() * 1000), "message": "Listening"}
    account("logs", "put_log_events", logGroupName="/site", logStreamName="a", logEvents=[event])
    account(
        "s3", "create_bucket", Bucket="receipts-site", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
    )
    account("secretsmanager", "create_secret", Name="site/database", SecretString="a fake")
    alarm = {"AlarmName": "site", "Namespace": "site", "MetricName": "errors", "Statistic": "Sum", "Period": 60}
    alarm |= {"EvaluationPeriods": 1, "Threshold": 1, "ComparisonOperator": "GreaterThanThreshold"}
    account("cloudwatch", "put_metric_alarm", **alarm)
    account("ecs", "create_cluster", clusterName="site")
    account("ecr", "create_repository", repositoryName="site", imageTagMutability="IMMUTABLE")
    return {"role": role, "group": group}


def registry(call: Recorder) -> None:
    image = {"repositoryName": "site", "imageIds": [{"imageTag": "a"}]}
    put = {"repositoryName": "site", "imageManifest": json.dumps(MANIFEST)}
    call("", "ecr.describe_repositories", repositoryNames=["site"])
    call("unknown", "ecr.describe_repositories", repositoryNames=["none"])
    call("unknown", "ecr.describe_images", **image)
    call("unknown", "ecr.batch_get_image", **image)
    call("", "ecr.put_image", **put, imageTag="a")
    call("again", "ecr.put_image", **put, imageTag="a")
    call("another tag", "ecr.put_image", **put, imageTag="released-a")
    call("", "ecr.describe_images", **image)
    call("", "ecr.batch_get_image", **image)
    call("none was made", "ecr.describe_image_scan_findings", repositoryName="site", imageId={"imageTag": "a"})
    call("unknown", "ecr.describe_image_scan_findings", repositoryName="site", imageId={"imageTag": "none"})


def records(call: Recorder) -> None:
    lock = {"Bucket": "receipts-site", "Key": "lock.json"}
    call("unknown", "s3.get_object", **lock)
    call("unless it is there", "s3.put_object", **lock, Body="{}", IfNoneMatch="*")
    call("which it is", "s3.put_object", **lock, Body="{}", IfNoneMatch="*")
    tag = call("", "s3.get_object", **lock).get("ETag", "none")
    call("if it is that", "s3.put_object", **lock, Body="{ }", IfMatch=tag)
    call("which it is not", "s3.put_object", **lock, Body="{ }", IfMatch=tag)
    call("", "s3.list_objects_v2", Bucket="receipts-site", Prefix="lock", MaxKeys=1)
    call("unknown", "s3.list_objects_v2", Bucket="receipts-none")
    call("unknown", "ssm.get_parameter", Name="/site/released-image")
    call("", "ssm.put_parameter", Name="/site/released-image", Value="a", Type="String")
    call("again", "ssm.put_parameter", Name="/site/released-image", Value="b", Type="String")
    call("", "ssm.get_parameter", Name="/site/released-image")
    call("", "secretsmanager.describe_secret", SecretId="site/database")
    call("unknown", "secretsmanager.describe_secret", SecretId="site/none")
    call("", "logs.describe_log_groups", logGroupNamePrefix="/site")
    call("", "logs.get_log_events", logGroupName="/site", logStreamName="a", startFromHead=True)
    call("unknown", "logs.get_log_events", logGroupName="/site", logStreamName="none")
    call("", "cloudwatch.describe_alarms", AlarmNames=["site", "none"])
    call("", "sts.get_caller_identity")
    call("", "iam.get_role", RoleName="site")
    call("unknown", "iam.get_role", RoleName="none")


def service(call: Recorder, role: str, group: str) -> None:
    container = {"name": "site", "image": "site:a", "memory": 64, "portMappings": [{"containerPort": 80}]}
    definition = {"family": "site", "containerDefinitions": [container], "executionRoleArn": role}
    here = {"cluster": "site"}
    unknown = group.replace("targetgroup/site", "targetgroup/none")
    call("", "elbv2.describe_target_groups", TargetGroupArns=[group])
    call("unknown", "elbv2.describe_target_groups", TargetGroupArns=[unknown])
    call("", "elbv2.describe_target_health", TargetGroupArn=group)
    call("unknown", "elbv2.describe_target_health", TargetGroupArn=unknown)
    call("", "ecs.describe_clusters", clusters=["site", "none"])
    call("", "ecs.describe_capacity_providers", capacityProviders=["none"])
    instances = call("", "ecs.list_container_instances", **here).get("containerInstanceArns", [])
    call("", "ec2.describe_instance_types", InstanceTypes=["t3.small"])
    call("", "ecs.describe_container_instances", **here, containerInstances=[*instances, "0" * 32])
    call("unknown", "ecs.describe_task_definition", taskDefinition="none")
    call("", "ecs.register_task_definition", **definition)
    call("", "ecs.describe_task_definition", taskDefinition="site")
    call.account("ecs", "create_service", **here, serviceName="site", taskDefinition="site", desiredCount=0)
    call("", "ecs.describe_services", **here, services=["site", "none"])
    call("in no cluster", "ecs.describe_services", cluster="none", services=["site"])
    call("", "ecs.update_service", **here, service="site", taskDefinition="site", forceNewDeployment=True)
    call("unknown", "ecs.update_service", **here, service="none", desiredCount=1)
    deployments = call("", "ecs.list_service_deployments", **here, service="site").get("serviceDeployments", [])
    arns = [each["serviceDeploymentArn"] for each in deployments]
    call("", "ecs.describe_service_deployments", serviceDeploymentArns=arns)
    call(
        "",
        "ecs.describe_service_revisions",
        serviceRevisionArns=[each["targetServiceRevisionArn"] for each in deployments],
    )
    call("", "ecs.stop_service_deployment", serviceDeploymentArn=[*arns, "none"][0])
    tasks = call("", "ecs.run_task", **here, taskDefinition="site", startedBy="delivery").get("tasks", [{}])
    task = tasks[0].get("taskArn", "none")
    call("unknown", "ecs.run_task", **here, taskDefinition="none")
    call("", "ecs.stop_task", **here, task=task, reason="it is over")
    call("", "ecs.list_tasks", **here, desiredStatus="STOPPED")
    call("unknown", "ecs.stop_task", **here, task="0" * 32)
    call("", "ecs.describe_tasks", **here, tasks=[task, "0" * 32])


def played(account: Callable[..., dict[str, Any]]) -> dict[str, set[str]]:
    """Play all calls on an account, and return what came back of each."""
    call = Recorder(account)
    made = prepare(account)
    registry(call)
    records(call)
    service(call, **made)
    return call.noted
