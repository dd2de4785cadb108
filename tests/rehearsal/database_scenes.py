"""The scenes of the database: its users, their secrets, and a restored instance."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from delivery.deployment.outcomes import Outcome
from tests.emulator import docker

from .account import OWNER, RESTORED
from .stage import Scene

if TYPE_CHECKING:
    from .command import Ended
    from .stage import Stage


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


SCENES = (
    Scene("missing secret", a_missing_secret, Outcome.REFUSED, "is being deleted"),
    Scene("secret without its key", a_secret_without_its_key, Outcome.MIGRATION_FAILED, "has no key password"),
    Scene("owner password changes", the_owners_password_changes, Outcome.LIVE),
    Scene("rotation", a_rotation, Outcome.LIVE, short=True),
    Scene("restored database", a_restored_database, Outcome.LIVE),
)
