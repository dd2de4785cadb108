"""`stacks` while the site is live: the lock, a change that fails, and the released image."""

import pytest

from delivery.aws.stacks.update import ECS
from delivery.deployment.lock import KEY
from tests.cloudformation import parse, resolve
from tests.delivery.aws.stacks.fake_cloudformation import failure, refusal

FIRST, SECOND, THIRD = (f"registry/colophon@sha256:{letter * 64}" for letter in "abc")
CHOSEN = {"Cpu": "1024", "LaunchType": "FARGATE"}
RESOURCES = list(resolve(parse((ECS / "service.yml").read_text()), ReleasedImage=FIRST, **CHOSEN)["Resources"])
CHANGE = ("--yes", "--only=service", *(f"--set=service.{name}={value}" for name, value in CHOSEN.items()))


def receipt(image, *, proven):
    by = {"user": "Ada", "identity": "arn", "pipeline_url": None, "job_url": None}
    return {"schema": 2, "proven": proven, "image": image, "digest": image.partition("@")[2], "by": by}


@pytest.fixture
def live(made):
    """The stand-in, whose service runs four tasks of a release that the stacks do not know of."""
    made.released, made.service = FIRST, (FIRST, 4)
    return made


@pytest.mark.parametrize("resource", RESOURCES)
def test_a_first_change_after_a_release_that_fails_leaves_the_site_as_it_was(live, stacks, resource):
    live.fails = resource
    result = stacks(*CHANGE)
    assert result.exit_code == 1
    assert f"{resource}: UPDATE_FAILED (It fails.)" in result.stderr
    assert live.service == (FIRST, 4)


@pytest.mark.parametrize("resource", RESOURCES)
def test_a_later_change_that_fails_brings_no_older_release_back(live, stacks, resource):
    assert stacks(*CHANGE).exit_code == 0
    live.released, live.service, live.fails = SECOND, (SECOND, 5), resource
    assert stacks(*CHANGE, "--set", "service.Cpu=2048").exit_code == 1
    assert live.service == (SECOND, 5)


def test_a_change_rolls_out_the_image_that_is_released(live, stacks):
    assert stacks(*CHANGE).exit_code == 0
    assert live.service == (FIRST, 4)


def test_a_release_that_was_undone_after_it_was_recorded_is_not_brought_back(live, stacks):
    live.service = (SECOND, 4)
    result = stacks(*CHANGE)
    assert result.exit_code == 1
    assert f"The service runs {SECOND}, and /colophon/released-image names {FIRST}" in result.stderr
    assert not live.called("create-change-set")


def test_an_aws_cli_that_knows_no_such_changes_is_named(live, stacks):
    def refuse(_):
        raise failure(252, "\nUnknown options: --deployment-mode, REVERT_DRIFT\n")

    live.on = {"create-change-set": refuse}
    assert "This aws CLI is older than CloudFormation's drift-aware change sets" in stacks(*CHANGE).stderr


def test_while_a_deployment_runs_nothing_is_changed(live, stacks):
    live.hold_lock("Ada")
    result = stacks(*CHANGE)
    assert result.exit_code == 3
    assert "Ada has held the lock since 2026-03-01T12:00:00Z" in result.stderr
    assert not live.called("create-change-set")
    assert live.objects[KEY]["holder"] == "Ada"


def test_a_difference_is_shown_while_a_deployment_runs(live, stacks):
    live.hold_lock("Ada")
    assert stacks("--diff").exit_code == 0


def test_the_lock_is_held_for_a_change_and_released_after_it(live, stacks):
    holders = []

    def execute(options):
        holders.append(live.objects[KEY]["holder"])
        live.execute_change_set(options)

    live.on = {"execute-change-set": execute}
    assert stacks(*CHANGE).exit_code == 0
    assert len(holders) == 1
    assert holders[0]
    assert live.objects[KEY]["holder"] is None


