"""The calls that a deployment makes."""

from pathlib import Path

import pytest

from tests.delivery.aws.resources import target


@pytest.fixture
def made(deploy, deliver, aws, commits, monkeypatch):
    """Each call once: a release, a rotation, one that fails, a slow one, a slow migration, looks and a rollback."""
    deploy()
    deliver("rotate")
    aws.targets.append(target("10.0.1.12", "unhealthy", "Target.Timeout", "Request timed out"))
    aws.scripts = [["IN_PROGRESS", "ROLLBACK_SUCCESSFUL"]]
    deploy("--force", "--desired-count", "2")
    monkeypatch.setenv("DELIVERY_START_TIMEOUT", "0")
    aws.scripts, aws.after_stop = [["IN_PROGRESS"]], ["ROLLBACK_SUCCESSFUL"]
    deploy("--force")
    monkeypatch.setenv("DELIVERY_MIGRATION_TIMEOUT", "0")
    deploy("--force")
    aws.instances.clear()
    for command in ("status", "history", "plan", "preflight", "rollback"):
        deliver(command, *(["--yes"] if command == "rollback" else []))
    for words in aws.program.calls:
        for password in (word for word in words if words[1] == "put-secret-value" and word.startswith("file://")):
            Path(password.removeprefix("file://")).write_text("{}")  # which was removed
    return {
        f"{words[0]} {words[1]} {sorted(word for word in words if word.startswith('--'))}": words
        for words in aws.program.calls
    }
