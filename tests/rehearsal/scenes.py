"""The scenes and their right endings. Each is played on a live site with visitors, and leaves the site live."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from delivery.aws.credentials import KEYS
from delivery.deployment.outcomes import Outcome
from tests.emulator import REGION, docker, until
from tests.instance_metadata import InstanceMetadata

from . import awkward_scenes, changes
from .account import BUCKET, OWNER, RESTORED, SetupError
from .clone import token
from .stage import Scene

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .changes import Change
    from .command import Ended
    from .stage import Stage

EXECUTION = f"colophon-prepare-execution-{REGION}"
# What an alarm measures, but for how long.
MEASURES = (
    *("AlarmName", "Namespace", "MetricName", "Dimensions", "Statistic", "Period", "DatapointsToAlarm"),
    *("Threshold", "ComparisonOperator", "TreatMissingData"),
)
# The first call that follows a rollout; it is printed before it is made.
FOLLOWS = "aws ecs describe-service-deployments"


def a_feature_branch(stage: Stage) -> Ended:
    clone, start = stage.clone, stage.clone.head
    masters = clone.jobs()
    clone.branch("feature/covers")
    clone.commit("Draw better covers", changes.another_footer)
    jobs = clone.jobs()
    # A branch can contain any job, even one that claims to be master's: only its token cannot claim that.
    ended = clone.deliver("deploy", job_token=token(stage.account.role("deploy"), branch="feature/covers"))
    clone.back_to(start)
    assert jobs == {"test", "scan", "build"}, f"the branch's jobs are {sorted(jobs)}"
    assert masters == {"test", "scan", "push", "deploy", "rollback"}, f"master's jobs are {sorted(masters)}"
    return ended


def the_first_release(stage: Stage) -> Ended:
    return stage.goes_live(stage.clone.pipeline())


def a_good_release(stage: Stage) -> Ended:
    return stage.release("Say what these books are", changes.another_footer)


def a_release_with_a_migration(stage: Stage) -> Ended:
    return stage.release("Keep something more", changes.MIGRATES)


def the_same_release_again(stage: Stage) -> Ended:
    ended = stage.again()
    assert "Nothing to do" in ended.said, "the second deployment did something"
    assert stage.live
    for command in ("plan", "preflight", "status", "history"):
        looked = stage.clone.deliver(command)
        assert looked.code == 0, f"`{command}` ended with {looked.code}"
        assert stage.live[:12] in looked.said, f"`{command}` does not name the live release"
    return ended


def the_stacks_again(stage: Stage) -> Ended:
    """Update the service's stack, which knows no release, and check that the live one stays."""
    before = _running(stage)
    stage.account.make_stack("service")
    after = _running(stage)
    assert after != before, "the stack changed nothing"
    assert stage.shown() == stage.live, "the stack brought another release back"
    ended = stage.again()
    assert "Nothing to do" in ended.said, "the stack runs another image than the one that is live"
    return ended


def the_stacks_fail(stage: Stage) -> Ended:
    """Change the service's stack so that its tasks cannot serve, and check that those of the live release stay."""
    before = _running(stage), _service(stage)["runningCount"]
    try:
        stage.account.make_stack("service", "service.DatabaseCaBundle=/nowhere.pem")
    except SetupError:
        pass
    else:
        raise AssertionError("the stack was changed")
    assert (_running(stage), _service(stage)["runningCount"]) == before, "the service is not what it was"
    assert stage.shown() == stage.live, "the stack brought another release back"
    return stage.again()


def _running(stage: Stage) -> str:
    """Return the ARN of the service's task definition."""
    return str(_service(stage)["taskDefinition"])


def _service(stage: Stage) -> Any:
    """Return the service as ECS describes it."""
    (service,) = stage.account.aws("ecs", "describe_services", cluster="colophon", services=["colophon"])["services"]
    return service


def broken(why: str, change: Change, evidence: str = "") -> Callable[[Stage], Ended]:
    """Return a scene that merges a broken commit; the command's output has to show `evidence`."""

    def play(stage: Stage) -> Ended:
        ended = stage.release(why, change)
        assert evidence in ended.said, f"the output does not show {evidence!r}"
        return ended

    return play


def a_missing_secret(stage: Stage) -> Ended:
    aws = stage.account.aws
    aws("secretsmanager", "delete_secret", SecretId=OWNER, RecoveryWindowInDays=7)
    try:
        return stage.again("--force")
    finally:
        aws("secretsmanager", "restore_secret", SecretId=OWNER)


def a_secret_without_its_key(stage: Stage) -> Ended:
    value = _secret(stage, OWNER)
    _set(stage, OWNER, {"username": "colophon"})
    try:
        return stage.again("--force")
    finally:
        _set(stage, OWNER, value)