def test_the_lock_is_renewed_while_cloudformation_works(live, stacks, monkeypatch):
    monkeypatch.setenv("DELIVERY_LOCK", "0")
    before = len(live.called("put-object"))
    statuses = iter(["UPDATE_IN_PROGRESS"] * 5)

    def describe(options):
        found = live.describe_stacks(options)
        if options["stack-name"] == "colophon-service" and live.executed and (status := next(statuses, None)):
            return {"Stacks": [found["Stacks"][0] | {"StackStatus": status}]}
        return found

    def execute(options):
        live.execute_change_set(options)
        live.on["describe-stacks"] = describe

    live.on = {"execute-change-set": execute}
    assert stacks(*CHANGE).exit_code == 0
    assert len(live.called("put-object")) - before > 5


def test_a_lock_that_expired_before_the_answer_came_is_noticed_before_the_change(live, stacks, monkeypatch):
    monkeypatch.setattr("delivery.commands.stacks.is_interactive", lambda: True)

    def confirm(_):
        live.hold_lock("Ada")
        return True

    monkeypatch.setattr("delivery.aws.stacks.update.click.confirm", confirm)
    result = stacks(*CHANGE[1:])
    assert result.exit_code == 3
    assert "The lock expired before the stack was changed, and another deployment has it." in result.stderr
    assert not live.called("execute-change-set")


def test_ctrl_c_releases_the_lock(live, stacks):
    def interrupt(_):
        raise KeyboardInterrupt

    live.on = {"describe-change-set": interrupt}
    assert "Aborted!" in stacks(*CHANGE).stderr
    assert live.objects[KEY]["holder"] is None


def test_before_there_is_a_bucket_there_is_no_lock_to_take(cloud, stacks):
    assert stacks("--yes").exit_code == 0
    assert not cloud.called("put-object")


def test_a_bucket_that_cannot_be_looked_at_is_no_bucket_that_is_not_there(live, stacks):
    def deny(_):
        raise refusal("403", "Forbidden")

    live.on = {"head-bucket": deny}
    assert stacks(*CHANGE).exit_code == 1
    assert not live.called("create-change-set")


@pytest.fixture
def lost(live):
    """The same, without the parameter that names the released image."""
    live.released = None
    for number, (image, proven) in enumerate(((FIRST, True), (SECOND, True), (THIRD, False))):
        live.objects[f"receipts/{number}.json"] = receipt(image, proven=proven)
    live.images = {one.partition("@")[2] for one in (FIRST, SECOND, THIRD)}
    return live


def test_a_lost_released_image_is_written_anew_from_the_last_proven_receipt(lost, stacks):
    result = stacks(*CHANGE)
    assert result.exit_code == 0
    assert (
        f"/colophon/released-image is missing. It is written anew: {SECOND}, proven by receipts/1.json."
        in result.stdout
    )
    assert lost.released == SECOND


def test_it_is_one_that_the_registry_still_has(lost, stacks):
    lost.images.remove(SECOND.partition("@")[2])
    assert stacks(*CHANGE).exit_code == 0
    assert lost.released == FIRST


def test_a_difference_writes_nothing_anew(lost, stacks):
    result = stacks("--diff", "--only", "service")
    assert result.exit_code == 0
    assert f"It would be written anew: {SECOND}" in result.stdout
    assert lost.released is None


def test_without_a_proven_image_a_service_is_left_as_it_is(lost, stacks):
    lost.images.clear()
    result = stacks(*CHANGE)
    assert result.exit_code == 1
    assert "no receipt names a proven image that the registry still has. Release a commit" in result.stderr
    assert lost.service == (FIRST, 4)


@pytest.mark.parametrize("image", [FIRST.replace("registry", "elsewhere"), FIRST.replace("colophon", "colophon2")])
def test_an_image_of_another_repository_is_not_run(live, stacks, image):
    live.released = image
    result = stacks(*CHANGE)
    assert result.exit_code == 1
    assert f"names {image}, and this project's images are in registry/colophon." in result.stderr
    assert not live.called("create-change-set")


def test_without_a_service_nothing_is_released(cloud, stacks):
    cloud.released = None
    assert stacks("--yes").exit_code == 0
    assert cloud.released == "none"
