"""The stacks' templates, as far as a step must know them: the parameters that each takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import click
import yaml

if TYPE_CHECKING:
    from pathlib import Path


class Parameter(NamedTuple):
    """A parameter of a template; `default` is None when it must be given.

    `pattern` is what a value must match as a whole, `constraint` that in words; both are CloudFormation's own.
    """

    description: str
    default: str | None
    pattern: str = ".*"
    constraint: str = ""


class _Loader(yaml.SafeLoader):
    """Reads past CloudFormation's `!Ref` and its like, as no parameter contains one."""


def _ignore(_loader: _Loader, _tag: str, _node: yaml.Node) -> None:
    return None


_Loader.add_multi_constructor("!", _ignore)


def parameters(template: Path) -> dict[str, Parameter]:
    """Return the parameters of a template by name, in its order. Raises click.ClickException when it cannot be read."""
    try:
        content: dict[str, Any] = yaml.load(template.read_text(encoding="utf-8"), _Loader)  # noqa: S506 -- a safe loader
    except (OSError, yaml.YAMLError) as error:
        raise click.ClickException(f"{template} cannot be read: {' '.join(str(error).split())}.") from None
    return {
        name: Parameter(
            " ".join(declared["Description"].split()),
            _text(declared.get("Default")),
            declared.get("AllowedPattern", ".*"),
            declared.get("ConstraintDescription", ""),
        )
        for name, declared in content["Parameters"].items()
    }


def _text(default: str | int | None) -> str | None:
    return None if default is None else str(default)
