"""What the commands share: a session with AWS, and errors as one sentence with its cause."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from delivery.aws import credentials
from delivery.aws.client import Aws, AwsError
from delivery.aws.ecs import diagnosis
from delivery.aws.ecs import service as situation
from delivery.deployment.cancellation import Cancellation, Waiting
from delivery.deployment.outcomes import Cause, Ended, Outcome
from delivery.release import checkout
from delivery.settings import settings
from delivery.terminal.shell import CommandError, output

if TYPE_CHECKING:
    from collections.abc import Iterator

    from delivery.aws.ecs.service import Place

root_option = click.option(
    "--root", type=click.Path(path_type=Path, exists=True, file_okay=False), default=checkout.ROOT, hidden=True
)
commit_option = click.option(
    "--commit", envvar="CI_COMMIT_SHA", metavar="COMMIT", help="The commit; by default the one that is checked out."
)


@contextmanager
def session(root: Path) -> Iterator[Place]:
    """Yield the place to work on. Raises Ended, refused, when a call to AWS fails that nobody else answers for.

    SIGTERM ends this as Ctrl-C does, so that no token is left behind. Whoever changes something notes both instead.
    """
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    waiting = Waiting(settings().poll, Cancellation())
    changes: dict[str, bool] = {}
    try:
        with credentials.session() as variables:
            aws = Aws(variables, changes)
            yield situation.place(aws, str(variables["AWS_DEFAULT_REGION"]), root, waiting)
    except Ended as ended:
        raise Ended(ended.outcome, ended.cause, changes) from None
    except CommandError as error:
        if error.killed:
            raise Ended(Outcome.CANCELLED, Cause("cancelled", f"Cancelled: {error.message}."), changes) from None
        if isinstance(error, AwsError):
            raise Ended(Outcome.REFUSED, diagnosis.of_error(error), changes) from None
        raise
    except KeyboardInterrupt:
        raise Ended(Outcome.CANCELLED, Cause("cancelled", "Cancelled."), changes) from None
    finally:
        signal.signal(signal.SIGTERM, before)


def whole_commit(root: Path, given: str | None) -> str:
    """Return the 40 digits of a commit, of the one that is checked out by default. Raises UsageError for no commit."""
    try:
        return output("git", "rev-parse", "--verify", f"{given or 'HEAD'}^{{commit}}", cwd=root, quiet=True).strip()
    except CommandError:
        raise click.UsageError(f"{given or root} is no commit of this checkout.") from None
