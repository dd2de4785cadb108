"""`deploy`, from its lock to its receipt."""

import copy
import itertools
import json
from pathlib import Path

import jsonschema_rs
import pytest

import delivery
from delivery.deployment.outcomes import Outcome
from tests.delivery.aws.fake_cli import Broken, Fault
from tests.delivery.aws.fake_service import BAKING
from tests.delivery.aws.resources import NAME, REGISTRY, SITE_USER, target
from tests.waiting import until

SCHEMA_FILE = Path(delivery.__file__).parent / "deployment/receipt.schema.json"
SCHEMA = jsonschema_rs.validator_for(json.loads(SCHEMA_FILE.read_text()))


def stopped(code, reason, exit_code):
    """Return the end of a task."""
    return {"stopCode": code, "stoppedReason": reason, "containers": [{"name": "site", "exitCode": exit_code}]}


EXITED = stopped("EssentialContainerExited", "Essential container in task exited", 1)


def receipt(aws):
    """Return the one receipt, which is as the schema says."""
    assert len(aws.receipts) == 1
    SCHEMA.validate(aws.receipts[0])
    return aws.receipts[0]


def is_whole(aws, commit):
    """Tell whether the service runs a commit, is to run nothing else, and the lock is free."""
    wanted = aws.image_of(aws.running_definition).partition("@")[2]
    return (
        commit in aws.images[wanted]["tags"]
        and aws.running_definition == aws.service_definition
        and aws.lock["holder"] is None
    )


def test_a_good_release_is_live_and_proven(deploy, aws, commits):
    # The second visitor comes when the first one has been counted.
    aws.at("ecs", "update-service", lambda: until(lambda: aws.visits > 1))
    result = deploy()
    assert result.exit_code == 0
    assert "Live: " in result.output
    assert is_whole(aws, commits.new)
    written = receipt(aws)
    assert written["outcome"] == "live"
    assert written["proven"]
    assert written["proof"] == {"url": f"{aws.url}/release.json", "answers": 5, "tasks": 2}
    assert written["previous"]["commit"] == commits.old
    assert written["migration"]["exit_code"] == 0
    assert written["availability"]["requests"] > 0
    assert written["availability"]["failed"] == 0
    assert aws.released == written["image"] == f"{REGISTRY}/{NAME}@{written['digest']}"


def test_the_service_is_changed_by_one_call_after_everything_was_checked_and_migrated(deploy, aws, commits):
    deploy()
    changing = ("update-", "put-", "register-", "run-", "stop-")
    calls = [call for call in aws.operations if call.split()[1].startswith(changing)]
    assert calls == [
        "s3api put-object",  # the lock
        "ecr put-image",  # a tag that keeps the image
        "ecs register-task-definition",
        "ecs register-task-definition",  # which prepares the database
        "ecs run-task",
        "s3api put-object",  # the lock, once more
        "ecs update-service",
        "ssm put-parameter",
        "s3api put-object",  # the receipt
        "s3api put-object",  # the lock, handed back
    ]
    before = aws.operations[: aws.operations.index("ecr put-image")]
    assert {"ecs describe-clusters", "iam get-role", "secretsmanager describe-secret"} <= set(before)


@pytest.mark.parametrize("definition", [lambda aws: aws.definitions[aws.service_definition], lambda aws: aws.preparing])
def test_nothing_but_the_image_is_changed(deploy, aws, commits, definition):
    old = copy.deepcopy(definition(aws))
    deploy()
    new = definition(aws)
    for before, after in zip(old["containerDefinitions"], new["containerDefinitions"], strict=True):
        assert before.pop("image") != after.pop("image")
    added = {"taskDefinitionArn", "revision", "registeredAt", "registeredBy", "compatibilities", "requiresAttributes"}
    old, new = ({key: each[key] for key in each.keys() - added} for each in (old, new))
    assert new == old


