"""Fixtures of the tests of `stacks`: a stand-in for AWS without anything in it, and the command."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import pytest

from delivery.aws import client
from delivery.aws.stacks import templates
from delivery.cli import main
from tests.delivery.aws.stacks.fake_cloudformation import CloudFormation

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from click.testing import CliRunner, Result

CHOSEN = ("--set", "load-balancer.Domain=books.example.org", "--set", "delivery.GitLabProject=group/colophon")

parameters_once = cache(templates.parameters)  # reading YAML is most of what a run takes


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> CloudFormation:
    cloud = CloudFormation()
    monkeypatch.setattr(client, "call", cloud.call)
    monkeypatch.setenv("DELIVERY_POLL", "0")
    monkeypatch.setattr(templates, "parameters", parameters_once)
    return cloud


@pytest.fixture
def stacks(runner: CliRunner, cloud: CloudFormation, tmp_path: Path) -> Callable[..., Result]:
    def run(*arguments: str, **more: Any) -> Result:
        return runner.invoke(main, ["stacks", "--root", str(tmp_path), *CHOSEN, *arguments], **more)

    return run


@pytest.fixture
def made(cloud: CloudFormation, stacks: Callable[..., Result]) -> CloudFormation:
    """The stand-in, with every stack made."""
    assert stacks("--yes").exit_code == 0
    cloud.calls.clear()
    return cloud
