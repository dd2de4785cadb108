"""What a person chooses for the stacks' parameters, and the sentences that say what is wrong with it."""

from pathlib import Path

import pytest

from delivery.aws.stacks import parameters
from delivery.aws.stacks.parameters import ParametersError
from delivery.aws.stacks.templates import Parameter

FILE = Path("ecs/parameters.toml")
DECLARED = {
    "network": {
        "Project": Parameter("The one name that all resources bear.", "colophon"),
        "NatGateways": Parameter("One, or one per zone.", "one"),
    },
    "load-balancer": {"Domain": Parameter("The host name that visitors use.", None)},
}
OWN = {"Project": "books"}


def complete(choices):
    return parameters.complete(choices, DECLARED, OWN, FILE)


@pytest.fixture
def written(tmp_path):
    def write(text):
        path = tmp_path / "parameters.toml"
        path.write_text(text)
        return path

    return write


def test_the_file_has_a_table_for_each_stack(written):
    path = written('[network]\nNatGateways = "one-per-zone"\n[database]\nMultiAZ = false\nBackupDays = 7\n')
    assert parameters.read(path) == {
        "network": {"NatGateways": "one-per-zone"},
        "database": {"MultiAZ": "false", "BackupDays": "7"},
    }


def test_a_file_that_is_not_there_chooses_nothing(tmp_path):
    assert parameters.read(tmp_path / "parameters.toml") == {}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[network\n", "is not TOML: "),
        ('Domain = "x"\n', "Domain stands outside of every table; put it under its stack, as [network]."),
        ("[network]\nNatGateways = [1]\n", "[network] NatGateways must be a text, a number, true or false."),
    ],
)
def test_a_file_that_cannot_be_meant_is_refused_with_its_name(written, text, sentence):
    path = written(text)
    with pytest.raises(ParametersError) as refused:
        parameters.read(path)
    assert refused.value.message.startswith(str(path))
    assert sentence in refused.value.message
    assert "\n" not in refused.value.message


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(ParametersError, match="cannot be read"):
        parameters.read(tmp_path)


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


def test_what_is_not_chosen_is_as_the_template_says_and_the_project_s_name_is_nobody_s_choice():
    assert complete({"load-balancer": {"Domain": "books.example.org"}}) == {
        "network": {"Project": "books", "NatGateways": "one"},
        "load-balancer": {"Domain": "books.example.org"},
    }


def test_all_that_is_wrong_is_said_at_once():
    with pytest.raises(ParametersError) as refused:
        complete({"netwrk": {}, "network": {"Nat": "1", "Project": "x"}})
    assert refused.value.message.splitlines() == [
        "ecs/parameters.toml and --set do not fit the stacks.",
        "[netwrk] is no stack: there are network, load-balancer.",
        "[network] has no parameter Nat: it has NatGateways.",
        "[network] Project follows from the project's name; leave it out.",
        "[load-balancer] lacks Domain. The host name that visitors use.",
    ]
