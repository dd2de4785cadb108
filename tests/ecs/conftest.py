"""What the tests of the stacks can use: the templates, as they are written and as AWS would take them."""

from __future__ import annotations

import shutil
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from delivery.aws.stacks.update import ECS, STACKS
from tests.cloudformation import Template, parse, resolve
from tests.conftest import unavailable

if TYPE_CHECKING:
    from collections.abc import Callable

# What has no default.
GIVEN = {
    "load-balancer": {"Domain": "books.example.org", "HostedZoneId": "Z0"},
    "delivery": {"GitLabUrl": "https://gitlab.example.org", "GitLabProject": "group/colophon"},
}


@pytest.fixture(scope="session")
def templates() -> dict[str, Template]:
    """Every template by its stack's name, in the order in which the stacks are made."""
    return {stack.name: parse((ECS / stack.file).read_text()) for stack in STACKS}


@pytest.fixture(scope="session")
def stack(templates: dict[str, Template]) -> Callable[..., Template]:
    """Return a template as AWS would take it with the parameters that are given."""
    return lambda name, **given: resolve(templates[name], **GIVEN.get(name, {}) | given)


@pytest.fixture(scope="session")
def resources(stack: Callable[..., Template]) -> Callable[..., Template]:
    """Return the properties of a stack's resources by their names, as AWS would take them."""
    return lambda name, **given: {
        logical: resource.get("Properties", {}) for logical, resource in stack(name, **given)["Resources"].items()
    }


@pytest.fixture(scope="session")
def cfn_lint() -> Path:
    """The program, which `make setup FOR=delivery` installs."""
    program = shutil.which("cfn-lint", path=Path(sys.executable).parent)
    if not program:
        unavailable("cfn-lint is not installed (make setup FOR=delivery)")
    return Path(str(program))


@pytest.fixture(scope="session")
def aws_models() -> Any:
    """The AWS command line's session, which knows every call of AWS."""
    try:
        return import_module("awscli.botocore.session").get_session()
    except ImportError:
        return unavailable("the AWS command line is not installed (make setup FOR=delivery)")