def test_the_migration_runs_with_the_very_image_that_is_rolled_out(deploy, aws, commits, root):
    result = deploy()
    assert "| a line of the log" in result.output
    request = json.loads((root / "build/run-task.json").read_text())
    assert request["taskDefinition"] == aws.preparing["taskDefinitionArn"]
    assert aws.image_of(request["taskDefinition"]) == aws.image_of(aws.service_definition)
    assert "overrides" not in request
    shown = result.output.split("== Revision")[1].split("== Migrations")[0]
    assert [line for line in shown.splitlines() if line.endswith(":")] == ["  colophon:2:", "  colophon-prepare:1:"]
    assert shown.count(f'+      "image": "{aws.image_of(aws.service_definition)}"') == 3  # two containers that serve
    assert request["networkConfiguration"]["awsvpcConfiguration"]["subnets"] == ["subnet-1"]


def test_the_image_gets_a_tag_that_keeps_it_for_ever(deploy, aws, commits):
    deploy()
    assert f"released-{commits.new}" in aws.images[receipt(aws)["digest"]]["tags"]


def test_a_first_release_starts_as_many_tasks_as_the_service_says(deploy, aws, first):
    result = deploy()
    assert result.exit_code == 0
    assert aws.desired == 3
    written = receipt(aws)
    assert written["previous"] is None
    assert written["availability"] is None


def test_a_first_release_starts_the_desired_count_of_tasks(deploy, aws, first):
    assert deploy("--desired-count", "1").exit_code == 0
    assert aws.desired == 1


def test_a_first_release_that_fails_leaves_nothing_running(deploy, aws, first):
    """ECS would go back to an image that never was."""
    aws.scripts = [["IN_PROGRESS", "ROLLBACK_IN_PROGRESS"], ["SUCCESSFUL"]]
    aws.stopped = [EXITED]
    result = deploy()
    assert result.exit_code == Outcome.ROLLED_BACK.code
    assert aws.desired == 0
    assert aws.released == "none"
    assert receipt(aws)["diagnosis"]["kind"] == "exits"


def test_the_same_release_again_changes_nothing(deploy, aws, commits):
    deploy()
    calls = len(aws.operations)
    result = deploy()
    assert result.exit_code == 0
    assert "Nothing to do" in result.output
    assert "ecs update-service" not in aws.operations[calls:]
    assert len(aws.receipts) == 1
    assert aws.lock["holder"] is None


def test_force_deploys_the_same_release_again(deploy, aws, commits):
    deploy()
    assert deploy("--force").exit_code == 0
    assert aws.operations.count("ecs update-service") == 2


def test_a_release_that_runs_but_was_never_recorded_is_proven_and_recorded(deploy, aws, commits):
    """As when a job was killed between the end of the rollout and its receipt."""
    deploy()
    aws.parameters[f"/{NAME}/released-image"] = "none"
    for key in [key for key in aws.objects if key.startswith("receipts/")]:
        del aws.objects[key]
    assert deploy().exit_code == 0
    assert aws.operations.count("ecs update-service") == 1
    assert aws.released == receipt(aws)["image"]


def test_what_runs_but_does_not_prove_it_is_deployed_again(deploy, aws, commits, monkeypatch):
    deploy()
    monkeypatch.setenv("DELIVERY_PROOF_TIMEOUT", "0.2")
    aws.site_says = {"commit": commits.old}
    aws.at("ecs", "update-service", lambda: setattr(aws, "site_says", None))
    monkeypatch.setenv("DELIVERY_PROOF_ANSWERS", "1")
    assert deploy().exit_code == 0
    assert aws.operations.count("ecs update-service") == 2


def test_a_broken_release_is_rolled_back_and_diagnosed(deploy, aws, commits):
    aws.scripts = [["IN_PROGRESS", "ROLLBACK_IN_PROGRESS", "ROLLBACK_SUCCESSFUL"]]
    aws.stopped, aws.logs["site/site"] = [EXITED, EXITED], ["ModuleNotFoundError: No module named 'flask'"]
    result = deploy()
    assert result.exit_code == Outcome.ROLLED_BACK.code
    assert "The new tasks exit on their own: their container site ended with code 1." in result.output
    assert "  | site: ModuleNotFoundError: No module named 'flask'" in result.output
    assert is_whole(aws, commits.old)
    assert receipt(aws)["diagnosis"]["kind"] == "exits"
    assert commits.old in aws.images[aws.released.partition("@")[2]]["tags"]


