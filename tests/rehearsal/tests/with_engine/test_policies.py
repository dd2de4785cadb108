"""The policies of the roles in ecs/, which moto takes or refuses by IAM's grammar; the emulator takes any."""

import json
import re

import pytest

from delivery.aws.stacks.update import ECS, STACKS
from tests.cloudformation import parse, resolve, walk
from tests.ecs.conftest import GIVEN
from tests.emulator import REGION, CallError
from tests.emulator.interface import Client

KEY = ("a-fake", "a-fake", "")
# What stands for each ARN that only AWS knows.
ARN = "arn:aws:ecs:eu-central-1:123456789012:cluster/colophon"
OPERATIONS = {
    "AssumeRolePolicyDocument": ("update_assume_role_policy", {}),
    "PolicyDocument": ("put_role_policy", {"PolicyName": "a"}),
}


def policies(**given):
    """Yield each policy of a role by the property that holds it, as a text."""
    for stack in STACKS:
        choices = GIVEN.get(stack.name, {}) | (given if stack.name == "delivery" else {})
        resources = resolve(parse((ECS / stack.file).read_text()), **choices)["Resources"]
        for resource in (one for one in resources.values() if one["Type"].startswith("AWS::IAM::")):
            for path, part in walk(resource.get("Properties", {})):
                if path and path[-1] in OPERATIONS:
                    text = part if isinstance(part, str) else json.dumps(part)
                    yield path[-1], re.sub(r'(?<=")<[^>]*>', ARN, text)


@pytest.fixture(scope="module")
def refusal(ready):
    """Return moto's refusal of a policy; empty when it takes it."""
    moto = Client("tests.emulator.tests.with_engine.moto_client", AWS_DEFAULT_REGION=REGION)
    moto("iam", "create_role", KEY, {"RoleName": "site", "AssumeRolePolicyDocument": "{}"})

    def refused(held_by, text):
        operation, more = OPERATIONS[held_by]
        try:
            moto("iam", operation, KEY, {"RoleName": "site", "PolicyDocument": text, **more})
        except CallError as error:
            return str(error)
        return ""

    yield refused
    moto.close()


@pytest.mark.parametrize("trust", ["gitlab", "runner"])
def test_iam_takes_every_policy(refusal, trust):
    found = [*policies(Trust=trust)]
    assert {held_by for held_by, _ in found} == {*OPERATIONS}
    assert [(refused, text) for held_by, text in found if (refused := refusal(held_by, text))] == []


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ('"Allow"', '"Alow"'),
        ('"Action"', '"Actions"'),
        ('"ecs:', '"ecs;'),
        (f'"{ARN}', '"cluster/colophon'),
        ("}]", "]"),
    ],
    ids=["an effect", "a key", "a colon", "a resource that is no ARN", "a bracket"],
)
def test_a_malformed_policy_is_refused(refusal, right, wrong):
    (text, *_) = (text for held_by, text in policies() if held_by == "PolicyDocument" and right in text)
    assert "MalformedPolicyDocument" in refusal("PolicyDocument", text.replace(right, wrong, 1))
