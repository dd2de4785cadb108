"""The properties of resources, as CloudFormation's schemas allow them."""

from importlib import import_module

import pytest

from delivery.aws.stacks.update import ECS
from tests.cloudformation import parse, resolve
from tests.conftest import unavailable
from tests.emulator import REGION


@pytest.fixture(scope="module")
def faults():
    """Return the faults of a resource's properties."""
    try:
        schemas = import_module("tests.emulator.schemas")
    except ImportError:
        unavailable("cfn-lint is not installed (make setup FOR=delivery)")
    return lambda kind, properties: list(schemas.faults(REGION, kind, properties))


@pytest.fixture(scope="module")
def service():
    """The resources of the stack that runs the site."""
    return resolve(parse((ECS / "service.yml").read_text()))["Resources"]


def test_the_stack_of_the_service_has_what_the_schemas_allow(faults, service):
    assert {name: found for name, one in service.items() if (found := faults(one["Type"], one["Properties"]))} == {}


def test_an_unknown_property_is_named_with_its_path(faults, service):
    properties = service["Service"]["Properties"]
    breaker = {**properties["DeploymentConfiguration"]["DeploymentCircuitBreaker"], "Rolback": True}
    planted = {**properties, "DeploymentConfiguration": {"DeploymentCircuitBreaker": breaker}}
    (found,) = faults("AWS::ECS::Service", planted)
    assert found.startswith("#/DeploymentConfiguration/DeploymentCircuitBreaker/Rolback: ")


@pytest.mark.parametrize(
    ("kind", "properties", "path", "words"),
    [
        ("AWS::ECS::Service", {"SchedulingStrategy": "SOMETIMES"}, "#/SchedulingStrategy", "not one of"),
        ("AWS::ECS::Service", {"DesiredCount": "two"}, "#/DesiredCount", "not of type"),
        ("AWS::EC2::Subnet", {"CidrBlock": "10.0.0.0/24"}, "#/", "'VpcId' is a required property"),
        ("AWS::Logs::LogGroup", {"LogGroupName": "a group"}, "#/LogGroupName", "does not match"),
        ("AWS::ECS::Servce", {}, "there is no type", REGION),
    ],
    ids=["an enum value", "a type", "a required property", "a pattern", "an unknown type"],
)
def test_what_a_schema_does_not_allow_is_found(faults, kind, properties, path, words):
    assert any(found.startswith(path) and words in found for found in faults(kind, properties))


def test_a_number_may_be_written_as_a_text_and_a_text_as_a_number(faults):
    assert faults("AWS::ECS::Service", {"DesiredCount": "2", "EnableExecuteCommand": "false", "ServiceName": 7}) == []