def _secret(stage: Stage, name: str) -> Any:
    return json.loads(stage.account.aws("secretsmanager", "get_secret_value", SecretId=name)["SecretString"])


def _set(stage: Stage, name: str, value: Any) -> None:
    stage.account.aws("secretsmanager", "put_secret_value", SecretId=name, SecretString=json.dumps(value))


def the_owners_password_changes(stage: Stage) -> Ended:
    """Change the password of the database's owner: no task that serves has it, and the next release migrates."""
    before = _tasks(stage)
    _set(stage, OWNER, {"username": "colophon", "password": "fake-changed"})
    stage.account.set_owner("fake-changed")
    assert _tasks(stage) == before, "tasks were replaced"
    return stage.again("--force")


def a_rotation(stage: Stage) -> Ended:
    """Rotate the password of the site, as an administrator."""
    names = ("colophon/database-site-user", "colophon/database-next-user")
    before, following = (_secret(stage, name) for name in names)
    ended = stage.clone.administer("rotate")
    serving, renewed = (_secret(stage, name) for name in names)
    assert serving == following, "the next user does not serve"
    assert renewed["username"] == before["username"], "the user before is not the next one"
    assert renewed["password"] != before["password"], "the old password is still good"
    return ended


def a_restored_database(stage: Stage) -> Ended:
    """Have a second instance serve, as a restore makes it, and no export change."""
    aws = stage.account.aws
    exports = aws("cloudformation", "list_exports")["Exports"]
    stage.account.make_stack("database", "database.RestoreMoment=latest")
    assert aws("cloudformation", "list_exports")["Exports"] == exports, "an export has changed"
    url = aws("ssm", "get_parameter", Name="/colophon/database-url")["Parameter"]["Value"]
    assert RESTORED in url, url
    ended = stage.again("--force")
    network = stage.account.database.removesuffix("-database")
    tasks = docker(f"ps --filter=network={network} --filter=name=-site --quiet").split()
    assert tasks
    used = docker("inspect --format={{.Config.Env}}", *tasks).splitlines()
    assert ended.code or all(RESTORED in variables for variables in used), "a task uses the first instance"
    return ended


def _tasks(stage: Stage) -> list[str]:
    """Return the ARNs of the tasks that serve."""
    return sorted(stage.account.aws("ecs", "list_tasks", cluster="colophon", serviceName="colophon")["taskArns"])


def an_image_that_vanishes(stage: Stage) -> Ended:
    """Delete the image after the checks and the migrations."""
    clone = stage.clone
    stage.merge("Release this, and clear the registry up")
    image = {"imageDigest": json.loads((clone.folder / "build/image.json").read_text())["digest"]}
    deploy = clone.start("deploy")
    deploy.until_it_says("== Rollout")
    stage.account.aws("ecr", "batch_delete_image", repositoryName="colophon", imageIds=[image])
    return deploy.end()


def a_role_that_may_not_pull(stage: Stage) -> Ended:
    """Take the permission to read the registry from the role that starts tasks."""
    aws = stage.account.aws
    policy = aws("iam", "get_role_policy", RoleName=EXECUTION, PolicyName="start-tasks")["PolicyDocument"]
    policy = policy if isinstance(policy, dict) else json.loads(policy)
    less = {**policy, "Statement": [each for each in policy["Statement"] if each.get("Sid") != "PullImage"]}
    assert less != policy, "the role has no permission that could be taken away"

    def put(document: Any) -> None:
        aws("iam", "put_role_policy", RoleName=EXECUTION, PolicyName="start-tasks", PolicyDocument=json.dumps(document))

    put(less)
    try:
        return stage.again("--force")
    finally:
        put(policy)


def with_a_token(role: str = "deploy", **of: Any) -> Callable[[Stage], Ended]:
    """Return a scene in which a job deploys with another token than master's for that role."""

    def play(stage: Stage) -> Ended:
        return stage.again(job_token=token(stage.account.role(role), **of))

    return play


@contextmanager
def with_credentials(stage: Stage, source: str) -> Iterator[None]:
    """Have the environment's credentials come from another source."""
    file = stage.clone.folder / "delivery.toml"
    before = file.read_text()
    file.write_text(before.replace("[production]\n", f'[production]\ncredentials = "{source}"\n'))
    try:
        yield
    finally:
        file.write_text(before)


def the_role_of_an_instance(stage: Stage) -> Ended:
    """Trust the protected runner's EC2 instance and no token: one is refused, and a job without one deploys."""
    account, runner = stage.account, f"colophon-runner-{REGION}"
    account.make_stack("delivery", "delivery.Trust=runner")
    try:
        refused = stage.again()
        assert NO_ROLE in (refused.diagnosis or ""), "a token still opened the role"
        service = InstanceMetadata(runner, account.as_ec2(runner))
        try:
            with with_credentials(stage, "instance"):
                ended = stage.again("--force", **service.variables)
        finally:
            service.close()
    finally:
        account.make_stack("delivery")
    assert "Credentials: the role of the EC2 instance that the runner is on, arn:" in ended.said
    return ended


