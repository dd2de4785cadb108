"""Deliver to an AWS that behaves as AWS does: `python -m tests.rehearsal.awkward [FAULT]...`, by default each.

It prints a table of a first and a second release under each fault, beside those under none. The delivery and its `aws`
commands are real, and so are the stacks of ecs/; the tasks are not, so it needs no engine. `+` combines faults.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click

from tests.emulator import ACCOUNT, REGION, CallError, Emulator, until

from .account import DOMAIN, GITLAB, PROJECT, ROOT, Account
from .clone import Clone, sources

LOGS = ROOT / "build/awkward"
STACKS = ("network", "registry", "cluster", "load-balancer", "database", "service", "delivery")
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
# Where AWS is, rather than how it behaves; all else is a fault of the emulator.
PLACES = {
    "none": (REGION, ACCOUNT),
    "aws-cn": ("cn-north-1", ACCOUNT),
    "aws-us-gov": ("us-gov-west-1", ACCOUNT),
    "account-with-a-zero": (REGION, "012345678901"),
}
FAULTS = ("throttled", "late", "paged", "error", "dropped", "slow", "clock")
COMBINED = "throttled+late+paged+dropped"
CLOCK = 3  # the exit code of a refusal; no release is possible from a clock that is off


@dataclass(frozen=True)
class Released:
    """A release under a fault: the exit code, the one cause it named, and what it took."""

    code: int
    cause: str | None
    serves: bool  # the site names the commit
    calls: int
    seconds: float


def under(name: str, folder: Path, logs: Path) -> list[Released]:
    """Deliver a first and a second release under a fault, or several, and return both."""
    region, account = PLACES.get(name, PLACES["none"])
    aws = Emulator("--scripted", region=region, account=account)
    try:
        site = _prepared(aws, sources(folder), logs)
        clone = Clone(site, logs, lambda _: None)
        clone.scene = name
        return [_release(site, clone, [] if name in PLACES else name.split("+")) for _ in range(2)]
    finally:
        aws.end()


def _prepared(aws: Emulator, clone: Path, logs: Path) -> Account:
    """Return an account with the stacks, as it is before the first release."""
    zone = aws("route53", "create_hosted_zone", Name=DOMAIN, CallerReference="awkward")["HostedZone"]["Id"]
    given = {"load-balancer": {"Domain": DOMAIN, "HostedZoneId": zone.rpartition("/")[2]}}
    given["delivery"] = {"GitLabUrl": GITLAB, "GitLabProject": PROJECT}
    for name in STACKS:
        if name == "service":
            given[name] = {"SiteUrl": aws.state()["load_balancers"]["colophon"]}
        _make(aws, name, (clone / f"ecs/{name}.yml").read_text(), given.get(name, {}))
    return Account(aws, given["service"]["SiteUrl"], {}, clone, (), logs)


def _make(aws: Emulator, name: str, template: str, given: dict[str, str]) -> None:
    parameters = [{"ParameterKey": key, "ParameterValue": value} for key, value in given.items()]
    stack = {"StackName": f"colophon-{name}", "Capabilities": ["CAPABILITY_NAMED_IAM"]}
    aws("cloudformation", "create_stack", TemplateBody=template, Parameters=parameters, **stack)

    def status() -> str:
        found = aws("cloudformation", "describe_stacks", StackName=stack["StackName"])["Stacks"][0]["StackStatus"]
        return "" if found == "CREATE_IN_PROGRESS" else str(found)

    assert (ended := until(status)) == "CREATE_COMPLETE", f"the stack {name} is {ended}"


def _release(account: Account, clone: Clone, faults: list[str]) -> Released:
    """Commit, push an image that exists by name only, and deploy it while AWS has these faults."""
    commit = clone.commit("Have something to release")
    aws, began = account.aws, time.monotonic()
    config = {"digest": f"sha256:{hashlib.sha256(commit.encode()).hexdigest()}", "size": 2}
    manifest = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": []})
    image = {"repositoryName": "colophon", "imageTag": commit, "imageManifestMediaType": MANIFEST}
    aws("ecr", "put_image", imageManifest=manifest, **image)
    aws.behave(*faults)
    if "late" in faults:  # `make push` waits for it, too
        until(lambda: _shows(aws, commit))
        aws.behave(*faults)
    ended = clone.deliver("deploy")
    calls, seconds = aws.state()["calls"], time.monotonic() - began
    aws.behave()
    return Released(ended.code, ended.diagnosis, _served(account.url) == commit, calls, seconds)


def _shows(aws: Emulator, commit: str) -> bool:
    try:
        return bool(aws("ecr", "describe_images", repositoryName="colophon", imageIds=[{"imageTag": commit}]))
    except CallError:
        return False


def _served(url: str) -> Any:
    try:
        with urllib.request.urlopen(f"{url}/release.json", timeout=10) as answer:
            return json.load(answer)["commit"]
    except OSError:
        return None


def right(name: str, released: Released) -> bool:
    """Tell whether a release ended as it has to: live, or, from a clock that is off, with a refusal and its cause."""
    if "clock" in name:
        return released.code == CLOCK and bool(released.cause) and not released.serves
    return released.code == 0 and released.serves


@click.command(help=__doc__)
@click.argument("chosen", metavar="[FAULT]...", nargs=-1)
def main(chosen: tuple[str, ...]) -> None:
    """Print the table. Exits 1 unless each release ended as it has to."""
    shutil.rmtree(LOGS, ignore_errors=True)
    LOGS.mkdir(parents=True)
    wrong = []
    click.echo("| AWS | first release | calls | seconds | second release | calls | seconds |")
    click.echo("| --- | --- | --- | --- | --- | --- | --- |")
    for name in chosen or (*PLACES, *FAULTS, COMBINED):
        with TemporaryDirectory(prefix="awkward-") as folder:
            both = under(name, Path(folder), LOGS)
        cells = [cell for each in both for cell in (_outcome(each), str(each.calls), f"{each.seconds:.0f}")]
        click.echo(f"| {' | '.join([name, *cells])} |")
        wrong += [name for each in both if not right(name, each)]
    sys.exit(1 if wrong else 0)


def _outcome(released: Released) -> str:
    return "live" if released.code == 0 and released.serves else f"{released.code}: {released.cause}"


if __name__ == "__main__":
    main()
