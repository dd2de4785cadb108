"""CloudFormation's templates, read and resolved without AWS."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# A template, or a part of one: what JSON can say.
Template = dict[str, Any]


class _Loader(yaml.SafeLoader):
    """YAML as CloudFormation reads it: a date is text, and a key that stands twice is an error."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        mapping: dict[Any, Any] = super().construct_mapping(node, deep)
        if len(mapping) < len(node.value):
            raise yaml.constructor.ConstructorError(problem="a key stands twice", problem_mark=node.start_mark)
        return mapping


def _short_form(loader: _Loader, suffix: str, node: yaml.Node) -> Template:
    value: Any
    if isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    elif isinstance(node, yaml.MappingNode):
        value = loader.construct_mapping(node, deep=True)
    else:
        value = node.value
    if suffix in ("Ref", "Condition"):
        return {suffix: value}
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {f"Fn::{suffix}": value}


def _text(_loader: _Loader, node: yaml.Node) -> str:
    return str(node.value)


_Loader.add_multi_constructor("!", _short_form)
_Loader.add_constructor("tag:yaml.org,2002:timestamp", _text)


def parse(text: str) -> Template:
    """Return a template with every `!Ref` and `!Sub` in its long form. Raises yaml.YAMLError."""
    template: Template = yaml.load(text, _Loader)  # noqa: S506 -- a safe loader, with CloudFormation's tags
    return template


def walk(part: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield every part of a template with the path to it, the whole first."""
    yield path, part
    if isinstance(part, dict):
        for key, value in part.items():
            yield from walk(value, (*path, str(key)))
    elif isinstance(part, list):
        for index, value in enumerate(part):
            yield from walk(value, (*path, str(index)))


_PSEUDO = {
    "AWS::AccountId": "123456789012",
    "AWS::Partition": "aws",
    "AWS::Region": "eu-central-1",
    "AWS::URLSuffix": "amazonaws.com",
}
_NO_VALUE = object()
_IN_SUB = re.compile(r"\$\{([^}!]+)\}")


def resolve(template: Template, **parameters: str) -> Template:
    """Return a template as CloudFormation would take it with these parameters, in a made-up account.

    What only AWS knows is a name in angle brackets: `<Vpc>`, `<Repository.Arn>`, `<import colophon-VpcId>`. Resources
    and outputs whose condition is false are left out.
    """
    return _Resolution(template, parameters).run()


class _Resolution:
    def __init__(self, template: Template, parameters: Mapping[str, str]) -> None:
        declared = template.get("Parameters", {})
        assert parameters.keys() <= declared.keys()
        defaults = {name: str(one["Default"]) for name, one in declared.items() if "Default" in one}
        self._values = _PSEUDO | defaults | dict(parameters)
        self._template = template

    def run(self) -> Template:
        whole = dict(self._template)
        for section in ("Resources", "Outputs"):
            whole[section] = {
                name: self.of(part)
                for name, part in self._template.get(section, {}).items()
                if "Condition" not in part or self._holds(part["Condition"])
            }
        return whole

    def of(self, part: Any) -> Any:
        if isinstance(part, list):
            return [value for one in part if (value := self.of(one)) is not _NO_VALUE]
        if not isinstance(part, dict):
            return part
        if len(part) == 1:
            ((function, argument),) = part.items()
            if function == "Ref" or function.startswith("Fn::"):
                return self._call(function.removeprefix("Fn::"), argument)
        resolved = {key: self.of(value) for key, value in part.items()}
        return {key: value for key, value in resolved.items() if value is not _NO_VALUE}

    def _call(self, function: str, argument: Any) -> Any:
        match function:
            case "Ref":
                return _NO_VALUE if argument == "AWS::NoValue" else self._values.get(argument, f"<{argument}>")
            case "GetAtt":
                return f"<{'.'.join(argument)}>"
            case "ImportValue":
                return f"<import {self.of(argument)}>"
            case "Sub":
                text, values = (argument, {}) if isinstance(argument, str) else argument
                known = self._values | {name: self.of(value) for name, value in values.items()}
                return _IN_SUB.sub(lambda found: str(known.get(found[1], f"<{found[1]}>")), text)
            case "If":
                return self.of(argument[1] if self._holds(argument[0]) else argument[2])
            case "Join":
                return argument[0].join(self.of(argument[1]))
            case "Split":
                return self.of(argument[1]).split(argument[0])
            case "Base64":
                return self.of(argument)
        return {function: self.of(argument)}

    def _holds(self, condition: str) -> bool:
        return self._truth(self._template["Conditions"][condition])

    def _truth(self, test: Template) -> bool:
        ((function, argument),) = test.items()
        match function:
            case "Fn::Equals":
                return bool(self.of(argument[0]) == self.of(argument[1]))
            case "Fn::Not":
                return not self._truth(argument[0])
            case "Fn::And":
                return all(self._truth(one) for one in argument)
            case "Fn::Or":
                return any(self._truth(one) for one in argument)
            case "Condition":
                return self._holds(argument)
        raise ValueError(function)