def test_a_reason_that_a_target_had_only_for_a_while_is_remembered(deploy, aws, commits):
    aws.scripts = [["IN_PROGRESS", "IN_PROGRESS", "ROLLBACK_SUCCESSFUL"]]
    bad = target(
        "10.0.1.12", "unhealthy", "Target.ResponseCodeMismatch", "Health checks failed with these codes: [503]"
    )
    good = aws.targets
    aws.targets = [*good, bad]
    aws.at("ecs", "describe-service-deployments", lambda: None, lambda: setattr(aws, "targets", good))
    aws.stopped = [stopped("ServiceSchedulerInitiated", "Task failed ELB health checks in (target-group x)", 0)]
    result = deploy()
    assert result.exit_code == Outcome.ROLLED_BACK.code
    assert "/readyz, with 503 instead of 200" in result.output


def test_a_rollout_that_takes_too_long_is_undone(deploy, aws, commits, monkeypatch):
    monkeypatch.setenv("DELIVERY_START_TIMEOUT", "0")
    aws.scripts, aws.after_stop = [["IN_PROGRESS"]], ["ROLLBACK_SUCCESSFUL"]
    aws.events = [
        {
            "id": "1",
            "createdAt": 1e10,
            "message": "(service colophon) was unable to place a task because no container "
            "instance met all of its requirements. The closest matching (container-instance 1) has insufficient memory "
            "available.",
        }
    ]
    result = deploy()
    assert result.exit_code == Outcome.TIMED_OUT.code
    late = "It was starting for 0 s (DELIVERY_START_TIMEOUT)."
    assert f"{late} There is no room in the cluster for one more task." in result.output
    assert is_whole(aws, commits.old)


def test_a_release_that_bakes_is_proven_meanwhile_and_then_watched(deploy, aws, commits):
    aws.scripts = [["IN_PROGRESS", BAKING, BAKING, "SUCCESSFUL"]]
    result = deploy()
    assert result.exit_code == 0
    assert is_whole(aws, commits.new)
    assert receipt(aws)["bake"] == {"ended": True}


def test_a_release_that_bakes_for_long_is_live_and_status_tells_if_it_is_undone_later(
    deploy, deliver, aws, commits, monkeypatch
):
    monkeypatch.setenv("DELIVERY_BAKE_TIMEOUT", "0")
    aws.scripts = [["IN_PROGRESS", BAKING]]
    result = deploy()
    assert result.exit_code == 0
    assert "It still bakes" in result.output
    assert "ecs stop-service-deployment" not in aws.operations
    assert receipt(aws)["bake"] == {"ended": False}
    assert "IN_PROGRESS (baking) since" in deliver("status").output
    refused = deploy("--force")
    assert refused.exit_code == Outcome.REFUSED.code
    assert "Another deployment is under way, IN_PROGRESS (baking)" in refused.output
    undone = {"statusReason": "Service deployment rolled back because of a CloudWatch alarm."}
    aws.deployments[0].update(_script=["ROLLBACK_SUCCESSFUL"], **undone)
    aws._proceed(aws.deployments[0])
    said = deliver("status").output
    assert "ROLLBACK_SUCCESSFUL since" in said
    assert "because of a CloudWatch alarm" in said
    assert "released      a different image" in said
    assert deliver("rollback", "--yes").exit_code == Outcome.REFUSED.code


def test_an_alarm_during_the_bake_rolls_back(deploy, aws, commits):
    aws.scripts = [["IN_PROGRESS", BAKING, BAKING, "ROLLBACK_IN_PROGRESS", "ROLLBACK_SUCCESSFUL"]]
    result = deploy()
    assert result.exit_code == Outcome.ROLLED_BACK.code
    assert is_whole(aws, commits.old)
    assert not receipt(aws)["proven"]


def test_a_rollout_that_ends_well_while_it_is_being_undone_is_live(deploy, aws, commits, monkeypatch):
    monkeypatch.setenv("DELIVERY_START_TIMEOUT", "0")
    aws.scripts = [["IN_PROGRESS"]]
    aws.at(
        "ecs", "stop-service-deployment", lambda: aws.deployments[0].update(status="SUCCESSFUL", _script=["SUCCESSFUL"])
    )
    result = deploy()
    assert result.exit_code == 0
    assert is_whole(aws, commits.new)


