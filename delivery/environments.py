"""delivery.toml, the file of names: the site's, and each environment's target, account, branch and stack parameters."""

from __future__ import annotations

import os
import re
import tomllib
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).parents[1]
FILE = "delivery.toml"
DEFAULT = "production"
TARGETS = ("ecs",)
CREDENTIALS = ("token", "instance", "environment")
# Names that every resource of the stacks can bear; ecs/*.yml have the same rule. A launch template takes no shorter
# one, and the others are refused by (see AWS's API references) CreateCapacityProvider, PutParameter, CreateBucket,
# CreateLoadBalancer, CreateSecurityGroup and CreateDBSubnetGroup.
PROJECT = "(?!aws|ecs|fargate|ssm|sthree|amzn-s3-demo|internal-|sg-|default$)[a-z][a-z0-9]*(-[a-z0-9]+)*"
PROJECT_LENGTHS = (3, 20)

# For each stack, by its short name, the values of its parameters by name.
Parameters = dict[str, dict[str, str]]


@dataclass(frozen=True)
class Environment:
    """An environment that releases go to: a table of delivery.toml, whose keys these are, with their defaults."""

    name: str
    target: str = "ecs"
    project: str = "colophon"  # the one name that all its resources bear
    account: str | None = None  # the only account to work on; None for whichever the credentials lead to
    region: str | None = None  # None for the one that the aws CLI is set up with
    branch: str = "master"  # the one branch that is released
    address: str | None = None  # the site's; None for the one that the target knows
    credentials: str = "token"  # where a pipeline's come from: delivery/aws/credentials.py
    stacks: Parameters = field(default_factory=dict)


def site_name(root: Path = ROOT) -> str:
    """Return the site's name. Raises ClickException."""
    name = _tables(root / FILE).get("site", {}).get("name", "Colophon")
    return str(name)


def environment(root: Path = ROOT, variables: Mapping[str, str] = os.environ) -> Environment:
    """Return the environment that the variable ENV names, `production` by default. Raises ClickException."""
    path = root / FILE
    name = variables.get("ENV") or DEFAULT
    tables = {table: values for table, values in _tables(path).items() if table != "site"} or {DEFAULT: {}}
    if name not in tables:
        raise click.UsageError(f"ENV: {FILE} has no environment {name}. It has {', '.join(tables)}.")
    given = dict(tables[name])
    keys = {each.name for each in fields(Environment)} - {"name"}
    if unknown := sorted(set(given) - keys):
        raise click.ClickException(f"{path}: [{name}] has no key {unknown[0]}. It may have {', '.join(sorted(keys))}.")
    stacks = {
        stack: {key: _text(value, f"{path}: [{name}.stacks.{stack}] {key}") for key, value in values.items()}
        for stack, values in _stacks(given.pop("stacks", {}), path, name).items()
    }
    found = Environment(
        name, stacks=stacks, **{key: _text(value, f"{path}: [{name}] {key}") for key, value in given.items()}
    )
    for key, value, known in (("target", found.target, TARGETS), ("credentials", found.credentials, CREDENTIALS)):
        if value not in known:
            raise click.ClickException(f"{path}: [{name}] {key} is {value!r}, and must be {' or '.join(known)}.")
    if not (PROJECT_LENGTHS[0] <= len(found.project) <= PROJECT_LENGTHS[1] and re.fullmatch(PROJECT, found.project)):
        raise click.ClickException(
            f"{path}: [{name}] project is {found.project!r}, and must be 3 to 20 lower-case letters, digits and "
            "single hyphens, and no name that AWS keeps from its customers: one that begins with aws, ecs, fargate, "
            "ssm, sthree, amzn-s3-demo, internal- or sg-, or is default."
        )
    return found


def _tables(path: Path) -> dict[str, dict[str, object]]:
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise click.ClickException(f"{path} cannot be read: {error}.") from None
    except tomllib.TOMLDecodeError as error:
        raise click.ClickException(f"{path} is not TOML: {error}.") from None
    for name, values in tables.items():
        if not isinstance(values, dict):
            raise click.ClickException(f"{path}: {name} is outside any table; put it under [{DEFAULT}].")
    return tables


def _stacks(given: object, path: Path, name: str) -> dict[str, dict[str, object]]:
    if not isinstance(given, dict) or not all(isinstance(values, dict) for values in given.values()):
        raise click.ClickException(f"{path}: write a stack's parameters under it, as in [{name}.stacks.network].")
    return given


def _text(value: object, where: str) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    raise click.ClickException(f"{where} must be a string, a number, true or false.")
