"""The credentials of the aws CLI: a pipeline's from the environment's one source, a person's as they are set up."""

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
from delivery.deployment.outcomes import Cause, Ended, Outcome
from delivery.environments import FILE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from delivery.deployment.seam import Pipeline

# A source's name in delivery.toml, and its name for people.
SOURCES = {
    "token": "the job's identity token",
    "instance": "the role of the EC2 instance that the runner is on",
    "environment": "the keys in the job's variables",
}
BY_HAND = "what the aws CLI is set up with"
KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
# The CLI tries these one after the other, and a failure of one goes unseen: so only the source's own stay.
TAKEN_FROM = (
    *KEYS,
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_EC2_METADATA_DISABLED",
)


def name(pipeline: Pipeline, source: str) -> str:
    """Return the name of the source that a pipeline's, or a person's, credentials come from."""
    return SOURCES[source] if pipeline.automatic else BY_HAND


@contextmanager
def session(
    pipeline: Pipeline, source: str, in_region: str | None = None, environment: Mapping[str, str] = os.environ
) -> Iterator[dict[str, str | None]]:
    """Yield the variables that the aws CLI runs with; the files that they name are gone afterwards.

    In a pipeline they lead to the credentials of that source (SOURCES) and to no other, and the CLI has a HOME of its
    own: it caches credentials there, and the next job on the same runner would use them. Raises Ended, refused, for a
    source that is not there, and ClickException when no region is set.
    """
    variables: dict[str, str | None] = {
        "AWS_RETRY_MODE": environment.get("AWS_RETRY_MODE", "adaptive"),
        "AWS_MAX_ATTEMPTS": environment.get("AWS_MAX_ATTEMPTS", "6"),
        "AWS_DEFAULT_REGION": in_region or region(environment),
        "AWS_REGION": None,
        "AWS_ID_TOKEN": None,
    }
    with TemporaryDirectory(prefix="delivery-") as folder:
        if pipeline.automatic:
            variables |= dict.fromkeys(TAKEN_FROM) | {"HOME": folder}
            variables |= _OF[source](pipeline, environment, Path(folder))
        yield variables


def _by_token(pipeline: Pipeline, environment: Mapping[str, str], folder: Path) -> dict[str, str]:
    if not pipeline.identity_token:
        raise _lacking("token", "AWS_ID_TOKEN is not set", "the job's id_tokens in .gitlab-ci.yml")
    path = folder / "token"
    path.touch(mode=0o600)
    path.write_text(pipeline.identity_token, encoding="utf-8")
    return {
        "AWS_WEB_IDENTITY_TOKEN_FILE": str(path),
        "AWS_ROLE_ARN": _role("token", environment),
        "AWS_ROLE_SESSION_NAME": _session_name(pipeline),
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def _by_instance(pipeline: Pipeline, environment: Mapping[str, str], folder: Path) -> dict[str, str]:
    role = _role("instance", environment)
    path = folder / "config"
    lines = ("[default]", "credential_source = Ec2InstanceMetadata", f"role_arn = {role}")
    path.write_text("\n".join((*lines, f"role_session_name = {_session_name(pipeline)}\n")), encoding="utf-8")
    return {"AWS_CONFIG_FILE": str(path)}


def _by_environment(_pipeline: Pipeline, environment: Mapping[str, str], _folder: Path) -> dict[str, str]:
    # A key without a session token never expires.
    if lacking := next((name for name in KEYS if not environment.get(name)), None):
        raise _lacking("environment", f"{lacking} is not set", "the step that gives the job its short-lived keys")
    return {"AWS_EC2_METADATA_DISABLED": "true"} | {name: environment[name] for name in KEYS}


_OF = {"token": _by_token, "instance": _by_instance, "environment": _by_environment}


def _role(source: str, environment: Mapping[str, str]) -> str:
    role = environment.get("AWS_ROLE_ARN")
    if not role:
        raise _lacking(source, "AWS_ROLE_ARN, the role to assume, is not set", "the job's variables in .gitlab-ci.yml")
    return role


def _session_name(pipeline: Pipeline) -> str:
    """Return what CloudTrail shows."""
    return re.sub(r"[^\w+=,.@-]", "-", pipeline.job)[:64]


def _lacking(source: str, why: str, change: str) -> Ended:
    sentence = f"This environment's credentials are {SOURCES[source]}, and {why}."
    change = f"change {change}; or choose another source, `credentials` in {FILE} (delivery/README.md)."
    return Ended(Outcome.REFUSED, Cause("no-credentials", sentence, (), change))


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
