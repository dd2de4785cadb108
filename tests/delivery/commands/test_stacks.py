"""`stacks`: what it shows, asks, makes and refuses."""

import json
import re

import pytest

from delivery.aws.stacks.change_sets import line
from delivery.aws.stacks.update import STACKS
from delivery.cli import main
from tests.delivery.aws.stacks.fake_cloudformation import THING, change_set, failure, refusal


def denial(resource, *actions):
    """Return the statement of a stack's policy that guards a resource."""
    return {"Effect": "Deny", "Principal": "*", "Action": [*actions], "Resource": f"LogicalResourceId/{resource}"}


def changed(path, before, after):
    """Return the change of a property with its values, as CloudFormation gives them."""
    target = {"Attribute": "Properties", "Path": f"/{path}", "BeforeValue": before, "AfterValue": after}
    return {"Target": {key: value for key, value in target.items() if value}}


SIZE, NAME, NO_NAME = ({"Target": target} for target in ({"Name": "Size"}, {"Name": "Name"}, {}))
NAMES = [f"colophon-{stack.name}" for stack in STACKS]


def test_stacks_are_made_in_order_and_left_alone_the_second_time(cloud, stacks):
    first = stacks("--yes")
    assert first.exit_code == 0
    assert first.stdout.startswith("Account 123456789012, region eu-central-1, project colophon.\n")
    assert re.findall(r"^(\S+): created\.$", first.stdout, re.MULTILINE) == NAMES
    again = stacks("--yes")
    assert again.exit_code == 0
    assert again.stdout.splitlines()[1:] == [f"{name}: no changes." for name in NAMES]
    assert len(cloud.called("execute-change-set")) == len(STACKS)
    assert cloud.change_sets == {}


def test_every_stack_gets_the_project_s_name(cloud, stacks, tmp_path):
    (tmp_path / "delivery.toml").write_text('[production]\nproject = "books"\n')
    stacks("--yes")
    assert set(cloud.stacks) == {f"books-{stack.name}" for stack in STACKS}
    given = {one["ParameterKey"]: one["ParameterValue"] for one in cloud.stacks["books-service"]["Parameters"]}
    assert (given["Project"], given["ReleasedImage"]) == ("books", "/books/released-image")


def test_the_stacks_of_another_account_are_not_looked_at(cloud, stacks, tmp_path):
    (tmp_path / "delivery.toml").write_text('[production]\naccount = "999999999999"\n')
    result = stacks("--yes")
    assert result.exit_code == 3
    assert "The credentials are of the account 123456789012, and production is in 999999999999." in result.stderr
    assert [action for action, _ in cloud.calls] == ["get-caller-identity"]


def test_a_difference_alone_makes_nothing(made, stacks):
    result = stacks("--diff", "--set", "network.NatGateways=one-per-zone")
    assert result.exit_code == 0
    assert "colophon-network: would change.\n  ~ Thing (AWS::A::Thing)\ncolophon-registry: no changes." in result.stdout
    assert not made.called("execute-change-set")
    assert made.change_sets == {}


def test_the_difference_of_a_stack_that_is_not_there_is_that_it_is_not_there(cloud, stacks):
    result = stacks("--diff", "--only", "network")
    assert result.stdout.endswith("colophon-network: does not exist; it would be created.\n")
    assert not cloud.called("create-change-set")


def test_a_no_leaves_no_trace(cloud, stacks, monkeypatch):
    monkeypatch.setattr("delivery.commands.stacks.is_interactive", lambda: True)
    result = stacks(input="n\n")
    assert result.exit_code == 1
    assert "Create colophon-network?" in result.stdout
    assert "left as it is" in result.stderr
    assert (cloud.stacks, cloud.change_sets) == ({}, {})


def test_without_a_terminal_to_confirm_at_nothing_is_begun(cloud, stacks):
    result = stacks()
    assert result.exit_code == 1
    assert result.stderr == "Error: This is not a terminal: use --yes to make the changes, or --diff to see them.\n"
    assert cloud.calls == []


