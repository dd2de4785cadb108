"""The credentials of the aws CLI: those of the pipeline's own token, or those that a person has set up."""

from __future__ import annotations

import os
import re
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click

from delivery.aws.client import cli
from delivery.aws.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from delivery.deployment.seam import Pipeline

# With a token of the pipeline's own, only its role counts: none of these may replace it.
OTHERS = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
)


@contextmanager
def session(
    pipeline: Pipeline, in_region: str | None = None, environment: Mapping[str, str] = os.environ
) -> Iterator[dict[str, str | None]]:
    """Yield the variables that the aws CLI runs with; the files that they name are gone afterwards.

    A pipeline's identity token, with AWS_ROLE_ARN, is written to a file that only this user reads, as the CLI wants it.
    In a pipeline the CLI has a HOME of its own: it caches credentials there, and the next job on the same runner would
    use them. Raises ClickException for a token without a role, or when no region is set.
    """
    variables: dict[str, str | None] = {
        "AWS_RETRY_MODE": environment.get("AWS_RETRY_MODE", "adaptive"),
        "AWS_MAX_ATTEMPTS": environment.get("AWS_MAX_ATTEMPTS", "6"),
        "AWS_DEFAULT_REGION": in_region or region(environment),
        "AWS_REGION": None,
        "AWS_ID_TOKEN": None,
    }
    token = pipeline.identity_token
    with TemporaryDirectory(prefix="delivery-") as folder:
        if token or pipeline.automatic:
            variables["HOME"] = folder
        if token:
            role = environment.get("AWS_ROLE_ARN")
            if not role:
                raise click.ClickException("AWS_ID_TOKEN is set but AWS_ROLE_ARN, the role to assume with it, is not.")
            path = Path(folder, "token")
            path.touch(mode=0o600)
            path.write_text(token, encoding="utf-8")
            variables |= dict.fromkeys(OTHERS)
            variables |= {
                "AWS_WEB_IDENTITY_TOKEN_FILE": str(path),
                "AWS_ROLE_ARN": role,
                # What CloudTrail shows.
                "AWS_ROLE_SESSION_NAME": re.sub(r"[^\w+=,.@-]", "-", pipeline.job)[:64],
            }
        yield variables


def region(environment: Mapping[str, str]) -> str:
    """Return the region that is set, by variable or in the CLI's own configuration. Raises ClickException for none."""
    given = environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION")
    if not given:
        try:
            given = cli("configure", "get", "region", env={}, quiet=True).strip()
        except AwsError as error:
            # It ends with 1 where none is set, and 127 says that it is not there.
            if error.code != 1:
                raise
            raise click.ClickException(
                "No AWS region is set: write it into delivery.toml, or set AWS_REGION."
            ) from None
    return given
