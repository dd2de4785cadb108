"""Answers of AWS's API, held against botocore's model of their operation: members, types, enum values, errors."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from botocore.model import StructureShape

from . import answers

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

TYPES: dict[str, Any] = {
    "structure": (dict,),
    "list": (list,),
    "map": (dict,),
    "string": (str,),
    "integer": (int,),
    "long": (int,),
    "double": (int, float),
    "float": (int, float),
    "boolean": (bool,),
    "timestamp": (int, float, datetime),
    "blob": (str, bytes),
}
NOTHING = StructureShape("Nothing", {"type": "structure", "members": {}})
# What AWS answers although its model does not list it: an event of a stack itself has the stack's status.
# https://github.com/ansible/ansible/issues/32396
UNLISTED = {
    "ResourceStatus": """
    REVIEW_IN_PROGRESS UPDATE_COMPLETE_CLEANUP_IN_PROGRESS UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS
    """
}
# https://docs.aws.amazon.com/AmazonECS/latest/APIReference/CommonErrors.html
# https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html
COMMON = """
AccessDenied AccessDeniedException ExpiredToken ExpiredTokenException IncompleteSignature InternalFailure InvalidAction
InvalidClientTokenId InvalidParameterCombination InvalidParameterValue InvalidQueryParameter
MalformedHttpRequestException MalformedQueryString MissingAction MissingAuthenticationToken
MissingAuthenticationTokenException MissingParameter NotAuthorized OptInRequired RequestAbortedException
RequestEntityTooLargeException RequestExpired RequestTimeoutException ServiceUnavailable SignatureDoesNotMatch
Throttling ThrottlingException UnknownOperationException UnrecognizedClientException ValidationError ValidationException
"""


def differences(operation: Any, status: int, headers: Mapping[str, str], body: bytes) -> Iterator[str]:
    """Yield what an answer to an operation has that its model has not."""
    try:
        if status < 300:
            said = answers.read(operation, headers, body)
            yield from _unlike(operation.output_shape or NOTHING, said, "")
        else:
            yield from _unlisted(operation, answers.error(operation, headers, body))
    except (ValueError, LookupError) as wrong:
        yield f"it cannot be read: {wrong!r}"


def _unlisted(operation: Any, code: str) -> Iterator[str]:
    # S3 and EC2 list next to none of their errors in their models.
    listed = {shape.metadata.get("error", {}).get("code", shape.name) for shape in operation.error_shapes}
    names = listed | {shape.name for shape in operation.error_shapes} | {*COMMON.split()}
    if code not in names and operation.service_model.service_name not in ("s3", "ec2"):
        yield f"the error {code!r} is none of its {', '.join(sorted(listed))}"


def _unlike(shape: Any, value: Any, where: str) -> Iterator[str]:
    """Yield the members that a shape does not have or lacks, and the values of another type or enum."""
    kind = shape.type_name
    if not isinstance(value, TYPES[kind]) or (isinstance(value, bool) and kind != "boolean"):
        yield f"{where or 'the answer'} is {value!r}, which is no {kind} ({shape.name})"
    elif kind == "structure" and not shape.is_document_type:
        within, known, given = f"{where}." if where else "", shape.members.keys(), value.keys()
        yield from (f"{within}{name} is no member of {shape.name}" for name in sorted(given - known))
        yield from (
            f"{within}{name} is required ({shape.name})" for name in shape.required_members if name not in given
        )
        for name in sorted(given & known):
            yield from _unlike(shape.members[name], value[name], f"{within}{name}")
    elif kind == "list":
        for index, each in enumerate(value):
            yield from _unlike(shape.member, each, f"{where}[{index}]")
    elif kind == "map":
        for key, each in value.items():
            yield from _unlike(shape.key, key, f"a key of {where}")
            yield from _unlike(shape.value, each, f"{where}[{key!r}]")
    elif kind == "string" and shape.enum and value not in [*shape.enum, *UNLISTED.get(shape.name, "").split()]:
        yield f"{where} is {value!r}, which is not listed ({shape.name})"
