"""`status`, `history` and `plan`: they tell, and change nothing."""

import json

import pytest

from tests.delivery.aws.resources import NAME, target


def rows(output):
    """Return the lines of a status by their names."""
    lines = [line for line in output.splitlines() if line and not line.startswith("$")]
    return {line[:13].strip(): line[14:] for line in lines}


def test_the_status_says_what_runs(deliver, deploy, aws, commits):
    deploy()
    aws.targets.append(target("10.0.1.12", "unhealthy", "Target.Timeout", "Request timed out"))
    shown = rows(deliver("status").output)
    assert shown["commit"] == commits.new
    assert shown["image"].endswith(aws.digest(commits.new))
    assert shown["released"] == "this image"
    assert shown["revision"] == "colophon:3"
    assert shown["tasks"] == "2 of 2 running, 0 pending"
    assert shown["targets"] == "2 healthy, 1 unhealthy"
    assert shown["deployment"].startswith("SUCCESSFUL since 2026-03-01 12:00:0")
    assert shown["site"] == f"{aws.url} serves {commits.new}"
    assert shown["last receipt"].endswith(": deploy, live")


def test_the_status_says_when_what_runs_was_never_proven(deliver, aws, commits):
    aws.parameters[f"/{NAME}/released-image"] = "elsewhere@sha256:0"
    aws.server.shutdown()
    aws.server.server_close()
    shown = rows(deliver("status").output)
    assert shown["released"] == "a different image: elsewhere@sha256:0"
    assert "shows no passport" in shown["site"]
    assert shown["last receipt"] == "none"


def test_the_status_before_the_first_release(deliver, aws, first):
    shown = rows(deliver("status").output)
    assert shown["commit"] == shown["image"] == "none yet"
    assert shown["released"] == "nothing was released yet"
    assert shown["deployment"] == "none"


def test_a_lost_record_is_told_by_the_status_and_written_anew_by_a_deployment_of_what_runs(
    deliver, deploy, aws, commits
):
    recorded = aws.parameters.pop(f"/{NAME}/released-image")
    assert rows(deliver("status").output)["released"].startswith("none is recorded; `make deploy` of the commit that")
    result = deploy("--commit", commits.old, "--allow-older")
    assert result.exit_code == 0, result.output
    assert aws.released == recorded
    assert "ecs update-service" not in aws.operations


@pytest.mark.parametrize("command", ["status", "plan"])
def test_without_a_service_they_say_so(deliver, aws, commits, command):
    aws.service_status = "INACTIVE"
    result = deliver(command)
    assert result.exit_code == 3
    assert "There is no service" in result.output


def test_the_history_lists_the_receipts_the_newest_first(deliver, deploy, aws, commits):
    aws.scripts = [["IN_PROGRESS", "ROLLBACK_SUCCESSFUL"]]
    deploy()
    deploy()
    lines = deliver("history").stdout.splitlines()
    assert lines[0].split() == ["when", "kind", "commit", "outcome", "seconds", "requests", "failed", "by"]
    assert "live" in lines[1]
    assert "rolled back" in lines[2]
    assert lines[2].endswith("unknown")
    assert len(lines) == 3


def test_the_history_is_there_for_programs_too(deliver, deploy, aws, commits):
    deploy()
    shown = deliver("history", "--json")
    found = json.loads(shown.stdout)
    assert found[0]["commit"] == commits.new
    assert found[0]["key"] in aws.objects


def test_the_history_shows_as_many_as_the_limit_says(deliver, deploy, aws, commits):
    deploy()
    deploy("--force")
    assert len(json.loads(deliver("history", "--json", "--limit=1").stdout)) == 1


def test_an_empty_history_says_so(deliver, aws, commits):
    assert "There are none yet." in deliver("history").output


def test_a_plan_shows_the_commits_the_difference_and_the_migrations(deliver, aws, commits, git, root):
    folder = root / "src/colophon/database/migrations/versions"
    folder.mkdir(parents=True)
    (folder / "0003_more.py").write_text("")
    git("add", ".")
    git("commit", "--message=Migrate")
    commit = git("rev-parse", "HEAD")
    digest = aws.push(commit)
    shown = deliver("plan").output
    assert f"runs    {commits.old}" in shown
    assert f"wanted  {commit}" in shown
    changed = [line.strip() for line in shown.splitlines() if line.startswith(("  -", "  +"))]
    assert [line[0] for line in changed] == ["-", "+"] * 3  # site, edge, and what prepares the database
    assert all(f'@{digest}"' in line for line in changed[1::2])
    assert "migrations: 0003_more.py" in shown


def test_a_plan_changes_nothing(deliver, aws, commits):
    deliver("plan")
    assert {call.split()[1].split("-")[0] for call in aws.operations} == {"get", "describe"}


def test_a_plan_says_when_there_is_nothing_to_do(deliver, deploy, aws, commits):
    deploy()
    assert "runs this image already" in deliver("plan").output


def test_a_plan_says_when_the_image_is_not_there(deliver, aws, commits, git):
    git("commit", "--allow-empty", "--message=Not built")
    assert "its image is not in the registry yet" in deliver("plan").output


def test_a_plan_of_a_first_release_says_how_many_tasks_it_starts(deliver, aws, first):
    shown = deliver("plan").output
    assert "runs    nothing yet" in shown
    assert "3 tasks would be started" in shown
