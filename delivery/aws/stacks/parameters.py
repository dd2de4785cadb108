"""The values of the stacks' parameters: those chosen in delivery.toml or on the command line, else the defaults."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from delivery.aws.stacks.templates import Parameter
    from delivery.environments import Parameters


class ParametersError(click.ClickException):
    """A parameter is wrong or lacking; the message says which, and where it belongs."""


def add(choices: Parameters, given: Iterable[str]) -> Parameters:
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
    choices: Parameters, declared: Mapping[str, Mapping[str, Parameter]], own: Mapping[str, str]
) -> Parameters:
    """Return a value for every parameter of every stack: what was chosen, else its default.

    `declared` has each stack's parameters, `own` the values that follow from other keys. Raises ParametersError, which
    names all that is wrong.
    """
    wrong = [
        f"[{stack}] is no stack; the stacks are {', '.join(declared)}." for stack in choices if stack not in declared
    ]
    values: Parameters = {}
    for stack, parameters in declared.items():
        chosen = choices.get(stack, {})
        for name in chosen:
            if name in own:
                wrong.append(f"[{stack}] {name} follows from other keys of delivery.toml; leave it out.")
            elif name not in parameters:
                wrong.append(
                    f"[{stack}] has no parameter {name}: it has {', '.join(p for p in parameters if p not in own)}."
                )
        values[stack] = {}
        for name, parameter in parameters.items():
            value = own.get(name, chosen.get(name, parameter.default))
            if value is None:
                wrong.append(f"[{stack}] lacks {name}. {parameter.description}")
            elif name in chosen and not re.fullmatch(parameter.pattern, value):
                must = parameter.constraint or f"what {parameter.pattern} matches"
                wrong.append(f"[{stack}] {name} is {value!r}, and must be {must}.")
            else:
                values[stack][name] = value
    if wrong:
        raise ParametersError("\n".join(["The stacks of delivery.toml and --set do not match the templates.", *wrong]))
    return values
