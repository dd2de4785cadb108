"""IAM's policies, read as IAM reads them, as far as the stacks use its language.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Statement = dict[str, Any]


def listed(one_or_more: Any) -> list[Any]:
    """Return a list of what IAM lets stand alone."""
    return one_or_more if isinstance(one_or_more, list) else [one_or_more]


def allowed(statements: Iterable[Statement], action: str, resource: str = "*", **context: str) -> bool:
    """Tell whether a request is allowed: a statement allows it, and none denies it.

    `context` are the condition keys of the request, with `__` for their colon: `ecs__cluster`.
    """
    keys = {name.replace("__", ":"): value for name, value in context.items()}
    effects = {one["Effect"] for one in statements if _is_about(one, action, resource) and _holds(one, keys)}
    return effects == {"Allow"}


def _is_about(statement: Statement, action: str, resource: str) -> bool:
    return _any_fits(statement["Action"], action, ignore_case=True) and _any_fits(
        statement.get("Resource", "*"), resource
    )


def _any_fits(patterns: Any, text: str, *, ignore_case: bool = False) -> bool:
    return any(_fits(pattern, text, ignore_case=ignore_case) for pattern in listed(patterns))


def _fits(pattern: str, text: str, *, ignore_case: bool = False) -> bool:
    expression = ".*".join(re.escape(part) for part in pattern.split("*"))
    return re.fullmatch(expression, text, re.IGNORECASE if ignore_case else 0) is not None


def _holds(statement: Statement, keys: Mapping[str, str]) -> bool:
    return all(
        _compare(operator, keys.get(key), wanted)
        for operator, wishes in statement.get("Condition", {}).items()
        for key, wanted in wishes.items()
    )


def _compare(operator: str, found: str | None, wanted: Any) -> bool:
    match operator:
        case "Null":
            return (found is None) is (wanted == "true")
        case "StringEquals" | "Bool":
            return found in listed(wanted)
        case "BoolIfExists" | "ForAllValues:StringEquals":
            return found is None or found in listed(wanted)
        case "StringNotEqualsIgnoreCase":
            return found is None or found.lower() != wanted
        case "ArnLike" | "ArnEquals":
            return found is not None and _any_fits(wanted, found)
    raise ValueError(operator)
