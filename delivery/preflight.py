"""What is checked before anything is changed. Each check is a line; all of them run, even when the first says no."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from . import diagnosis, releasechecks, servicechecks
from .aws import AwsError
from .outcomes import Cause
from .wanted import No, Warn

if TYPE_CHECKING:
    from collections.abc import Callable

    from .wanted import Wanted


CHECKS: dict[str, Callable[[Wanted], str]] = {
    "branch": releasechecks.branch,
    "cluster": servicechecks.cluster,
    "service": servicechecks.service,
    "deployments": servicechecks.deployments,
    "commit": releasechecks.commit,
    "image": releasechecks.image,
    "scan": releasechecks.scan,
    "roles": servicechecks.roles,
    "secrets": servicechecks.secrets,
    "target group": servicechecks.target_group,
    "log group": servicechecks.log_group,
    "capacity": servicechecks.room,
    "address": servicechecks.site,
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
