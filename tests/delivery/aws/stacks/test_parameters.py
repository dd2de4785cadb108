"""The values of the stacks' parameters, and the sentences that say what is wrong with them."""

import re

import pytest

from delivery.aws.stacks import parameters, templates
from delivery.aws.stacks.parameters import ParametersError
from delivery.aws.stacks.templates import Parameter
from delivery.aws.stacks.update import ECS, STACKS

DECLARED = {
    "network": {
        "Project": Parameter("The one name that all resources bear.", "colophon"),
        "NatGateways": Parameter("One, or one per zone.", "one"),
    },
    "load-balancer": {"Domain": Parameter("The host name that visitors use.", None)},
}
OWN = {"Project": "books"}


def complete(choices):
    return parameters.complete(choices, DECLARED, OWN)


def test_the_command_line_goes_before_the_file():
    chosen = {"network": {"NatGateways": "one", "VpcCidr": "10.0.0.0/16"}}
    assert parameters.add(chosen, ["network.NatGateways=one-per-zone", "load-balancer.Domain=a=b.example.org"]) == {
        "network": {"NatGateways": "one-per-zone", "VpcCidr": "10.0.0.0/16"},
        "load-balancer": {"Domain": "a=b.example.org"},
    }
    assert chosen["network"]["NatGateways"] == "one"


@pytest.mark.parametrize("given", ["Domain=x", "load-balancer.Domain", ".Domain=x", "network.=x", ""])
def test_half_a_choice_on_the_command_line_is_refused(given):
    with pytest.raises(ParametersError, match="write STACK"):
        parameters.add({}, [given])


def test_what_is_not_chosen_is_as_the_template_says_and_the_project_s_name_is_no_choice():
    assert complete({"load-balancer": {"Domain": "books.example.org"}}) == {
        "network": {"Project": "books", "NatGateways": "one"},
        "load-balancer": {"Domain": "books.example.org"},
    }


def test_an_address_with_a_port_is_refused_before_any_stack_is_made():
    declared = {"delivery": templates.parameters(ECS / "delivery.yml")}
    chosen = {"delivery": {"GitLabUrl": "https://gitlab.example.org:8443", "GitLabProject": "colophon"}}
    with pytest.raises(ParametersError) as refused:
        parameters.complete(chosen, declared, {})
    assert refused.value.message.splitlines()[1:] == [
        "[delivery] GitLabUrl is 'https://gitlab.example.org:8443', and must be an address that begins with https://, "
        "does not end with a slash, and has no port, which IAM takes in no provider (with a port, use Trust=runner).",
        r"[delivery] GitLabProject is 'colophon', and must be what ^([\w.-]+(/[\w.-]+)+)?$ matches.",
    ]


@pytest.mark.parametrize("stack", STACKS, ids=lambda stack: stack.name)
def test_every_default_is_a_value_that_its_own_pattern_takes(stack):
    for parameter in templates.parameters(ECS / stack.file).values():
        assert parameter.default is None or re.fullmatch(parameter.pattern, parameter.default)


def test_all_that_is_wrong_is_said_at_once():
    with pytest.raises(ParametersError) as refused:
        complete({"netwrk": {}, "network": {"Nat": "1", "Project": "x"}})
    assert refused.value.message.splitlines() == [
        "The stacks of delivery.toml and --set do not match the templates.",
        "[netwrk] is no stack; the stacks are network, load-balancer.",
        "[network] has no parameter Nat: it has NatGateways.",
        "[network] Project follows from other keys of delivery.toml; leave it out.",
        "[load-balancer] lacks Domain. The host name that visitors use.",
    ]