def test_a_deployment_whose_place_was_taken_is_superseded(deploy, aws, commits):
    other = aws.register(aws.push("f" * 40))
    aws.scripts = [["IN_PROGRESS", "STOPPED"]]
    aws.at("ecs", "describe-service-deployments", lambda: None, lambda: aws.deploy(other))
    result = deploy()
    assert result.exit_code == Outcome.SUPERSEDED.code
    assert receipt(aws)["diagnosis"]["kind"] == "superseded"
    assert aws.service_definition == other


def test_a_first_release_whose_place_was_taken_leaves_the_other_alone(deploy, aws, first):
    other = aws.register(aws.push("f" * 40))
    aws.scripts = [["IN_PROGRESS", "STOPPED"]]
    aws.at("ecs", "describe-service-deployments", lambda: None, lambda: aws.deploy(other))
    assert deploy().exit_code == Outcome.SUPERSEDED.code
    assert aws.desired == 3


def test_a_deployment_whose_place_was_taken_before_its_proof_is_superseded_and_undoes_nothing(
    deploy, aws, commits, monkeypatch
):
    monkeypatch.setenv("DELIVERY_PROOF_TIMEOUT", "0.2")
    other = aws.register(aws.push("f" * 40))
    aws.site_says = {"commit": "f" * 40}
    aws.at("ecs", "describe-service-deployments", lambda: None, lambda: None, lambda: aws.deploy(other))
    assert deploy().exit_code == Outcome.SUPERSEDED.code
    assert aws.operations.count("ecs update-service") == 1


def test_a_site_that_does_not_serve_what_was_rolled_out_gets_back_what_ran(deploy, aws, commits, monkeypatch):
    monkeypatch.setenv("DELIVERY_PROOF_TIMEOUT", "0.2")
    aws.site_says = {"commit": commits.old}
    result = deploy()
    assert result.exit_code == Outcome.ROLLED_BACK.code
    assert f"names {commits.old}" in result.output
    assert is_whole(aws, commits.old)
    assert receipt(aws)["diagnosis"]["kind"] == "unproven"
    assert not receipt(aws)["proven"]


def test_going_back_is_followed_itself_and_not_the_deployment_that_went_there_before(
    deploy, aws, commits, git, monkeypatch
):
    deploy()
    git("commit", "--allow-empty", "--message=Go on")
    aws.push(git("rev-parse", "HEAD"))
    monkeypatch.setenv("DELIVERY_PROOF_TIMEOUT", "0.2")
    aws.site_says = {"commit": commits.old}
    aws.scripts = [["SUCCESSFUL"], ["IN_PROGRESS", "ROLLBACK_FAILED"]]
    result = deploy()
    assert result.exit_code == Outcome.FAILED.code
    assert "It could not be undone" in result.output


def test_a_task_with_another_digest_is_no_proof(deploy, aws, commits, monkeypatch):
    monkeypatch.setenv("DELIVERY_PROOF_TIMEOUT", "0.2")
    aws.site_says, aws.scripts = {"commit": commits.new}, [["SUCCESSFUL"]]
    aws.at("ecs", "list-tasks", lambda: setattr(aws, "running_definition", aws.definition_of(commits.old)))
    monkeypatch.setenv("DELIVERY_PROOF_ANSWERS", "1")
    result = deploy()
    assert result.exit_code == Outcome.ROLLED_BACK.code
    assert f"runs {aws.digest(commits.old)}" in result.output


def test_a_rollback_of_ecs_that_fails_is_said_to_have_failed(deploy, aws, commits):
    aws.scripts = [["IN_PROGRESS", "ROLLBACK_FAILED"]]
    aws.stopped = [EXITED]
    result = deploy()
    assert result.exit_code == Outcome.FAILED.code
    assert "It could not be undone (ROLLBACK_FAILED)." in result.output


def test_a_migration_that_fails_leaves_the_service_alone(deploy, aws, commits):
    aws.migration, aws.logs["prepare/site"] = {"exitCode": 1}, ['relation "book" does not exist']
    result = deploy()
    assert result.exit_code == Outcome.MIGRATION_FAILED.code
    assert "Preparing the database ended with exit code 1." in result.output
    assert '  | relation "book" does not exist' in result.output
    assert "ecs update-service" not in aws.operations
    assert is_whole(aws, commits.old)
    assert receipt(aws)["diagnosis"]["kind"] == "migration-failed"