def test_a_parameter_that_is_lacking_is_named_before_anything_is_called(runner, cloud, tmp_path):
    result = runner.invoke(main, ["stacks", "--yes", "--root", str(tmp_path)])
    assert result.exit_code == 1
    assert "[load-balancer] lacks Domain. The host name that visitors use, such as books.example.org." in result.stderr
    assert cloud.calls == []


def test_a_region_with_two_zones_is_refused(cloud, stacks):
    cloud.zones = 2
    result = stacks("--yes")
    assert result.exit_code == 1
    assert result.stderr == "Error: This region has 2 zones, and the network needs 3: choose another.\n"


def test_a_template_that_is_not_there_is_named(runner, cloud, tmp_path):
    result = runner.invoke(main, ["stacks", "--yes", "--templates", str(tmp_path)])
    assert result.exit_code == 1
    assert re.search(r"network\.yml cannot be read: .*No such file", result.stderr)


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        ("UPDATE_IN_PROGRESS", "is being changed (UPDATE_IN_PROGRESS)"),
        ("ROLLBACK_COMPLETE", "aws cloudformation delete-stack --stack-name colophon-network"),
        ("UPDATE_ROLLBACK_FAILED", "aws cloudformation continue-update-rollback --stack-name colophon-network"),
    ],
)
def test_a_stack_that_cannot_be_changed_now_says_what_to_do(made, stacks, status, sentence):
    made.stacks["colophon-network"]["StackStatus"] = status
    result = stacks("--yes")
    assert result.exit_code == 1
    assert sentence in result.stderr
    assert not made.called("create-change-set")


def test_a_stack_that_was_only_reviewed_before_is_made(cloud, stacks):
    cloud.stacks["colophon-network"] = {"StackStatus": "REVIEW_IN_PROGRESS"}
    assert stacks("--yes", "--only", "network").exit_code == 0
    assert cloud.called("create-change-set")[0]["change-set-type"] == "CREATE"


def test_cloudformation_is_given_the_time_that_it_takes(made, stacks):
    """A change is worked out, then made; both are polled until they are done, and shown once."""
    worked_out, status = made.describe_change_set, made.describe_stacks
    answers = {"describe-change-set": iter([{"Status": "CREATE_IN_PROGRESS"}]), "describe-stacks": iter(())}

    def slowly(action, then):
        return lambda options: next(answers[action], None) or then(options)

    def execute(options):
        made.execute_change_set(options)
        answers["describe-stacks"] = iter([{"Stacks": [{"StackStatus": "UPDATE_IN_PROGRESS"}]}] * 2)

    made.on = {
        "describe-change-set": slowly("describe-change-set", worked_out),
        "describe-stacks": slowly("describe-stacks", status),
        "execute-change-set": execute,
    }
    result = stacks("--yes", "--only", "network", "--set", "network.NatGateways=one-per-zone")
    assert result.exit_code == 0
    assert len(made.called("describe-change-set")) == 2
    assert len(made.called("describe-stacks")) == 1 + 3
    assert result.stdout.count("Thing: UPDATE_COMPLETE") == 1


def test_a_change_that_cloudformation_does_not_show_yet_is_waited_for(made, stacks):
    hidden = iter([made.events.copy()] * 3)

    def execute(options):
        made.execute_change_set(options)
        made.on["describe-stack-events"] = lambda _: {"StackEvents": next(hidden, made.events)}

    made.on = {"execute-change-set": execute}
    result = stacks("--yes", "--only", "network", "--set", "network.NatGateways=one-per-zone")
    assert result.exit_code == 0
    assert "Thing: UPDATE_COMPLETE" in result.stdout


def test_a_change_that_cloudformation_undid_is_a_failure_with_its_first_cause(made, stacks):
    name = "colophon-network"

    def fail(options):
        made.execute_change_set(options)
        made.stacks[name]["StackStatus"] = "UPDATE_ROLLBACK_COMPLETE"

        failed = {"ResourceStatus": "UPDATE_FAILED"}
        made.events[:] = [
            {"EventId": "d", "LogicalResourceId": name, "ResourceStatus": "UPDATE_ROLLBACK_COMPLETE"},
            {"EventId": "c", "LogicalResourceId": "B", "ResourceStatusReason": "Resource update cancelled", **failed},
            {"EventId": "b", "LogicalResourceId": "A", "ResourceStatusReason": "No such thing.", **failed},
            {"EventId": "a", "LogicalResourceId": "A", "ResourceStatus": "UPDATE_IN_PROGRESS"},
        ]

    made.on = {"execute-change-set": fail}
    result = stacks("--yes", "--set", "network.NatGateways=one-per-zone")
    assert result.exit_code == 1
    assert result.stderr == (
        "Error: colophon-network could not be changed (UPDATE_ROLLBACK_COMPLETE): A: UPDATE_FAILED (No such thing.)\n"
    )
    assert "colophon-registry" not in result.stdout


