"""The operation of AWS's API that a request calls, by botocore's models."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import botocore.session
from botocore.exceptions import UnknownServiceError

if TYPE_CHECKING:
    from collections.abc import Mapping

SIGNED = re.compile(r"Credential=[^/]+/\d+/[^/]+/([^/]+)/aws4_request")
# Services whose name in signatures is another than in botocore.
NAMES = {"elasticloadbalancing": "elbv2", "monitoring": "cloudwatch", "states": "stepfunctions"}
# https://smithy.io/2.0/additional-specs/protocols/smithy-rpc-v2.html
NAMED = re.compile(r"/service/\w+/operation/(\w+)")


@cache
def model(service: str) -> Any:
    """Return botocore's model of a service. Raises LookupError."""
    try:
        return botocore.session.get_session().get_service_model(service)
    except UnknownServiceError:
        raise LookupError(f"botocore has no service {service}") from None


def called(method: str, path: str, headers: Mapping[str, str], body: bytes, query: Mapping[str, Any]) -> Any:
    """Return the model of the operation that a request calls; None for a request without a signature.

    Raises LookupError for a signed request that calls no operation.
    """
    action = parse_qs(body.decode()).get("Action") if "urlencoded" in headers.get("content-type", "") else None
    signed = SIGNED.search(headers.get("authorization", ""))
    if not signed and action != ["AssumeRoleWithWebIdentity"]:
        return None
    service = model(NAMES.get(signed[1], signed[1]) if signed else "sts")
    in_path = NAMED.fullmatch(path)
    name = in_path[1] if in_path else headers.get("x-amz-target", "").rpartition(".")[2] or (action or [""])[0]
    if name in service.operation_names:
        return service.operation_model(name)
    every = () if name else map(service.operation_model, service.operation_names)
    fits = {each: fit for each in every if (fit := _fit(each, method, path, {**headers, **query}))}
    if not fits:
        raise LookupError(f"{service.service_name} has no operation {name or f'{method} {path}'}")
    return max(fits, key=fits.__getitem__)


def _fit(operation: Any, method: str, path: str, given: Mapping[str, Any]) -> int:
    """Return how much of a REST operation's own a request has; 0 when it is another operation's."""
    place, _, words = operation.http["requestUri"].partition("?")
    pattern = re.sub(r"\\{\w+(\\\+)?\\}", lambda found: ".+" if found[1] else "[^/]+", re.escape(place.rstrip("/")))
    if operation.http["method"] != method or not re.fullmatch(pattern, path.rstrip("/")):
        return 0
    literal = parse_qs(words, keep_blank_values=True)
    literal.pop("x-id", None)  # a hint for logs, which botocore does not send
    shape = operation.input_shape
    needed = [shape.members[name].serialization for name in shape.required_members] if shape else []
    names = [each["name"] for each in needed if each.get("location") in ("querystring", "header")]
    if any(given.get(key) != value for key, value in literal.items()):
        return 0
    if any(name not in given and name.lower() not in given for name in names):
        return 0
    return 1 + len(literal) + len(names)
