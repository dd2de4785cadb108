"""The properties of templates as ECS's API takes them: without capitals, and with numbers, by botocore's own model."""

from __future__ import annotations

from functools import cache
from typing import Any

import botocore.session

PLURALS = {"PlacementStrategies": "placementStrategy"}  # CloudFormation's names that are not the API's


@cache
def _model() -> Any:
    return botocore.session.get_session().get_service_model("ecs")


def as_request(operation: str, properties: dict[str, Any]) -> dict[str, Any]:
    """Return a template's properties as the input of an operation of ECS. Raises ValueError for one that it has not."""
    shape = _model().operation_model(operation).input_shape
    # What a service is created with and cannot be changed by UpdateService stays as it was.
    created = _model().operation_model("CreateService").input_shape.members if operation == "UpdateService" else {}
    lasting = {name.lower() for name in created.keys() - shape.members.keys()}
    found: dict[str, Any] = conform({key: properties[key] for key in properties if key.lower() not in lasting}, shape)
    return found


def conform(value: Any, shape: Any) -> Any:
    """Return a value in the spelling and the types of a shape of botocore's. Raises ValueError where it cannot."""
    if shape.type_name == "structure":
        members = {name.lower(): (name, member) for name, member in shape.members.items()}
        found = {}
        for key, inner in value.items():
            if (name := PLURALS.get(key, key).lower()) not in members:
                raise ValueError(f"{shape.name} of ECS's API has no {key}")
            found[members[name][0]] = conform(inner, members[name][1])
        return found
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