def test_a_change_that_cloudformation_refuses_is_forgotten(made, stacks):
    made.on = {"describe-change-set": lambda _: {"Status": "FAILED", "StatusReason": "No export named x."}}
    result = stacks("--yes")
    assert result.stderr == "Error: CloudFormation rejected the change to colophon-network: No export named x.\n"
    assert made.change_sets == {}
    assert "colophon-network" in made.stacks


def test_parameters_that_aws_refuses_are_told_in_its_words_alone(made, stacks):
    said = "An error occurred (ValidationError) when calling the CreateChangeSet operation: Domain must be a host name"

    def refuse(_):
        raise failure(254, f"\n{said}\n\nAdditional error details:\nNone\n")

    made.on = {"create-change-set": refuse}
    result = stacks("--yes")
    assert (
        result.stderr == "Error: CloudFormation rejected the change to colophon-network: Domain must be a host name\n"
    )


@pytest.mark.parametrize(
    ("stack", "change", "harm"),
    [
        ("registry", {"LogicalResourceId": "ReleasedImage", "Action": "Modify"}, "whatever is released"),
        ("database", {"LogicalResourceId": "Database", "Action": "Modify", "Replacement": "True"}, "and empty"),
        ("database", {"LogicalResourceId": "Database", "Action": "Remove"}, "and empty"),
    ],
)
def test_what_must_not_be_destroyed_is_not(made, stacks, stack, change, harm):
    resource = {"ResourceType": "AWS::A::Thing", **change}
    made.on = {"describe-change-set": lambda _: change_set(resource)}
    result = stacks("--yes", "--only", stack)
    assert result.exit_code == 1
    assert f"must not change {change['LogicalResourceId']}" in result.stderr
    assert harm in result.stderr
    assert not made.called("execute-change-set")


@pytest.mark.parametrize("replacement", ["False", "Conditional"])
def test_a_database_may_change_in_place(made, stacks, replacement):
    change = {"Action": "Modify", "LogicalResourceId": "Database", "ResourceType": "D", "Replacement": replacement}
    made.on = {"describe-change-set": lambda _: change_set(change)}
    assert stacks("--yes", "--only", "database").exit_code == 0
    assert made.called("execute-change-set")


def test_cloudformation_guards_them_too(made):
    assert {name: json.loads(policy)["Statement"][1:] for name, policy in made.policies.items()} == {
        "colophon-registry": [denial("ReleasedImage", "Update:*")],
        "colophon-database": [denial("Database", "Update:Replace", "Update:Delete")],
    }
    protected = [name for name, stack in made.stacks.items() if stack.get("EnableTerminationProtection")]
    assert protected == ["colophon-database"]


def test_a_guard_that_is_missing_is_set_even_when_nothing_else_changes(made, stacks):
    made.policies.clear()
    made.stacks["colophon-database"]["EnableTerminationProtection"] = False
    stacks("--yes")
    assert set(made.policies) == {"colophon-registry", "colophon-database"}
    assert made.stacks["colophon-database"]["EnableTerminationProtection"]
    made.calls.clear()
    stacks("--yes")
    assert not made.called("set-stack-policy")
    assert not made.called("update-termination-protection")


def test_an_interrupted_look_is_forgotten(cloud, stacks):
    def interrupt(_):
        raise KeyboardInterrupt

    cloud.on = {"describe-change-set": interrupt}
    result = stacks("--yes")
    assert result.exit_code == 1
    assert "Aborted!" in result.stderr
    assert (cloud.stacks, cloud.change_sets) == ({}, {})


