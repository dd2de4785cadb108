"""The scenes and their right endings. Each is played on a live site with visitors, and leaves the site live."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from delivery.deployment.outcomes import Outcome
from tests.emulator import REGION, until

from . import alarm_scenes, awkward_scenes, changes, credential_scenes, database_scenes
from .account import BUCKET, SetupError
from .clone import token
from .credential_scenes import NO_ROLE
from .stage import FOLLOWS, Scene

if TYPE_CHECKING:
    from collections.abc import Callable

    from .changes import Change
    from .command import Ended
    from .stage import Stage

EXECUTION = f"colophon-prepare-execution-{REGION}"


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
    """Update the service's stack, which knows no release, and check that the live one stays, in both containers."""
    before = _running(stage)
    stage.account.make_stack("service")
    after = _running(stage)
    assert after != before, "the stack changed nothing"
    assert stage.shown() == stage.live, "the stack brought another release back"
    images = _images(stage)
    assert images.keys() == {"site", "edge"}, f"the tasks have the containers {', '.join(images)}"
    assert len(set.union(*images.values())) == 1, f"the containers run different images: {images}"
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


def _images(stage: Stage) -> dict[str, set[str]]:
    """Return the digests that the service's tasks run, by the names of their containers."""
    aws = stage.account.aws
    arns = aws("ecs", "list_tasks", cluster="colophon", serviceName="colophon")["taskArns"]
    found: dict[str, set[str]] = {}
    for task in aws("ecs", "describe_tasks", cluster="colophon", tasks=arns)["tasks"]:
        for container in task["containers"]:
            found.setdefault(container["name"], set()).add(container["imageDigest"])
    return found


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


AT_ONCE = broken("End at once", changes.EXITS, "This release ends at once")
EDGE_AT_ONCE = broken("End the edge at once", changes.edge_exits, "The edge of this release ends at once")
# The edge is listening, and says of a site that is not what a site would say that is not ready.
SLEEPS = broken("Sleep first", changes.BOOTS_SLOWLY, "This release sleeps first")
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
    Scene("edge exits at once", EDGE_AT_ONCE, ROLLED_BACK, "their container edge ended with code 1"),
    Scene("health check fails", broken("Never be ready", changes.not_ready), ROLLED_BACK, "/readyz, with 503"),
    Scene("slow boot", SLEEPS, ROLLED_BACK, "/readyz, with 503"),
    Scene(
        "out of memory", broken("Want too much", changes.EATS_MEMORY), ROLLED_BACK, "container site used more memory"
    ),
    *database_scenes.SCENES,
    Scene("image cannot be pulled", an_image_that_vanishes, ROLLED_BACK, "cannot be pulled"),
    Scene("role that may not pull", a_role_that_may_not_pull, MIGRATION, "does not allow ecr:BatchGetImage"),
    Scene("failing migration", NOT_UNIQUE, MIGRATION, "Preparing the database"),
    *credential_scenes.SCENES,
    Scene("second deployment at once", a_second_deployment, REFUSED, "has held the lock"),
    Scene("cancelled in the middle", a_cancelled_deployment, CANCELLED, "SIGTERM during the rollout", short=True),
    *alarm_scenes.SCENES,
    Scene("instances that start first", instances_that_start_first, LIVE),
    *awkward_scenes.SCENES,
    Scene("older commit", an_older_commit, REFUSED, "is older than", needs=2),
    Scene("rollback", a_rollback, LIVE, needs=2, short=True),
)
