"""The properties of templates as ECS's API takes them: without capitals, and with numbers, by botocore's own model."""

from __future__ import annotations

from functools import cache
from typing import Any

import botocore.session


@cache
def _model() -> Any:
    return botocore.session.get_session().get_service_model("ecs")


def as_request(operation: str, properties: dict[str, Any]) -> dict[str, Any]:
    """Return a template's properties as the input of an operation of ECS, without those that it does not have."""
    found: dict[str, Any] = conform(properties, _model().operation_model(operation).input_shape)
    return found


def conform(value: Any, shape: Any) -> Any:
    """Return a value in the spelling and the types of a shape of botocore's."""
    if shape.type_name == "structure":
        members = {name.lower(): (name, member) for name, member in shape.members.items()}
        known = ((members[key.lower()], inner) for key, inner in value.items() if key.lower() in members)
        return {name: conform(inner, member) for (name, member), inner in known}
    if shape.type_name == "list":
        return [conform(inner, shape.member) for inner in value]
    if shape.type_name == "map":
        return {str(key): conform(inner, shape.value) for key, inner in value.items()}
    if shape.type_name == "boolean":
        return str(value).lower() == "true"
    if shape.type_name in ("integer", "long"):
        return int(value)
    if shape.type_name in ("double", "float"):
        return float(value)
    return str(value)
