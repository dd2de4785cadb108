"""`stacks --delete`: what it asks, what it takes away, and how it goes on after it was ended."""

import re

import pytest

from delivery.aws.stacks.update import STACKS
from delivery.cli import main
from tests.delivery.aws.stacks.fake_cloudformation import refusal

NAMES = [f"colophon-{stack.name}" for stack in reversed(STACKS)]


@pytest.fixture
def delete(runner, tmp_path):
    def run(*words, **more):
        chosen = words or ["--confirm=colophon"]
        return runner.invoke(main, ["stacks", "--root", str(tmp_path), "--delete", *chosen], **more)

    return run


def test_all_stacks_go_the_last_one_first_and_nothing_keeps_them(made, delete):
    result = delete()
    assert result.exit_code == 0, result.output
    assert re.findall(r"^(\S+): is deleted\.$", result.stdout, re.MULTILINE) == NAMES
    assert made.stacks == {}
    assert made.instances == {}


def test_what_outlives_them_is_said_first(made, delete):
    said = delete().stdout
    assert "a last snapshot of the database" in said
    assert "colophon-receipts-123456789012-eu-central-1" in said
    assert said.index("What remains") < said.index("is deleted.")


def test_the_instances_that_have_not_ended_yet_are_counted(made, delete):
    assert "instances that have not ended yet: 2\n  instances that have not ended yet: 1\n" in delete().stdout


def test_the_project_s_name_must_be_typed(made, delete, monkeypatch):
    monkeypatch.setattr("delivery.commands.stacks.is_interactive", lambda: True)
    for answer in ("y\n", "\n"):
        result = delete("--only=delivery", input=answer)
        assert result.exit_code == 1
        assert "Type colophon to go on" in result.stdout
        assert "That is not colophon. Nothing was deleted." in result.stderr
    assert len(made.stacks) == len(STACKS)
    assert delete("--only=delivery", input="colophon\n").exit_code == 0
    assert "colophon-delivery" not in made.stacks


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--yes"], "This is not a terminal: give the project's name with --confirm."),
        (["--confirm=books"], "That is not colophon. Nothing was deleted."),
        (["--confirm=colophon", "--diff"], "--delete takes neither --diff nor --set."),
        (["--confirm=colophon", "--set=network.X=1"], "--delete takes neither --diff nor --set."),
    ],
)
def test_without_the_project_s_name_nothing_is_deleted(made, delete, words, said):
    result = delete(*words)
    assert result.exit_code != 0
    assert said in result.stderr
    assert not made.called("delete-stack")


def test_a_second_run_finds_nothing_to_do(made, delete):
    delete()
    made.calls.clear()
    result = delete()
    assert result.exit_code == 0
    assert re.findall(r"^(\S+): is not there\.$", result.stdout, re.MULTILINE) == NAMES
    assert not made.called("delete-stack")


def test_a_stack_that_cannot_be_deleted_says_which_resource_and_why_and_can_be_tried_again(made, delete):
    made.on = {"modify-db-instance": lambda _: None}
    result = delete()
    assert result.exit_code == 1
    assert (
        "colophon-database could not be deleted (DELETE_FAILED): Thing: DELETE_FAILED (colophon-database is guarded)"
        in (result.stderr)
    )
    assert "colophon-service" not in made.stacks
    made.on.clear()
    assert delete().exit_code == 0
    assert made.stacks == {}


def test_an_interrupted_removal_goes_on_where_it_was(made, delete):
    def interrupt(options):
        if options["stack-name"] == "arn:colophon-database":
            made.on.clear()
            raise KeyboardInterrupt
        return made.describe_stacks(options)

    made.on = {"describe-stacks": interrupt}
    result = delete()
    assert "CloudFormation continues with colophon-database on its own." in result.stdout
    assert delete().exit_code == 0
    assert made.stacks == {}


def test_a_stack_that_is_being_deleted_already_is_followed(made, delete):
    name = "colophon-delivery"
    made.stacks[name]["StackStatus"] = "DELETE_IN_PROGRESS"
    made.deleted[f"arn:{name}"] = {"StackStatus": "DELETE_COMPLETE"}
    result = delete("--confirm=colophon", "--only=delivery")
    assert result.exit_code == 0
    assert f"{name}: is being deleted already.\n" in result.stdout
    assert not made.called("delete-stack")


def test_what_failed_of_it_before_it_was_followed_is_its_cause(made, delete):
    name = "colophon-delivery"
    made.stacks[name]["StackStatus"] = "DELETE_IN_PROGRESS"
    made.deleted[f"arn:{name}"] = {"StackStatus": "DELETE_FAILED"}
    failed = {"ResourceStatus": "DELETE_FAILED", "ResourceStatusReason": "It is in use."}
    made.events.insert(0, {"EventId": "d", "LogicalResourceId": "Role", **failed})
    result = delete("--confirm=colophon", "--only=delivery")
    assert f"{name} could not be deleted (DELETE_FAILED): Role: DELETE_FAILED (It is in use.)" in result.stderr
    assert "CREATE_COMPLETE" not in result.stdout


@pytest.mark.parametrize(
    "status", ["ROLLBACK_COMPLETE", "DELETE_FAILED", "UPDATE_ROLLBACK_FAILED", "REVIEW_IN_PROGRESS"]
)
def test_a_stack_that_could_not_be_made_or_changed_can_be_deleted(made, delete, status):
    made.stacks["colophon-delivery"]["StackStatus"] = status
    assert delete("--confirm=colophon", "--only=delivery").exit_code == 0
    assert "colophon-delivery" not in made.stacks


def test_a_stack_that_is_being_changed_is_left_alone(made, delete):
    made.stacks["colophon-delivery"]["StackStatus"] = "UPDATE_IN_PROGRESS"
    result = delete()
    assert "colophon-delivery is being changed (UPDATE_IN_PROGRESS). Try again" in result.stderr
    assert not made.called("delete-stack")


@pytest.mark.parametrize(
    ("call", "code"),
    [
        ("describe-db-instances", "DBInstanceNotFound"),
        ("modify-load-balancer-attributes", "LoadBalancerNotFound"),
        ("list-tasks", "ClusterNotFoundException"),
    ],
)
def test_what_an_earlier_removal_took_away_is_not_missed(made, delete, call, code):
    def gone(_):
        raise refusal(code)

    made.guarded.clear()
    made.tasks.clear()
    made.on = {call: gone}
    assert delete().exit_code == 0
    assert made.stacks == {}


def test_any_other_trouble_with_it_is_told(made, delete):
    def deny(_):
        raise refusal("AccessDenied")

    made.on = {"list-tasks": deny}
    result = delete()
    assert result.exit_code == 1
    assert "AccessDenied" in result.stderr
    assert "colophon-cluster" in made.stacks


def test_nothing_is_deleted_while_a_deployment_runs(made, delete):
    made.hold_lock("Ada")
    result = delete()
    assert result.exit_code == 3
    assert "Ada has held the lock since" in result.stderr
    assert not made.called("delete-stack")
