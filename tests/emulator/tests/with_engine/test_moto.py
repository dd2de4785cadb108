"""The calls of a deployment on the emulator and on moto, an AWS by other authors: their answers differ as listed alone.

Compared are the codes of errors, and the members that moto's answer has: those that only the emulator has are judged by
botocore's models (`judge.py`).
"""

import json
import re

import pytest

from tests.delivery.aws.calls import DEPLOY, PUSH
from tests.emulator import REGION, Emulator
from tests.emulator.interface import Client
from tests.emulator.tests.with_engine.deployment_calls import played

ERROR = "! "
KEY = ("a-fake", "a-fake", "")
# moto has no deployments of services, and breaks down where a task is not there.
UNKNOWN_TO_MOTO = {
    "ecs.list_service_deployments",
    "ecs.describe_service_deployments",
    "ecs.describe_service_revisions",
    "ecs.stop_service_deployment",
    "ecs.stop_task unknown",
}
UNREAD = "moto is right; nothing here reads it"
ON_FARGATE = (
    "the emulator is right, for these tasks are not on Fargate: "
    "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Deployment.html"
)
NOT_STARTED = "the emulator is right, for the task's image is not there, and its container never ran"
OF_AN_INSTANCE_TYPE = """
EbsInfo.AttachmentLimitType EbsInfo.MaximumEbsAttachments NitroEnclavesSupport NitroTpmInfo.SupportedVersions[]
NetworkInfo.ConnectionTrackingConfiguration.DefaultTcpEstablishedTimeout
NetworkInfo.ConnectionTrackingConfiguration.DefaultUdpStreamTimeout
NetworkInfo.ConnectionTrackingConfiguration.DefaultUdpTimeout NetworkInfo.EnaSrdSupported
NetworkInfo.EncryptionInTransitSupported NetworkInfo.FlexibleEnaQueuesSupport NetworkInfo.SecondaryNetworkSupported
NetworkInfo.NetworkCards[].DefaultEnaQueueCountPerInterface NetworkInfo.NetworkCards[].InterfaceTypes[]
NitroTpmSupport PhcSupport ProcessorInfo.Manufacturer RebootMigrationSupport SupportedBootModes[] SupportedInRegion
VCpuInfo.ValidCores[] VCpuInfo.ValidThreadsPerCore[]
"""
# What moto answers and the emulator does not, or only the emulator as an error; who is right, and why.
DIFFERENCES = {
    "s3.put_object unless it is there": ("ChecksumCRC32", UNREAD),
    "s3.put_object if it is that": ("ChecksumCRC32", UNREAD),
    "s3.list_objects_v2": ("Contents[].ChecksumAlgorithm[]", UNREAD),
    "elbv2.describe_target_groups": ("TargetGroups[].IpAddressType TargetGroups[].ProtocolVersion", UNREAD),
    "ec2.describe_instance_types": (
        " ".join(f"InstanceTypes[].{member}" for member in OF_AN_INSTANCE_TYPE.split()),
        UNREAD,
    ),
    "cloudwatch.describe_alarms": (
        "MetricAlarms[].StateReasonData",
        "the emulator is right, for the alarm was never evaluated: "
        "https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricAlarm.html",
    ),
    "ecs.describe_clusters": (
        "clusters[].settings[].name clusters[].settings[].value",
        "the emulator is right, for the request does not include SETTINGS: "
        "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeClusters.html",
    ),
    "ecs.describe_services": ("services[].deployments[].platformFamily", ON_FARGATE),
    "ecs.update_service": ("service.deployments[].platformFamily", ON_FARGATE),
    "ecs.run_task": ("tasks[].containers[].exitCode", NOT_STARTED),
    "ecs.stop_task": ("task.containers[].exitCode", NOT_STARTED),
    "ecs.describe_tasks": ("tasks[].containers[].exitCode", NOT_STARTED),
    "ecs.describe_container_instances": (
        "containerInstances[].registeredAt containerInstances[].versionInfo.agentHash",
        UNREAD,
    ),
}


@pytest.fixture(scope="module")
def emulated(ready):
    """What came back from the emulator."""
    aws = Emulator()
    try:
        return played(aws)
    finally:
        aws.end()


@pytest.fixture(scope="module")
def answered_by_moto(ready):
    """What came back from moto, whose cluster gets the one instance that the emulator makes up by itself."""
    client = Client("tests.emulator.tests.with_engine.moto_client", AWS_DEFAULT_REGION=REGION)

    def moto(service, operation, /, **arguments):
        return client(service, operation, KEY, arguments)

    try:
        moto("ecs", "create_cluster", clusterName="site")
        (machine,) = moto("ec2", "run_instances", ImageId="ami-1", MinCount=1, MaxCount=1)["Instances"]
        identity = json.dumps({"instanceId": machine["InstanceId"]})
        moto("ecs", "register_container_instance", cluster="site", instanceIdentityDocument=identity)
        return played(moto)
    finally:
        client.close()


def difference(ours, theirs):
    return theirs - ours | {each for each in ours - theirs if each.startswith(ERROR)}


def test_the_emulator_and_moto_differ_as_listed(emulated, answered_by_moto):
    compared = emulated.keys() - UNKNOWN_TO_MOTO
    found = {call: difference(emulated[call], answered_by_moto[call]) for call in compared}
    listed = {call: set(re.findall(r"(?:! )?\S+", members)) for call, (members, _) in DIFFERENCES.items()}
    assert {call: members for call, members in found.items() if members} == listed


def test_moto_still_lacks_what_is_not_compared(answered_by_moto):
    lacking = {call for call, answer in answered_by_moto.items() if answer == {f"{ERROR}moto failed"}}
    assert lacking == UNKNOWN_TO_MOTO


def test_every_call_of_a_deployment_is_compared(emulated):
    operations = {call.split()[0].replace("s3.", "s3api.").replace(".", " ").replace("_", "-") for call in emulated}
    assert operations == DEPLOY | PUSH
