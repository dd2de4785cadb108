"""Task definitions: the next one is the present one with another image in it, and nothing else changed."""

from __future__ import annotations

import difflib
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from delivery.deployment.seam import Json

CONTAINER = "site"

# What DescribeTaskDefinition says of a definition and RegisterTaskDefinition does not take. A test compares the two.
SAID_ONLY = frozenset(
    {"taskDefinitionArn", "revision", "status", "requiresAttributes", "compatibilities"}
    | {"registeredAt", "registeredBy", "deregisteredAt", "deleteRequestedAt"}
)


def image(definition: Json) -> str | None:
    """Return the image of the site's container, None when there is no such container."""
    return next((str(each["image"]) for each in definition["containerDefinitions"] if each["name"] == CONTAINER), None)


def digest(image: str | None) -> str | None:
    """Return the digest by which an image is named, None when it is named otherwise."""
    return image.partition("@")[2] or None if image else None


def repository(image: str) -> str:
    """Return the repository of an image that is named by digest or by tag."""
    name = image.partition("@")[0]
    host, slash, path = name.rpartition("/")
    return f"{host}{slash}{path.partition(':')[0]}"


def with_image(definition: Json, image: str) -> Json:
    """Return what to register: this definition, as it was described, with another image of the site's container."""
    kept = {key: value for key, value in definition.items() if key not in SAID_ONLY}
    containers = [
        each | {"image": image} if each["name"] == CONTAINER else each for each in definition["containerDefinitions"]
    ]
    return kept | {"containerDefinitions": containers}


def difference(before: Json, after: Json) -> list[str]:
    """Return the name of a definition, and the lines in which another differs, as a unified diff without context."""
    lines = list(difflib.unified_diff(_lines(before), _lines(after), lineterm="", n=0))[2:]
    return [f"{revision(before['taskDefinitionArn'])}:", *(line for line in lines if not line.startswith("@@"))]


def _lines(definition: Json) -> list[str]:
    kept = {key: value for key, value in definition.items() if key not in SAID_ONLY}
    return json.dumps(kept, indent=2, sort_keys=True).splitlines()


def revision(arn: str) -> str:
    """Return family:number of a task definition's ARN."""
    return arn.rsplit("/", 1)[-1]