def test_a_migration_that_takes_too_long_is_ended(deploy, aws, commits, monkeypatch):
    monkeypatch.setenv("DELIVERY_MIGRATION_TIMEOUT", "0")
    result = deploy()
    assert result.exit_code == Outcome.MIGRATION_FAILED.code
    assert "ecs stop-task" in aws.operations
    assert is_whole(aws, commits.old)


def test_a_migration_s_time_begins_when_its_task_has_an_instance(deploy, aws, commits, monkeypatch):
    monkeypatch.setenv("DELIVERY_MIGRATION_TIMEOUT", "5")
    aws.unplaced = 3
    result = deploy()
    assert result.exit_code == 0
    assert "  waiting for an instance (1 of 1 tasks)" in result.output


def test_a_migration_that_gets_no_instance_is_not_to_blame(deploy, aws, commits, monkeypatch):
    monkeypatch.setenv("DELIVERY_CAPACITY_TIMEOUT", "0")
    aws.unplaced = 100
    result = deploy()
    assert result.exit_code == Outcome.MIGRATION_FAILED.code
    assert "The migration had not begun after 0 s. No instance has room for the task" in result.output
    assert receipt(aws)["diagnosis"]["kind"] == "no-instance"
    assert "ecs stop-task" in aws.operations
    assert is_whole(aws, commits.old)


def test_a_rollout_that_waits_for_an_instance_shows_it_and_has_its_time_for_that(deploy, aws, commits, monkeypatch):
    monkeypatch.setenv("DELIVERY_START_TIMEOUT", "3600")
    monkeypatch.setenv("DELIVERY_CAPACITY_TIMEOUT", "0")
    aws.at("ecs", "update-service", lambda: aws.starting.append({"status": "PROVISIONING", "containers": []}))
    aws.scripts, aws.after_stop = [["IN_PROGRESS"]], ["ROLLBACK_SUCCESSFUL"]
    result = deploy()
    assert result.exit_code == Outcome.TIMED_OUT.code
    assert "waiting for an instance (1 of 2 tasks)" in result.output
    assert "It was waiting for capacity for 0 s (DELIVERY_CAPACITY_TIMEOUT). No instance has room" in result.output


def test_a_migration_for_which_there_is_no_room_says_so(deploy, aws, commits, monkeypatch):
    full = {"tasks": [], "failures": [{"arn": "arn:aws:ecs:container-instance/1", "reason": "RESOURCE:MEMORY"}]}
    monkeypatch.setattr(aws, "_ecs_run_task", lambda _: full)
    result = deploy()
    assert result.exit_code == Outcome.MIGRATION_FAILED.code
    assert "RESOURCE:MEMORY" in result.output
    assert receipt(aws)["diagnosis"]["kind"] == "no-capacity"


def test_a_refused_check_changes_nothing(deploy, aws, commits):
    aws.cluster_status = "INACTIVE"
    result = deploy()
    assert result.exit_code == Outcome.REFUSED.code
    assert "ecs register-task-definition" not in aws.operations
    assert is_whole(aws, commits.old)
    assert receipt(aws)["outcome"] == "refused"


def test_all_that_is_refused_is_said_at_once(deploy, aws, commits):
    aws.cluster_status = "INACTIVE"
    aws.secrets[SITE_USER]["DeletedDate"] = 1.0
    result = deploy()
    assert "2 checks failed." in result.output
    assert "The cluster colophon is INACTIVE." in result.output
    assert "is being deleted." in result.output


def test_throttling_for_a_while_is_waited_out(deploy, aws, commits):
    throttled = Fault("ThrottlingException", "Rate exceeded")
    aws.fail("ecs", "describe-service-deployments", throttled, throttled)
    aws.fail("ecs", "describe-tasks", throttled)
    assert deploy().exit_code == 0


