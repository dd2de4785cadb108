"""What holds for every template of ecs/."""

import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from delivery.aws.stacks.update import ECS, STACKS, ZONES
from delivery.environments import PROJECT, PROJECT_LENGTHS
from tests.cloudformation import parse, walk

pytestmark = pytest.mark.slow

RESOURCE = re.compile(r"^  (\w+):$")


# What is wrong, in which template, how it stands there and how it is planted.
WRONG = {
    "a property": ("network.yml", "CidrBlock: !Ref VpcCidr", "CidrBlok: !Ref VpcCidr"),
    "a reference": ("service.yml", "TaskDefinition: !Ref TaskDefinition", "TaskDefinition: !Ref TaskDefiniton"),
    "an action": ("delivery.yml", "ecr:DescribeImageScanFindings", "ecr:DescribeImageScanFinding"),
    "a role's policy": ("delivery.yml", "StringEquals: {iam:", "StringEqual: {iam:"),
    "a bucket's policy": ("delivery.yml", 'Condition: {"Null":', 'Condition: {"Nul":'),
    "a trust policy in JSON": ("delivery.yml", '{"StringEquals": {', '{"StringEqual": {'),
    "a restore's property": ("database.yml", "UseLatestRestorableTime", "UseLatestRestoreTime"),
    "a log's option": ("service.yml", "awslogs-stream-prefix", "awslogs-stream-prefx"),
}


def lint(cfn_lint, *arguments):
    # A region in the environment would have it look at that one alone.
    settings = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return subprocess.run(
        [cfn_lint, "--include-checks", "I", *arguments], env=settings, capture_output=True, text=True, check=False
    )


def uncommented(text):
    """Return the resources of a template above which no comment stands."""
    lines = text.split("\nResources:\n")[1].split("\nOutputs:\n")[0].splitlines()
    above = ["", *lines]
    named = [(before, found[1]) for before, line in zip(above, lines, strict=False) if (found := RESOURCE.match(line))]
    return [name for before, name in named if not before.startswith("  # ")]


def exports(template):
    return {
        output["Export"]["Name"]["Fn::Sub"] for output in template.get("Outputs", {}).values() if "Export" in output
    }


def imports(template):
    calls = [part for _, part in walk(template) if isinstance(part, dict) and "Fn::ImportValue" in part]
    return {call["Fn::ImportValue"]["Fn::Sub"] for call in calls}


def test_there_is_a_template_for_each_stack_and_no_other():
    assert sorted(path.name for path in ECS.glob("*.yml")) == sorted(stack.file for stack in STACKS)


def test_the_linter_finds_nothing(cfn_lint):
    found = lint(cfn_lint, "--", *sorted(ECS.glob("*.yml")))
    assert (found.returncode, found.stdout) == (0, "")


def test_the_linter_finds_what_is_wrong(cfn_lint, tmp_path):
    """All at one go, for each start of the linter costs more than its work."""
    for what, (file, right, wrong) in WRONG.items():
        text = (ECS / file).read_text()
        assert right in text
        (tmp_path / f"{what}.yml").write_text(text.replace(right, wrong))
    found = lint(cfn_lint, "--format", "parseable", "--", *tmp_path.glob("*.yml")).stdout
    assert {Path(line.split(":")[0]).stem for line in found.splitlines()} == {*WRONG}


@pytest.mark.parametrize("file", [stack.file for stack in STACKS])
def test_every_resource_says_what_it_is_for(file):
    assert uncommented((ECS / file).read_text()) == []


def test_a_resource_without_a_reason_is_found():
    text = (ECS / "registry.yml").read_text().replace("\n  ReleasedImage:", "\n\n  ReleasedImage:")
    assert uncommented(text) == ["ReleasedImage"]


def test_every_parameter_is_described_and_used(templates):
    for template in templates.values():
        text = str([template[part] for part in ("Resources", "Outputs", "Conditions", "Rules") if part in template])
        for name, parameter in template["Parameters"].items():
            assert parameter["Description"].endswith(".")
            assert f"'{name}'" in text or f"${{{name}}}" in text


def test_the_name_of_all_is_asked_for_alike_everywhere(templates):
    requested = [template["Parameters"]["Project"] for template in templates.values()]
    assert all(one == requested[0] for one in requested)


