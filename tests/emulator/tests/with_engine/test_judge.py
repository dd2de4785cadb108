"""The judge of the emulator's answers: botocore's models find what is wrong, and nothing passes it by."""

import json
import subprocess

import pytest

from tests.emulator import CallError, Emulator
from tests.emulator.interface import PROGRAMS, ROOT

JUDGE = """
import json, sys
from tests.emulator import operations, shapes
for service, operation, status, headers, body in json.load(sys.stdin):
    called = operations.model(service).operation_model(operation)
    print("; ".join(shapes.differences(called, status, headers, body.encode())))
"""
HEALTH = "<R><DescribeTargetHealthResult>{}</DescribeTargetHealthResult><ResponseMetadata/></R>"
HEALTHS = "TargetHealthDescriptions"
STATE = f"<{HEALTHS}><member><TargetHealth><State>{{}}</State></TargetHealth></member></{HEALTHS}>"
# The service, its operation, the answer's status, headers and body, and what is found in it.
ANSWERS = [
    ("ecs", "DescribeServices", 200, {}, '{"services": [{"status": "ACTIVE", "desiredCount": 2}]}', ""),
    (
        "ecs",
        "DescribeServices",
        200,
        {},
        '{"services": [{"statos": "ACTIVE"}]}',
        "services[0].<statos> is no member of Service",
    ),
    ("ecs", "DescribeServices", 200, {}, '{"services": [{"desiredCount": "2"}]}', "'2', which is no integer"),
    ("ecs", "DescribeServices", 200, {}, '{"services": [{"desiredCount": true}]}', "True, which is no integer"),
    ("ecs", "DescribeServices", 200, {}, '{"services": [{"createdAt": "now"}]}', "'now', which is no timestamp"),
    (
        "ecs",
        "DescribeServices",
        200,
        {},
        '{"services": [{"launchType": "EC3"}]}',
        "'EC3', which is not listed (LaunchType)",
    ),
    ("ecs", "DescribeServices", 200, {}, "{", "Expecting property name"),
    ("ecs", "UpdateService", 400, {}, '{"__type": "ServiceNotFoundException"}', ""),
    ("ecs", "UpdateService", 400, {}, '{"__type": "ServiceIsGone"}', "the error 'ServiceIsGone' is none of its"),
    ("elbv2", "DescribeTargetHealth", 200, {}, HEALTH.format(STATE.format("healthy")), ""),
    ("elbv2", "DescribeTargetHealth", 200, {}, HEALTH.format(STATE.format("well")), "'well', which is not listed"),
    ("elbv2", "DescribeTargetHealth", 200, {}, HEALTH.format("<Healthy/>"), "<Healthy> is no member of"),
    ("elbv2", "DescribeTargetHealth", 200, {}, "<R><Health/></R>", "<Health> is no member of"),
    ("s3", "ListObjectsV2", 200, {}, "<R><KeyCount>1</KeyCount><Contents><Key>a</Key></Contents></R>", ""),
    ("s3", "ListObjectsV2", 200, {}, "<R><KeyCount>one</KeyCount></R>", "'one', which is no integer"),
    (
        "s3",
        "ListObjectsV2",
        200,
        {},
        "<R><Contents><Name>a</Name></Contents></R>",
        "Contents[0].<Name> is no member of Object",
    ),
    ("s3", "HeadObject", 200, {"content-length": "some"}, "", "ContentLength is 'some', which is no long"),
    (
        "ecs",
        "DeleteAttributes",
        200,
        {},
        '{"attributes": [{"value": "a"}]}',
        "attributes[0].name is required (Attribute)",
    ),
]


@pytest.fixture(scope="module")
def found(ready):
    """What the models find in each of these answers."""
    command, given = [PROGRAMS / "python", "-c", JUDGE], json.dumps([answer[:5] for answer in ANSWERS])
    done = subprocess.run(command, input=given, cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


@pytest.mark.parametrize("number", range(len(ANSWERS)), ids=[answer[5] or f"right {answer[1]}" for answer in ANSWERS])
def test_what_a_model_does_not_allow_is_found(found, number):
    expected = ANSWERS[number][5]
    assert found[number] == "" if not expected else expected in found[number]


def test_a_wrong_answer_fails_its_call_and_the_whole_run(ready):
    """ministack's settings of an account are of a type that AWS does not have; only this test calls for them."""
    aws = Emulator()
    try:
        with pytest.raises(CallError, match=r"WrongAnswer: ecs ListAccountSettings: settings\[0\].type is 'aws'"):
            aws("ecs", "list_account_settings")
        assert aws.state()["wrong"][0].startswith("ecs ListAccountSettings: ")
    finally:
        with pytest.raises(AssertionError, match="answers that AWS's models do not allow"):
            aws.end()


def test_the_answers_of_every_protocol_are_judged(aws):
    calls = {
        "ecs ListClusters": ("ecs", "list_clusters"),  # JSON
        "cloudwatch DescribeAlarms": ("cloudwatch", "describe_alarms"),  # CBOR
        "sts GetCallerIdentity": ("sts", "get_caller_identity"),  # query
        "ec2 DescribeAvailabilityZones": ("ec2", "describe_availability_zones"),
        "s3 ListBuckets": ("s3", "list_buckets"),  # REST
    }
    before = aws.state()["judged"]
    for service, operation in calls.values():
        aws(service, operation)
    after = aws.state()["judged"]
    assert {name for name in calls if after[name] > before.get(name, 0)} == set(calls)