def test_an_interrupted_change_goes_on_without_us(made, stacks):
    def execute(options):
        made.execute_change_set(options)
        made.on = {"describe-stacks": interrupt}

    def interrupt(_):
        raise KeyboardInterrupt

    made.on = {"execute-change-set": execute}
    result = stacks("--yes", "--set", "network.NatGateways=one-per-zone")
    assert result.exit_code == 1
    assert "CloudFormation continues with colophon-network on its own." in result.stdout
    assert not made.called("delete-change-set")
    assert not made.called("delete-stack")


def test_a_change_that_could_not_be_begun_is_forgotten(made, stacks):
    def refuse(_):
        raise refusal("AccessDenied")

    made.on = {"execute-change-set": refuse}
    result = stacks("--yes", "--set", "network.NatGateways=one-per-zone")
    assert result.exit_code == 1
    assert "AccessDenied" in result.stderr
    assert made.change_sets == {}


@pytest.mark.parametrize(
    "said",
    [
        "An error occurred (InvalidChangeSetStatus) when calling the ExecuteChangeSet operation: It is being executed",
        'Read timeout on endpoint URL: "https://cloudformation.eu-central-1.amazonaws.com/"',
    ],
)
def test_a_change_whose_answer_was_lost_is_followed_and_its_new_stack_is_kept(cloud, stacks, said):
    """The CLI makes the call again, and CloudFormation refuses the second one."""

    def lose(options):
        cloud.execute_change_set(options)
        raise failure(254, said)

    cloud.on = {"execute-change-set": lose}
    result = stacks("--yes")
    assert result.exit_code == 0, result.output
    assert list(cloud.stacks) == NAMES
    assert not cloud.called("delete-stack")


def test_a_change_that_did_not_arrive_is_forgotten(cloud, stacks):
    def lose(_):
        raise failure(255, 'Could not connect to the endpoint URL: "https://cloudformation.amazonaws.com/"')

    cloud.on = {"execute-change-set": lose}
    assert stacks("--yes").exit_code == 1
    assert (cloud.stacks, cloud.change_sets) == ({}, {})


def test_a_change_that_was_sent_twice_as_its_answer_was_lost_is_made(cloud, stacks):
    def twice(options):
        cloud.create_change_set(options)
        raise refusal("AlreadyExistsException")

    cloud.on = {"create-change-set": twice}
    assert stacks("--yes").exit_code == 0
    assert list(cloud.stacks) == NAMES


def test_any_other_trouble_than_that_it_is_not_there_is_not_taken_for_that(cloud, stacks):
    def deny(_):
        raise refusal("AccessDenied")

    cloud.on = {"describe-stacks": deny}
    result = stacks("--yes")
    assert "AccessDenied" in result.stderr
    assert not cloud.called("create-change-set")


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"Action": "Add"}, "+ Thing (AWS::A::Thing)"),
        ({"Action": "Remove"}, "- Thing (AWS::A::Thing)"),
        (
            {"Action": "Modify", "Replacement": "True", "Details": [SIZE, NAME, SIZE, NO_NAME]},
            "~ Thing (AWS::A::Thing): Name, Size; is replaced",
        ),
        ({"Action": "Modify", "Replacement": "Conditional"}, "~ Thing (AWS::A::Thing); may be replaced"),
        ({"Action": "SyncWithActual"}, "= Thing (AWS::A::Thing)"),
        (
            {
                "Action": "Modify",
                "Details": [changed("Properties/Cpu", "256", "512"), changed("Properties/User", "", "1")],
            },
            "~ Thing (AWS::A::Thing): Cpu 256 → 512, User none → 1",
        ),
        (
            {"Action": "Modify", "Details": [changed("Properties/X/MasterUserPassword", "a", "b")]},
            "~ Thing (AWS::A::Thing): X/MasterUserPassword",
        ),
        (
            {"Action": "Modify", "Details": [changed("Properties/Long", "a", "b" * 99)]},
            f"~ Thing (AWS::A::Thing): Long a → {'b' * 60}…",
        ),
    ],
)
def test_a_change_is_shown_in_a_line(change, text):
    assert line(THING | change) == text