def test_evidence_that_cannot_be_had_does_not_keep_a_rollout_from_being_undone(deploy, aws, commits, monkeypatch):
    monkeypatch.setenv("DELIVERY_START_TIMEOUT", "0")
    aws.scripts, aws.after_stop = [["IN_PROGRESS"]], ["ROLLBACK_SUCCESSFUL"]
    denied = Fault("AccessDeniedException", "not authorized to perform: ecs:ListTasks")
    aws.fail("ecs", "list-tasks", denied, denied)
    result = deploy()
    assert result.exit_code == Outcome.TIMED_OUT.code
    assert "Some of the evidence cannot be read" in result.output
    assert is_whole(aws, commits.old)


def test_the_undoing_is_repeated_until_it_succeeds(deploy, aws, commits, monkeypatch):
    monkeypatch.setenv("DELIVERY_START_TIMEOUT", "0")
    aws.scripts, aws.after_stop = [["IN_PROGRESS"]], ["ROLLBACK_SUCCESSFUL"]
    throttled = Fault("ThrottlingException", "Rate exceeded")
    aws.fail("ecs", "stop-service-deployment", throttled, throttled)
    assert deploy().exit_code == Outcome.TIMED_OUT.code
    assert is_whole(aws, commits.old)


def test_the_deployment_that_was_made_is_looked_for_until_it_is_seen(deploy, aws, commits):
    aws.fail("ecs", "describe-service-revisions", Fault("ThrottlingException", "Rate exceeded"))
    assert deploy().exit_code == 0


def test_an_update_that_is_refused_changed_nothing(deploy, aws, commits):
    aws.fail("ecs", "update-service", Fault("AccessDeniedException", "not authorized to perform: ecs:UpdateService"))
    result = deploy()
    assert result.exit_code == Outcome.REFUSED.code
    assert is_whole(aws, commits.old)


def test_a_session_that_expires_in_the_middle_of_a_rollout_is_a_failure(deploy, aws, commits):
    aws.fail("ecs", "describe-service-deployments", Fault("ExpiredTokenException", "The security token is expired"))
    result = deploy()
    assert result.exit_code == Outcome.FAILED.code
    assert receipt(aws)["diagnosis"]["kind"] == "expired-token"


def test_an_update_whose_answer_was_lost_is_followed_all_the_same(deploy, aws, commits):
    lost = Broken('Read timeout on endpoint URL: "https://ecs.eu-central-1.amazonaws.com/"')
    new = []

    def arrive():
        new.append(aws.deploy(aws.newest()))

    aws.at("ecs", "update-service", arrive)
    aws.fail("ecs", "update-service", lost)
    assert deploy().exit_code == 0
    assert receipt(aws)["deployment"] == new[0]["serviceDeploymentArn"]


def test_an_update_that_did_not_arrive_has_not_changed_the_service(deploy, aws, commits):
    aws.fail("ecs", "update-service", Broken('Could not connect to the endpoint URL: "https://ecs.amazonaws.com/"'))
    result = deploy()
    assert result.exit_code == Outcome.REFUSED.code
    assert "the service was told" not in result.output
    assert is_whole(aws, commits.old)


def test_an_update_whose_outcome_stays_unknown_is_a_failure(deploy, aws, commits):
    lost = Broken('Read timeout on endpoint URL: "https://ecs.eu-central-1.amazonaws.com/"')
    expired = Fault("ExpiredTokenException", "The security token is expired")
    aws.fail("ecs", "update-service", lost)
    aws.at("ecs", "update-service", lambda: aws.fail("ecs", "list-service-deployments", expired))
    result = deploy()
    assert result.exit_code == Outcome.FAILED.code
    assert "perhaps the service was told to run colophon:3." in result.output


def test_the_new_deployment_is_found_on_the_last_page_too(deploy, aws, commits):
    for _ in range(5):
        aws.deploy(aws.service_definition)["status"] = "SUCCESSFUL"
    assert deploy().exit_code == 0
    assert receipt(aws)["deployment"] == aws.deployments[0]["serviceDeploymentArn"]


def test_credentials_that_expire_in_the_preflight_are_one_cause(deploy, aws, commits):
    """STS tells the time in each of its refusals, so that no two are the same."""
    times = itertools.count(1772366400)

    def expire(*_):
        raise Fault("ExpiredTokenException", f"Token expired: current date/time {next(times)} must be before …")

    aws.at("s3api", "put-object", lambda: setattr(aws.program, "_answer", expire))
    result = deploy()
    assert result.exit_code == Outcome.REFUSED.code
    assert "\nThe token or session in use has expired.\n  | Token expired: current date/time" in result.output
    assert "the next deployment waits 120 s and takes it over" in result.output