def test_the_file_of_names_has_the_templates_rule(templates):
    project = templates["network"]["Parameters"]["Project"]
    assert project["AllowedPattern"] == f"^{PROJECT}$"
    assert (project["MinLength"], project["MaxLength"]) == PROJECT_LENGTHS


@pytest.mark.parametrize("name", ["colophon", "col", "book-site-2", "a" * 20, "defaults", "internals", "sga"])
def test_a_name_that_every_resource_can_bear_is_accepted(name):
    assert re.fullmatch(PROJECT, name)


REFUSED = ["Colophon", "ecs-site", "aws", "fargate1", "2books", "a--b", "a-", "a_b", ""]
REFUSED += ["ssm-x", "internal-x", "sg-x", "default", "sthree", "amzn-s3-demo-x"]


@pytest.mark.parametrize("name", REFUSED)
def test_a_name_that_some_resource_cannot_bear_is_refused(name):
    assert not re.fullmatch(PROJECT, name)


def test_the_longest_name_makes_no_name_too_long(stack):
    limits = {"AWS::S3::Bucket": 63, "AWS::IAM::Role": 64, "AWS::ElasticLoadBalancingV2::LoadBalancer": 32}
    measured = 0
    for name in (one.name for one in STACKS):
        for resource in stack(name, Project="a" * 20)["Resources"].values():
            if limit := limits.get(resource["Type"]):
                properties = resource["Properties"]
                called = next(properties[key] for key in ("BucketName", "RoleName", "Name") if key in properties)
                assert len(called.replace("eu-central-1", "ap-southeast-3")) <= limit
                measured += 1
    assert measured > 9


def test_a_second_region_of_the_account_has_roles_of_its_own(resources):
    named = ("RoleName", "InstanceProfileName")
    names = [
        properties[key]
        for name in (one.name for one in STACKS)
        for properties in resources(name, **({"Trust": "runner"} if name == "delivery" else {})).values()
        for key in named
        if key in properties
    ]
    assert len(names) > 9
    assert [name for name in names if not name.endswith("-eu-central-1")] == []


def test_a_stack_asks_only_for_what_stacks_before_it_export(templates):
    exported, imported = set(), set()
    for template in templates.values():
        assert imports(template) <= exported
        imported |= imports(template)
        exported |= exports(template)
    assert exported == imported


def test_the_network_has_as_many_zones_as_the_menu_looks_for(templates):
    subnets = [part for part in templates["network"]["Resources"].values() if part["Type"] == "AWS::EC2::Subnet"]
    assert len({str(subnet["Properties"]["AvailabilityZone"]) for subnet in subnets}) == ZONES


def test_what_must_not_be_lost_outlives_its_stack(templates):
    kept = []
    for template in templates.values():
        for name, resource in template["Resources"].items():
            if resource["Type"] in ("AWS::S3::Bucket", "AWS::ECR::Repository") or name == "ReleasedImage":
                # Except one whose making failed: what it left behind would be in the way of the next attempt.
                assert resource["DeletionPolicy"] == "RetainExceptOnCreate"
                assert resource["UpdateReplacePolicy"] == "Retain"
                kept.append(name)
    assert sorted(kept) == ["LogBucket", "ReceiptsBucket", "ReleasedImage", "Repository"]


def test_every_bucket_is_closed_to_the_public_and_to_whoever_comes_without_tls(resources):
    for name in ("delivery", "load-balancer"):
        made = resources(name)
        (bucket,) = (one for one in made if one.endswith("Bucket"))
        assert set(made[bucket]["PublicAccessBlockConfiguration"].values()) == {True}
        assert len(made[bucket]["PublicAccessBlockConfiguration"]) == 4
        refused = made[f"{bucket}Policy"]["PolicyDocument"]["Statement"][-1]
        assert refused == {
            "Sid": "NobodyWithoutTls",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": [f"<{bucket}.Arn>", f"<{bucket}.Arn>/*"],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        }


def test_a_key_that_stands_twice_is_refused():
    with pytest.raises(yaml.YAMLError, match="a key stands twice"):
        parse("Resources:\n  A: 1\n  A: 2\n")
