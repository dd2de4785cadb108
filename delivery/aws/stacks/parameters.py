"""The values that a person chose for the stacks' parameters: in a file, or on the command line."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from delivery.aws.stacks.templates import Parameter

# For each stack, by its short name, the values of its parameters by name.
Choices = dict[str, dict[str, str]]


class ParametersError(click.ClickException):
    """A parameter is wrong or lacking; the message says which, and where it belongs."""


def read(path: Path) -> Choices:
    """Return what a file chooses: TOML with a table for each stack. A file that is not there chooses nothing.

    Raises ParametersError.
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise ParametersError(f"{path} cannot be read: {error}.") from None
    except tomllib.TOMLDecodeError as error:
        raise ParametersError(f"{path} is not TOML: {error}.") from None
    choices: Choices = {}
    for stack, values in tables.items():
        if not isinstance(values, dict):
            raise ParametersError(
                f"{path}: {stack} stands outside of every table; put it under its stack, as [network]."
            )
        choices[stack] = {name: _text(value, f"{path}: [{stack}] {name}") for name, value in values.items()}
    return choices


def _text(value: object, where: str) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    raise ParametersError(f"{where} must be a text, a number, true or false.")


def add(choices: Choices, given: Iterable[str]) -> Choices:
    """Return the choices with the command line's, `STACK.NAME=VALUE`, which go before. Raises ParametersError."""
    merged = {stack: dict(values) for stack, values in choices.items()}
    for one in given:
        name, equals, value = one.partition("=")
        stack, dot, parameter = name.partition(".")
        if not (equals and dot and stack and parameter):
            raise ParametersError(f"--set {one}: write STACK.NAME=VALUE, as in load-balancer.Domain=books.example.org.")
        merged.setdefault(stack, {})[parameter] = value
    return merged


def complete(
    choices: Choices, declared: Mapping[str, Mapping[str, Parameter]], own: Mapping[str, str], path: Path
) -> Choices:
    """Return a value for every parameter of every stack: what was chosen, else its default.

    `declared` has each stack's parameters, `own` the values that are nobody's choice. Raises ParametersError, which
    names all that is wrong.
    """
    wrong = [f"[{stack}] is no stack: there are {', '.join(declared)}." for stack in choices if stack not in declared]
    values: Choices = {}
    for stack, parameters in declared.items():
        chosen = choices.get(stack, {})
        for name in chosen:
            if name in own:
                wrong.append(f"[{stack}] {name} follows from the project's name; leave it out.")
            elif name not in parameters:
                wrong.append(
                    f"[{stack}] has no parameter {name}: it has {', '.join(p for p in parameters if p not in own)}."
                )
        values[stack] = {}
        for name, parameter in parameters.items():
            value = own.get(name, chosen.get(name, parameter.default))
            if value is None:
                wrong.append(f"[{stack}] lacks {name}. {parameter.description}")
            else:
                values[stack][name] = value
    if wrong:
        raise ParametersError("\n".join([f"{path} and --set do not fit the stacks.", *wrong]))
    return values