def test_checks_that_fail_for_several_reasons_are_counted_and_each_reason_is_told_once(deploy, aws, commits):
    denied = Fault("AccessDeniedException", "User: a is not authorized to perform: iam:GetRole on resource: r")
    aws.fail("iam", "get-role", denied)
    aws.fail("elbv2", "describe-target-groups", Fault("Validation", "no such group"))
    result = deploy()
    assert result.exit_code == Outcome.REFUSED.code
    assert "\n2 checks failed.\n" in result.output
    assert result.output.count("  | These credentials do not allow iam:GetRole on r.") == 1


@pytest.mark.parametrize("operation", ["describe-service-deployments", "describe-services", "list-tasks"])
@pytest.mark.parametrize("code", ["HealthUnavailable", "ErrorOfTomorrow"])
def test_no_error_of_what_only_looks_ends_a_rollout(deploy, aws, commits, operation, code):
    aws.at("ecs", "update-service", lambda: aws.fail("ecs", operation, Fault(code), Fault(code)))
    assert deploy().exit_code == 0
    assert is_whole(aws, commits.new)


def test_the_health_of_the_targets_may_be_unknown_all_along(deploy, aws, commits):
    aws.fail("elbv2", "describe-target-health", *[Fault("HealthUnavailable")] * 10)
    assert deploy().exit_code == 0


def test_a_revision_that_ecs_does_not_know_yet_is_tried_again(deploy, aws, commits):
    """RunTask's documentation: "eventual consistency"."""
    aws.fail("ecs", "run-task", *[Fault("ClientException", "TaskDefinition not found.")] * 2)
    assert deploy().exit_code == 0
    assert len(aws.one_off) == 1


def test_a_release_that_is_proven_is_recorded_though_others_write_too(deploy, aws, commits):
    aws.fail("ssm", "put-parameter", *[Fault("TooManyUpdates", "There are concurrent updates for a resource")] * 3)
    assert deploy().exit_code == 0
    assert aws.released == receipt(aws)["image"]


def test_a_release_that_is_proven_but_cannot_be_recorded_is_said_to_be_proven(deploy, aws, commits):
    aws.fail("ssm", "put-parameter", Fault("AccessDeniedException", "not authorized to perform: ssm:PutParameter"))
    result = deploy()
    assert result.exit_code == Outcome.FAILED.code
    assert "The release is live and proven, but it could not be recorded" in result.output
    assert receipt(aws)["proven"]


def test_a_call_that_is_not_allowed_names_the_action_and_the_policy(deploy, aws, commits):
    said = (
        "User: arn:aws:sts::111122223333:assumed-role/colophon-deploy/job-1 is not authorized to perform: ecs:RunTask"
    )
    aws.fail(
        "ecs", "run-task", Fault("AccessDeniedException", f"{said} on resource: arn:x because no policy allows it")
    )
    result = deploy()
    assert result.exit_code == Outcome.REFUSED.code
    assert "These credentials do not allow ecs:RunTask on arn:x." in result.output
    assert "ecs/delivery.yml" in result.output
    assert is_whole(aws, commits.old)


def test_a_release_without_a_receipt_is_not_called_live(deploy, aws, commits):
    aws.at("ssm", "put-parameter", lambda: aws.fail("s3api", "put-object", Fault("AccessDenied")))
    result = deploy()
    assert result.exit_code == Outcome.FAILED.code
    assert "no receipt could be written" in result.output


@pytest.mark.parametrize("option", ["--desired-count=0", "--wait=soon", "--commit=nothing"])
def test_wrong_usage_is_said_before_any_call_to_ecs(deploy, aws, commits, option):
    assert deploy(option).exit_code == 2
    assert not [call for call in aws.operations if call.startswith(("ecs", "s3api"))]


def test_the_exit_codes_are_each_their_own_and_in_the_help(deploy, aws):
    codes = [outcome.code for outcome in Outcome]
    assert len(set(codes)) == len(codes)
    assert 2 not in codes
    shown = deploy("--help").output
    for outcome in Outcome:
        assert f"{outcome.code}  {outcome.title}:" in shown
