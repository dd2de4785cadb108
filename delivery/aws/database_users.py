"""The two users that the site serves as in turn, each in a secret of ecs/database.yml."""

from __future__ import annotations

import json
import secrets
import tempfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from delivery.aws.context import Context
    from delivery.deployment.seam import Json

OTHER = {"site_1": "site_2", "site_2": "site_1"}


class DatabaseUsers:
    """The users of one project, for an administrator who may read and write their secrets."""

    def __init__(self, context: Context) -> None:
        self._aws, self._names = context.aws, context.names

    def advance(self) -> None:
        """Have the next user serve, in each task that starts from now on. Raises AwsError."""
        self._write(self._names.site_user, self._read(self._names.next_user), "the next user became the site's")

    def renew(self) -> None:
        """Have the user that served before be the next one, with a new password. Raises AwsError."""
        user = {"username": OTHER[self._read(self._names.site_user)["username"]], "password": secrets.token_hex(20)}
        self._write(self._names.next_user, user, f"{user['username']} got a new password")

    def _read(self, name: str) -> Json:
        user: Json = json.loads(self._aws.call("secretsmanager", "get-secret-value", secret_id=name)["SecretString"])
        return user

    def _write(self, name: str, user: Json, change: str) -> None:
        # A file that only this user can read, for a command line can be read by all.
        with tempfile.NamedTemporaryFile("w") as file:
            json.dump(user, file)
            file.flush()
            self._aws.call(
                *("secretsmanager", "put-secret-value"),
                secret_id=name,
                secret_string=f"file://{file.name}",
                change=change,
            )
