"""Task definitions: the next one is the present one with another image in it, and nothing else changed."""

from __future__ import annotations

import difflib
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from delivery.deployment.seam import Json

# What DescribeTaskDefinition says of a definition and RegisterTaskDefinition does not take. A test compares the two.
SAID_ONLY = frozenset(
    {"taskDefinitionArn", "revision", "status", "requiresAttributes", "compatibilities"}
    | {"registeredAt", "registeredBy", "deregisteredAt", "deleteRequestedAt"}
)


def own(containers: list[Json], project: str) -> list[Json]:
    """Return the containers, of a definition or of a task, whose image is of the project's repository.

    Any other, such as a vendor's agent, is left alone.
    """
    return [each for each in containers if repository(each.get("image", "")).partition("/")[2] == project]


def images(definition: Json, project: str) -> dict[str, str]:
    """Return the images of the project's containers by the containers' names."""
    return {each["name"]: each["image"] for each in own(definition["containerDefinitions"], project)}


def digest(image: str | None) -> str | None:
    """Return the digest by which an image is named, None when it is named otherwise."""
    return image.partition("@")[2] or None if image else None


def repository(image: str) -> str:
    """Return the repository of an image that is named by digest or by tag."""
    name = image.partition("@")[0]
    host, slash, path = name.rpartition("/")
    return f"{host}{slash}{path.partition(':')[0]}"


def with_image(definition: Json, image: str) -> Json:
    """Return what to register: this definition, as it was described, with another image of the same repository."""
    kept = {key: value for key, value in definition.items() if key not in SAID_ONLY}
    containers = [
        each | {"image": image} if repository(each["image"]) == repository(image) else each
        for each in definition["containerDefinitions"]
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
