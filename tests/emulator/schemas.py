"""The properties of a stack's resources, held against CloudFormation's schema of their type before anything is made.

The schemas and the validator are cfn-lint's. It lints templates as they are written; here a property has the value that
a parameter or another resource gave it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cfnlint.jsonschema import CfnTemplateValidator
from cfnlint.schema import PROVIDER_SCHEMA_MANAGER, ResourceNotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterator


def install(region: str) -> None:
    """Check each resource's properties when ministack adds the stack's tags to them, just before it makes anything."""
    from ministack.services.cloudformation import stacks

    tagged = stacks._with_stack_tags

    def checked(kind: str, properties: dict[str, Any], tags: Any, stack: str, stack_id: str, name: str) -> Any:
        if found := list(faults(region, kind, properties)):
            raise ValueError(f"Properties validation failed for resource {name} with message: {'; '.join(found)}")
        return tagged(kind, properties, tags, stack, stack_id, name)

    stacks._with_stack_tags = checked


def faults(region: str, kind: str, properties: dict[str, Any]) -> Iterator[str]:
    """Yield what is wrong with properties, each with its path."""
    try:
        schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema(region, kind).schema
    except ResourceNotFoundError:
        yield f"there is no type {kind} in {region}"
        return
    validator = CfnTemplateValidator(schema)
    # As CloudFormation, take "80" for a number, and a number for a text.
    lenient = validator.evolve(context=validator.context.evolve(strict_types=False))
    for error in lenient.iter_errors(properties):
        yield f"#/{'/'.join(map(str, error.path))}: {error.message}"