def no_role_on_the_instance(stage: Stage) -> Ended:
    nowhere = {"AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://127.0.0.1:9"}
    with with_credentials(stage, "instance"):
        return stage.again(**nowhere)


def keys_in_the_variables(stage: Stage) -> Ended:
    """Deploy with short-lived keys of the deploy role, which something else gave the job."""
    job = stage.clone.job("deploy")
    assumed = {"RoleArn": job["AWS_ROLE_ARN"], "WebIdentityToken": job["AWS_ID_TOKEN"], "RoleSessionName": "keys"}
    keys = stage.account.aws("sts", "assume_role_with_web_identity", **assumed)["Credentials"]
    given = dict(zip(KEYS, (keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"]), strict=True))
    with with_credentials(stage, "environment"):
        ended = stage.again(**given)
    assert f"assumed-role/colophon-deploy-{REGION}/keys." in ended.said
    return ended


def a_second_deployment(stage: Stage) -> Ended:
    """Start a second deployment, which is refused; the first succeeds all the same."""
    clone = stage.clone
    stage.merge("Release this during another release")
    first = clone.start("deploy")
    first.until_it_says("== Preflight")
    second = clone.deliver("deploy")
    done = stage.goes_live(first.end())
    assert done.code == 0, f"the first one ended with {done.code}"
    return second


def a_cancelled_deployment(stage: Stage) -> Ended:
    clone = stage.clone
    # Until it is cancelled it is a good release, which visitors may see.
    stage.to_be_seen.add(stage.merge("Release this, then cancel it"))
    deploy = clone.start("deploy")
    deploy.until_it_says(FOLLOWS)
    deploy.cancel()
    ended = deploy.end()
    lock = json.loads(stage.account.aws("s3", "get_object", Bucket=BUCKET, Key="lease.json")["Body"])
    assert lock["holder"] is None, f"the lock was not released: {lock}"
    return ended


@contextmanager
def alarm_on(stage: Stage) -> Iterator[None]:
    """Have an alarm that the service watches on for a while."""
    alarm = {"AlarmName": "colophon-site-errors", "StateReason": "A rehearsal"}
    stage.account.aws("cloudwatch", "set_alarm_state", StateValue="ALARM", **alarm)
    try:
        yield
    finally:
        stage.account.aws("cloudwatch", "set_alarm_state", StateValue="OK", **alarm)


@contextmanager
def long_bake(stage: Stage) -> Iterator[None]:
    """Have an alarm of the service need a day, and so its deployments bake for long."""
    aws, name = stage.account.aws, "colophon-load-balancer-errors"
    (found,) = aws("cloudwatch", "describe_alarms", AlarmNames=[name])["MetricAlarms"]
    same = {key: found[key] for key in MEASURES}
    aws("cloudwatch", "put_metric_alarm", **same, EvaluationPeriods=1440)
    try:
        yield
    finally:
        aws("cloudwatch", "put_metric_alarm", **same, EvaluationPeriods=found["EvaluationPeriods"])


def an_alarm(stage: Stage) -> Ended:
    stage.to_be_seen.add(stage.merge("Release this, then raise an alarm"))
    deploy = stage.clone.start("deploy")
    deploy.until_it_says(FOLLOWS)
    with alarm_on(stage):
        return deploy.end()


def an_alarm_during_the_bake(stage: Stage) -> Ended:
    stage.to_be_seen.add(stage.merge("Release this, then raise an alarm while it bakes"))
    with long_bake(stage):
        deploy = stage.clone.start("deploy")
        deploy.until_it_says("== Bake")
        with alarm_on(stage):
            return deploy.end()


def an_alarm_before(stage: Stage) -> Ended:
    """Release while an alarm is on: ECS then watches none, which the preflight says."""
    with alarm_on(stage):
        ended = stage.release("Mend what the alarm is about")
    assert "as these are on: colophon-site-errors" in ended.said, "no check warned of the alarm"
    return ended


def a_long_bake(stage: Stage) -> Ended:
    """Release what bakes for longer than the deployment watches it."""
    stage.merge("Let this bake")
    with long_bake(stage):
        ended = stage.goes_live(stage.clone.deliver("deploy", DELIVERY_BAKE_TIMEOUT="1"))
        assert "It still bakes" in ended.said, "it does not say that the release still bakes"
        assert "IN_PROGRESS (baking)" in stage.clone.deliver("status").said
    until(lambda: "deployment    SUCCESSFUL" in stage.clone.deliver("status").said)
    return ended


def instances_that_start_first(stage: Stage) -> Ended:
    """Release while more tasks run than the instances have room to double."""
    _scale(stage, 4)
    try:
        ended = stage.release("Release this where there is no room yet")
    finally:
        _scale(stage, 2)
    assert "waiting for an instance (" in ended.said, "no task waited for an instance"
    return ended


def _scale(stage: Stage, tasks: int) -> None:
    """Have the service run so many tasks, and wait until it does."""
    stage.account.aws("ecs", "update_service", cluster="colophon", service="colophon", desiredCount=tasks)
    until(lambda: _service(stage)["runningCount"] == tasks)


def an_older_commit(stage: Stage) -> Ended:
    assert len(stage.released) > 1
    return stage.again("--commit", stage.released[-2])


def a_rollback(stage: Stage) -> Ended:
    *_, before, _now = stage.released
    stage.to_be_seen.add(before)
    ended = stage.clone.deliver("rollback", "--yes")
    if ended.code == 0:
        stage.live = before
    return ended


NO_ROLE = "does not let this pipeline assume the role"
AT_ONCE = broken("End at once", changes.EXITS, "This release ends at once")
NOT_UNIQUE = broken("Change a table", changes.FAILS_TO_MIGRATE, "rehearsed_language")
LIVE, REFUSED, ROLLED_BACK, CANCELLED = Outcome.LIVE, Outcome.REFUSED, Outcome.ROLLED_BACK, Outcome.CANCELLED
MIGRATION = Outcome.MIGRATION_FAILED
SCENES = (
    Scene("feature branch", a_feature_branch, REFUSED, NO_ROLE, needs=0, short=True),
    Scene("first release", the_first_release, LIVE, needs=0, short=True),
    Scene("good release", a_good_release, LIVE, short=True),
    Scene("release with a migration", a_release_with_a_migration, LIVE),
    Scene("same release again", the_same_release_again, LIVE, short=True),
    Scene("stacks made again", the_stacks_again, LIVE, short=True),
    Scene("change of the stacks fails", the_stacks_fail, LIVE),
    Scene("exits at once", AT_ONCE, ROLLED_BACK, "exit on their own", short=True),
    Scene("health check fails", broken("Never be ready", changes.not_ready), ROLLED_BACK, "/readyz, with 503"),
    Scene("slow boot", broken("Sleep first", changes.BOOTS_SLOWLY), ROLLED_BACK, "were not listening"),
    Scene("out of memory", broken("Want too much", changes.EATS_MEMORY), ROLLED_BACK, "used more memory"),
    Scene("missing secret", a_missing_secret, REFUSED, "is being deleted"),
    Scene("secret without its key", a_secret_without_its_key, MIGRATION, "has no key password"),
    Scene("owner password changes", the_owners_password_changes, LIVE),
    Scene("rotation", a_rotation, LIVE, short=True),
    Scene("restored database", a_restored_database, LIVE),
    Scene("image cannot be pulled", an_image_that_vanishes, ROLLED_BACK, "cannot be pulled"),
    Scene("role that may not pull", a_role_that_may_not_pull, MIGRATION, "does not allow ecr:BatchGetImage"),
    Scene("failing migration", NOT_UNIQUE, MIGRATION, "Preparing the database"),
    Scene("token of another branch", with_a_token(branch="feature/covers"), REFUSED, NO_ROLE, short=True),
    Scene("token of another project", with_a_token(project="another/project"), REFUSED, NO_ROLE),
    Scene("token of another role", with_a_token("push"), REFUSED, NO_ROLE),
    Scene("expired token", with_a_token(lasts=-60), REFUSED, "has expired"),
    Scene("role of an instance", the_role_of_an_instance, LIVE, short=True),
    Scene("no role on the instance", no_role_on_the_instance, REFUSED, "and none is there"),
    Scene("keys in the variables", keys_in_the_variables, LIVE),
    Scene("second deployment at once", a_second_deployment, REFUSED, "has held the lock"),
    Scene("cancelled in the middle", a_cancelled_deployment, CANCELLED, "SIGTERM during the rollout", short=True),
    Scene("alarm goes off", an_alarm, ROLLED_BACK, "colophon-site-errors fired"),
    Scene("alarm during the bake", an_alarm_during_the_bake, ROLLED_BACK, "colophon-site-errors fired", short=True),
    Scene("alarm on before", an_alarm_before, LIVE),
    Scene("release that bakes long", a_long_bake, LIVE),
    Scene("instances that start first", instances_that_start_first, LIVE),
    *awkward_scenes.SCENES,
    Scene("older commit", an_older_commit, REFUSED, "is older than", needs=2),
    Scene("rollback", a_rollback, LIVE, needs=2, short=True),
)
