"""`rollback`: to the last release that was proven, wherever that lies."""

import functools
import json

import pytest

from delivery.deployment.outcomes import Outcome
from tests.delivery.aws.resources import NAME, REGISTRY


@pytest.fixture
def rollback(deliver):
    return functools.partial(deliver, "rollback")


@pytest.fixture
def released(aws, git, root, deploy):
    """Release commits one after the other, and return them. Those whose statuses are given end in these."""

    def released(*statuses):
        commits = []
        aws.desired = 2
        for number, status in enumerate(statuses):
            git("commit", "--allow-empty", f"--message=Release {number}")
            commits.append(git("rev-parse", "HEAD"))
            if number == 0:
                aws.run(git("rev-parse", "HEAD~1"))
            aws.push(commits[-1])
            aws.scripts = [["IN_PROGRESS", status]]
            deploy()
        return commits

    return released


def running(aws):
    return aws.images[aws.image_of(aws.running_definition).partition("@")[2]]["tags"][0]


def test_it_says_what_it_will_do_and_goes_back_to_the_release_before(rollback, aws, released):
    one, two = released("SUCCESSFUL", "SUCCESSFUL")
    result = rollback("--yes")
    assert result.exit_code == 0
    assert running(aws) == one
    said = result.output.splitlines()
    begin = next(number for number, line in enumerate(said) if line.startswith("From  "))
    assert two in said[begin]
    assert said[begin + 1] == f"to    {one}  {aws.digest(one)}"
    assert "which was proven less than a minute ago" in said[begin + 2]
    assert aws.receipts[-1]["kind"] == "rollback"
    assert aws.receipts[-1]["proven"]
    assert aws.released == f"{REGISTRY}/{NAME}@{aws.digest(one)}"


def test_it_passes_over_a_release_that_may_have_been_undone_while_it_baked(rollback, aws, released, deploy, git):
    one, two, three = released("SUCCESSFUL", "SUCCESSFUL", "SUCCESSFUL")
    key, (body, tag) = [(key, aws.objects[key]) for key in sorted(aws.objects) if key.startswith("receipts/")][1]
    baking = json.loads(body) | {"bake": {"ended": False}}
    aws.objects[key] = json.dumps(baking).encode(), tag
    state = aws.state()
    rollback("--yes")
    assert running(aws) == two  # the third replaced it, so it had lasted
    aws.restore(state)
    aws.objects.pop([key for key in sorted(aws.objects) if key.startswith("receipts/")][2])
    rollback("--yes")
    assert running(aws) == one
    assert three


def test_it_passes_over_releases_that_were_never_proven(rollback, aws, released):
    one, _broken, _broken_too, four = released("SUCCESSFUL", "ROLLBACK_SUCCESSFUL", "ROLLBACK_SUCCESSFUL", "SUCCESSFUL")
    assert running(aws) == four
    rollback("--yes")
    assert running(aws) == one


def test_it_goes_by_digest_and_refuses_a_tag_that_was_moved(rollback, aws, released):
    one, two = released("SUCCESSFUL", "SUCCESSFUL")
    aws.images[aws.digest(one)]["tags"].remove(one)
    aws.push(one, content="something else")
    result = rollback("--yes")
    assert result.exit_code == Outcome.REFUSED.code
    assert running(aws) == two


def test_it_runs_no_migrations_and_says_which_stay(rollback, aws, git, root, deploy):
    folder = root / "src/colophon/database/migrations/versions"
    folder.mkdir(parents=True)
    for number in (1, 2):
        (folder / f"000{number}_step.py").write_text("")
        git("add", ".")
        git("commit", "--message=Migrate")
        commit = git("rev-parse", "HEAD")
        if number == 1:
            aws.run(commit)
            git("commit", "--allow-empty", "--message=Release")
            commit = git("rev-parse", "HEAD")
        aws.push(commit)
        deploy()
    migrations = aws.operations.count("ecs run-task")
    result = rollback("--yes")
    assert result.exit_code == 0
    assert "These migrations stay, as they cannot be undone: 0002_step.py." in result.output
    assert aws.operations.count("ecs run-task") == migrations


def test_it_asks_first_and_a_no_changes_nothing(rollback, aws, released):
    _, two = released("SUCCESSFUL", "SUCCESSFUL")
    result = rollback(input="n\n")
    assert result.exit_code == 1
    assert "Nothing was changed." in result.output
    assert running(aws) == two
    assert aws.operations.count("ecs update-service") == 2


def test_a_yes_is_taken(rollback, aws, released):
    one, _ = released("SUCCESSFUL", "SUCCESSFUL")
    assert rollback(input="y\n").exit_code == 0
    assert running(aws) == one


def test_without_a_release_to_go_back_to_it_is_refused(rollback, aws, released):
    released("SUCCESSFUL")
    result = rollback("--yes")
    assert result.exit_code == Outcome.REFUSED.code
    assert "No receipt shows a proven release other than the running one." in result.output


def test_twice_goes_there_and_back_again(rollback, aws, released):
    one, two = released("SUCCESSFUL", "SUCCESSFUL")
    rollback("--yes")
    assert running(aws) == one
    rollback("--yes")
    assert running(aws) == two


def test_commits_that_this_checkout_does_not_know_are_no_hindrance(rollback, aws, released, git, root):
    one, _ = released("SUCCESSFUL", "SUCCESSFUL")
    git("checkout", "--orphan", "elsewhere", "--quiet")
    git("commit", "--allow-empty", "--message=Elsewhere")
    git("branch", "--delete", "--force", "master")
    git("reflog", "expire", "--expire=now", "--all")
    git("gc", "--prune=now", "--quiet")
    result = rollback("--yes")
    assert result.exit_code == 0, result.output
    assert "are not known" in result.output
    assert running(aws) == one
