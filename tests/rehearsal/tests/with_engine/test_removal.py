"""All stacks of ecs/, made on an emulator of their own, and taken away again by the line of the menu."""

from __future__ import annotations

import subprocess
import sys

import pytest

from delivery.aws.stacks.update import STACKS
from delivery.environments import ROOT
from tests.emulator import ACCOUNT, REGION, CallError, Emulator

NAMES = [f"colophon-{stack.name}" for stack in STACKS]
DOMAIN = "books.example.org"


@pytest.fixture(scope="module")
def account(ready):
    account = Emulator()
    try:
        yield account
    finally:
        account.end()


@pytest.fixture(scope="module")
def stacks(account, tmp_path_factory):
    folder = tmp_path_factory.mktemp("checkout")

    def run(*words):
        command = (sys.executable, "-m", "delivery", "stacks", "--root", folder, *words)
        return subprocess.run(command, cwd=ROOT, env=account.environment, capture_output=True, text=True, check=False)

    return run


@pytest.fixture(scope="module")
def made(account, stacks):
    zone = account("route53", "create_hosted_zone", Name=DOMAIN, CallerReference="x")["HostedZone"]["Id"]
    chosen = [f"load-balancer.Domain={DOMAIN}", f"load-balancer.HostedZoneId={zone.rpartition('/')[2]}"]
    chosen.append("delivery.GitLabProject=group/colophon")
    ended = stacks("--yes", *(f"--set={one}" for one in chosen))
    assert ended.returncode == 0, ended.stderr
    return account


def test_every_stack_is_deleted_and_what_cannot_be_made_again_remains(made, stacks):
    (group,) = made("autoscaling", "describe_auto_scaling_groups")["AutoScalingGroups"]
    assert [one["ProtectedFromScaleIn"] for one in group["Instances"]] == [True] * 3
    ended = stacks("--delete", "--confirm=colophon")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "instances that have not ended yet: 3" in ended.stdout
    lines = ended.stdout.splitlines()
    assert [line.split(":")[0] for line in lines if line.endswith(": is deleted.")] == NAMES[::-1]
    for name in NAMES:
        with pytest.raises(CallError, match="does not exist"):
            made("cloudformation", "describe_stacks", StackName=name)
    assert made("ssm", "get_parameter", Name="/colophon/released-image")["Parameter"]["Value"] == "none"
    buckets = {one["Name"] for one in made("s3", "list_buckets")["Buckets"]}
    assert f"colophon-receipts-{ACCOUNT}-{REGION}" in buckets
    assert stacks("--delete", "--confirm=colophon").stdout.count("is not there.") == len(STACKS)
