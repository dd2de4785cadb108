"""Shared by the commands: options, a session with the environment's target, and the candidate of a commit."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from delivery import environments, pipelines
from delivery.aws import credentials
from delivery.aws.client import Aws
from delivery.aws.context import Context
from delivery.aws.ecs.target import EcsTarget
from delivery.aws.names import Names
from delivery.deployment.cancellation import Cancellation, Poller
from delivery.deployment.errors import CallError
from delivery.deployment.outcomes import Cause, Ended, Outcome, unchanged
from delivery.deployment.seam import Candidate
from delivery.release import image, trivy
from delivery.settings import Settings, settings
from delivery.terminal.shell import CommandError, output

if TYPE_CHECKING:
    from collections.abc import Iterator

    from delivery.deployment.seam import Pipeline
    from delivery.environments import Environment

root_option = click.option(
    "--root", type=click.Path(path_type=Path, exists=True, file_okay=False), default=environments.ROOT, hidden=True
)
commit_option = click.option(
    "--commit", metavar="COMMIT", help="The commit; by default the pipeline's, or the one that is checked out."
)
wait_option = click.option(
    "--wait", type=click.FloatRange(0), default=0, metavar="SECONDS", help="Wait so long for a running deployment."
)
allow_older_option = click.option(
    "--allow-older", is_flag=True, help="Deploy a commit that is older than the running one, or of another branch."
)


@dataclass(frozen=True)
class Session:
    """One command's work on an environment."""

    target: EcsTarget
    environment: Environment
    pipeline: Pipeline
    poller: Poller
    settings: Settings
    folder: Path  # build/, where files are left for people to read


@contextmanager
def session(root: Path) -> Iterator[Session]:
    """Yield a session with the environment's target. Raises Ended, refused or unavailable, when a call to it fails.

    SIGTERM ends this as Ctrl-C does, so that no token is left behind. A deployment records both instead.
    """
    environment, pipeline, chosen = environments.environment(root), pipelines.current(), settings()
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    poller = Poller(chosen.poll, Cancellation())
    changes: dict[str, bool] = {}
    try:
        with credentials.session(pipeline, environment.credentials, environment.region) as variables:
            aws = Aws(variables, changes)
            caller = aws.call("sts", "get-caller-identity")
            source = credentials.name(pipeline, environment.credentials)
            click.echo(f"Credentials: {source}, {caller['Arn']}.", err=True)
            account = caller["Account"]
            require_account(environment, account)
            names = Names(environment.project, account, str(variables["AWS_DEFAULT_REGION"]))
            context = Context(aws, names, chosen, root, poller, caller["Arn"])
            yield Session(EcsTarget(context), environment, pipeline, poller, chosen, context.folder)
    except Ended as ended:
        raise Ended(ended.outcome, ended.cause, changes) from None
    except CommandError as error:
        if error.killed:
            raise Ended(Outcome.CANCELLED, Cause("cancelled", f"Cancelled: {error.message}."), changes) from None
        if isinstance(error, CallError):
            raise unchanged(error.cause, changes, may_pass=error.may_pass) from None
        raise
    except KeyboardInterrupt:
        raise Ended(Outcome.CANCELLED, Cause("cancelled", "Cancelled."), changes) from None
    finally:
        signal.signal(signal.SIGTERM, before)


def candidate(on: Session, root: Path, commit: str | None, *, allow_older: bool = False) -> Candidate:
    """Return the candidate of a commit, by default the one checked out. Raises UsageError for no commit."""
    # The image that `push` left, which a later job of the pipeline gets as a variable.
    expected = (on.pipeline.pushed_image or "").partition("@")[2] or None
    try:
        built = image.described(root)
    except click.ClickException:
        built = {}
    return Candidate(
        whole_commit(root, commit),
        root,
        on.environment.branch,
        on.pipeline,
        on.target,
        expected=expected,
        scanned=built.get("digest") if built.get("scan") == "passed" else None,
        exceptions={exception["id"] for exception in trivy.exceptions()},
        allow_older=allow_older,
    )


def whole_commit(root: Path, given: str | None) -> str:
    """Return the 40 digits of a commit, by default the pipeline's, or the one checked out. Raises UsageError."""
    name = given or pipelines.current().commit or "HEAD"
    try:
        return output("git", "rev-parse", "--verify", f"{name}^{{commit}}", cwd=root, quiet=True).strip()
    except CommandError:
        raise click.UsageError(f"{given or root} is not a commit of this checkout.") from None


def require_account(environment: Environment, account: str) -> None:
    """Raise Ended, refused, when an environment is in another account than the credentials."""
    if environment.account not in (None, account):
        cause = Cause(
            "other-account",
            f"The credentials are of the account {account}, and {environment.name} is in {environment.account}.",
            (),
            "use that account's credentials, or correct `account` in delivery.toml.",
        )
        raise Ended(Outcome.REFUSED, cause)
