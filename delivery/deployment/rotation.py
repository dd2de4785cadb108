"""A rotation: what runs is deployed again as the next user of the database, then the one before gets a new password.

Before a task can start as a user, the database has that user's password; so no request is lost. Whichever step a
rotation ends after, the next one begins anew and ends right.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from delivery.deployment.cancellation import Cancelled
from delivery.deployment.deployment import Deployment
from delivery.deployment.errors import CallError
from delivery.deployment.outcomes import Cause, Ended, Outcome

if TYPE_CHECKING:
    from delivery.deployment.seam import Revision, Users


class Rotation(Deployment):
    """A deployment of the release that runs, as the next of these users."""

    _revision: Revision

    def __init__(self, users: Users, *arguments: Any) -> None:
        super().__init__(*arguments, force=True)
        self._users = users

    def _ready(self, revision: Revision) -> None:
        """Set both users' passwords, and have the next user serve. Raises Ended, Cancelled and CallError."""
        self._revision = revision
        self._migrate(revision)
        self._display.step("Next user")
        self._poller.until_answered(self._users.advance)

    def _record(self) -> None:
        """Record the release, and end the password that is not used any more. Raises Ended."""
        super()._record()
        self._display.step("New password")
        try:
            self._poller.until_answered(self._users.renew)
            self._migrate(self._revision)
        except (Cancelled, CallError, Ended) as error:
            cause = error.cause if not isinstance(error, Cancelled) else Cause("cancelled", f"Cancelled by {error}.")
            sentence = f"The site serves as another user, but the one before may still log in: {cause.sentence}"
            change = f"run `make rotate` again. {cause.change}".strip()
            raise Ended(Outcome.FAILED, replace(cause, sentence=sentence, change=change)) from None
