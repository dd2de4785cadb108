"""What is checked before anything is changed. Each check is a line; all of them run, even when the first says no."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from delivery.aws.client import AwsError
from delivery.aws.ecs import checks, diagnosis
from delivery.deployment import release_checks
from delivery.deployment.candidate import No, Warn
from delivery.deployment.outcomes import Cause

if TYPE_CHECKING:
    from collections.abc import Callable

    from delivery.deployment.candidate import Wanted


CHECKS: dict[str, Callable[[Wanted], str]] = {
    "branch": release_checks.branch,
    "cluster": checks.cluster,
    "service": checks.service,
    "deployments": checks.deployments,
    "commit": release_checks.commit,
    "image": release_checks.image,
    "scan": release_checks.scan,
    "roles": checks.roles,
    "secrets": checks.secrets,
    "target group": checks.target_group,
    "log group": checks.log_group,
    "capacity": checks.room,
    "address": checks.site,
}


@dataclass(frozen=True)
class Check:
    """One line: what was checked, how (ok, warning or refused), what was found; when refused, the cause."""

    name: str
    verdict: str
    found: str
    cause: Cause | None = None


def run(wanted: Wanted, tell: Callable[[Check], None]) -> list[Check]:
    """Return what each check found, after telling it. Raises Cancelled."""
    checks = []
    for name, check in CHECKS.items():
        wanted.situation.place.waiting.cancellation.check()
        checks.append(_run(name, check, wanted))
        tell(checks[-1])
    return checks


def _run(name: str, check: Callable[[Wanted], str], wanted: Wanted) -> Check:
    try:
        return Check(name, "ok", check(wanted))
    except Warn as unsure:
        return Check(name, "warning", str(unsure))
    except No as no:
        return Check(name, "refused", str(no), Cause(f"preflight-{name.replace(' ', '-')}", str(no), (), no.change))
    except AwsError as error:
        cause = diagnosis.of_error(error)
        return Check(name, "refused", cause.sentence, cause)
    except click.ClickException as error:
        cause = Cause(f"preflight-{name.replace(' ', '-')}", error.message)
        return Check(name, "refused", error.message, cause)
