"""The rehearsal on a real account: `make rehearse ENV=name`. It makes the environment's stacks under a throwaway name.

It has never been run. It begins after the cost was shown and a yes was typed, and deletes the stacks in the end.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from delivery import environments
from delivery.deployment.availability import Meter
from tests.emulator import Failure, Report

from .account import ROOT, VISITS, SetupError
from .clone import Clone, git

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from delivery.environments import Environment

NAME = "rehearsal"  # the environment's, in the clone's delivery.toml
# The scenes that change nothing but the release, and so need neither the emulator nor a GitLab.
SCENES = (
    *("good release", "release with a migration", "same release again", "exits at once", "edge exits at once"),
    *("health check fails", "slow boot", "out of memory", "failing migration", "second deployment at once"),
    *("older commit", "rollback"),
)
NOT_REHEARSED = {
    "GitLab": "a person deploys here, with credentials of their own",
    "the other scenes": "they break what is not the release: roles, secrets, alarms; the emulator plays them",
    "the scan for vulnerabilities": "it is left out, and the passport says so",
}
TRIES, PAUSE = 40, 60.0  # of the deletion, which a stack that is still being made refuses; seconds
METERS = 5


def cost() -> str:
    """Return the cost of the stacks, in words. It is the table of ecs/README.md."""
    readme = (ROOT / "ecs/README.md").read_text(encoding="utf-8")
    month = re.search(r"^\| \*\*together\*\* \|.*\*\*([\d.]+)\*\* \|$", readme, re.MULTILINE)
    assert month, "ecs/README.md has no sum of the costs"
    hour = float(month[1]) / 730
    return f"about {hour:.2f} US dollars an hour for as long as its stacks are there (ecs/README.md, What it costs)"


def environment(name: str) -> Environment:
    """Return an environment of delivery.toml that can be rehearsed. Raises ClickException and SetupError."""
    found = environments.environment(ROOT, {"ENV": name})
    chosen = found.stacks.get("load-balancer", {})
    if not (chosen.get("Domain") and chosen.get("HostedZoneId")):
        raise SetupError(
            f"{name} has no Domain with a HostedZoneId in delivery.toml: the rehearsal's site needs a name below it."
        )
    return found


def table(of: Environment, project: str) -> str:
    """Return the delivery.toml of a throwaway project beside an environment, with nothing of its own left to it."""
    stacks = {name: dict(values) for name, values in of.stacks.items() if name != "delivery"}
    for name, parameter, value in (
        ("load-balancer", "Domain", f"{project}.{stacks['load-balancer']['Domain']}"),
        ("load-balancer", "DeletionProtection", "false"),
        ("database", "DeletionProtection", "false"),
        ("service", "Memory", "512"),
        # The account can have one provider for a GitLab, and the environment's own may be it.
        ("delivery", "Trust", "runner"),
    ):
        stacks.setdefault(name, {})[parameter] = value
    keys = {"target": of.target, "project": project, "branch": "master", "account": of.account, "region": of.region}
    lines = [f"[{NAME}]", *(f"{key} = {json.dumps(value)}" for key, value in keys.items() if value)]
    for name, values in stacks.items():
        lines += [f"[{NAME}.stacks.{name}]", *(f"{key} = {json.dumps(value)}" for key, value in values.items())]
    return "\n".join(lines) + "\n"


def variables() -> dict[str, str]:
    """Return the variables of a person's command on that project."""
    return {name: value for name, value in os.environ.items() if name not in ("CI", "AWS_ID_TOKEN")} | {"ENV": NAME}


@dataclass(frozen=True)
class Account:
    """A real account. `url` is the site's address, `sources` the clone whose stacks these are."""

    url: str
    sources: Path

    def visitors(self) -> Visitors:
        """Return visitors of the site."""
        return Visitors(self.url)


class Visitors:
    """Visitors of a site, each request on a connection of its own."""

    def __init__(self, url: str) -> None:
        self._meters = [Meter(url, METERS / VISITS) for _ in range(METERS)]
        self._entered = ExitStack()

    def __enter__(self) -> Self:
        self._began = time.monotonic()
        for meter in self._meters:
            self._entered.enter_context(meter)
        return self

    def __exit__(self, *_: object) -> None:
        self._entered.close()
        self._seconds = time.monotonic() - self._began

    def report(self) -> Report:
        """Return a report of their requests."""
        tallies = [tally for meter in self._meters if (tally := meter.tally())]
        times = sorted(taken / 1000 for tally in tallies for taken in tally.milliseconds) or [0.0]
        reasons = [reason for tally in tallies for reason in tally.failures]
        failures = [Failure(0.0, 0.0, "/", reason) for reason in reasons]
        p50, p95 = (times[int(share * (len(times) - 1))] for share in (0.5, 0.95))
        return Report(self._seconds, sum(len(each.milliseconds) for each in tallies), failures, p50, p95, times[-1])


class PersonsClone(Clone):
    """A clone whose commands are a person's."""

    def job(self, *_: Any, **__: Any) -> dict[str, str]:
        """Return the variables of a command, whatever role it would have in a pipeline."""
        return variables()


@contextmanager
def prepared(of: Environment, sources: Path, logs: Path, tell: Callable[[str], None]) -> Iterator[Account]:
    """Yield an account with the stacks of a throwaway project; delete them, whatever happened. Raises SetupError."""
    project = f"{NAME}-{secrets.token_hex(3)}"
    (sources / environments.FILE).write_text(table(of, project), encoding="utf-8")
    git("commit", "--quiet", "--all", "--message", "Rehearse", cwd=sources)
    log = logs / "stacks.log"

    def stacks(*words: str) -> bool:
        with log.open("a") as written:
            command = (sys.executable, "-m", "delivery", "stacks", *words)
            # In a group of its own, so that no Ctrl-C reaches the deletion.
            return not subprocess.run(
                command, cwd=sources, env=variables(), stdout=written, stderr=written, check=False, process_group=0
            ).returncode

    if not stacks("--diff"):
        raise SetupError(f"The account cannot be reached, and nothing was made; {log} says why.")
    try:
        tell(f"the stacks of {project}; {log} has each line")
        if not stacks("--yes"):
            raise SetupError(f"The stacks could not be made; {log} says why.")
        yield Account(f"https://{project}.{of.stacks['load-balancer']['Domain']}", sources)
    finally:
        tell(f"deleting the stacks of {project}")
        for left in reversed(range(TRIES)):
            if stacks("--delete", "--confirm", project):
                tell(f"the stacks are deleted; {log} lists what outlives them")
                break
            if not left:
                raise SetupError(
                    f"Stacks of {project} are still there, and cost; {log} says why. Write that project into "
                    "delivery.toml, and `make stacks ARGS=--delete`."
                )
            tell("they cannot all be deleted yet; trying again")
            time.sleep(PAUSE)
