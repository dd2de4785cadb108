"""The deployments' lock, which a change of the stacks holds too: each would take the other's place in the service."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from delivery.aws.errors import AwsError
from delivery.aws.store import Bucket
from delivery.deployment.lock import Lock, Lost
from delivery.deployment.outcomes import Cause, Ended, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from delivery.aws.context import Context
    from delivery.deployment.seam import Store


def store(context: Context) -> Store | None:
    """Return the bucket of the receipts and the lock, None before its stack was made. Raises AwsError."""
    try:
        context.aws.call("s3api", "head-bucket", bucket=context.names.bucket)
    except AwsError as error:
        if error.error == "404":
            return None
        raise
    return Bucket(context.aws, context.names.bucket)


@contextmanager
def held(context: Context, store: Store | None, holder: str, timeout: float) -> Iterator[Callable[[], None]]:
    """Hold the lock, if there can be one, as a deployment does.

    Yields what to call before each change: it makes sure that the lock was not lost, as it expires while a question
    waits for its answer. Raises Ended, refused, when another holds the lock, and AwsError.
    """
    if store is None:
        yield lambda: None
        return
    lock = Lock(store, context.folder, holder, context.settings.lock)

    def settle() -> None:
        lock.renew(now=True)
        lock.may_be_lost = True

    try:
        with lock.held(context.poller, timeout):
            yield settle
    except Lost:
        lost = "The lock expired before the stack was changed, and another deployment has it."
        raise Ended(Outcome.REFUSED, Cause("lock-lost", lost, (), "run this again when that has ended.")) from None
