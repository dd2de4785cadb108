"""What a deployment leaves in the registry and in ECS before any task runs: the image's second tag, and a revision."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import taskdefinition

if TYPE_CHECKING:
    from .aws import Json
    from .situation import Place
    from .wanted import Wanted


def keep(wanted: Wanted, place: Place) -> None:
    """Tag the image `released-COMMIT`, by which the registry never lets it go (ecs/registry.yml). Raises AwsError."""
    tag = f"released-{wanted.commit}"
    if tag in (wanted.image or {}).get("imageTags", []):
        return
    found = place.aws.call(
        "ecr", "batch-get-image", "--repository-name", place.names.project,
        "--image-ids", f"imageDigest={wanted.digest}",
    )["images"][0]  # fmt: skip
    request = {"repositoryName": place.names.project, "imageTag": tag, "imageManifest": found["imageManifest"]}
    if found.get("imageManifestMediaType"):
        request["imageManifestMediaType"] = found["imageManifestMediaType"]
    place.aws.request("ecr", "put-image", request, place.folder / "put-image.json")


def register(wanted: Wanted, place: Place) -> Json:
    """Register the service's present task definition with the wanted image in it, and return it. Raises AwsError."""
    request = taskdefinition.with_image(wanted.situation.definition, wanted.name)
    answer = place.aws.request("ecs", "register-task-definition", request, place.folder / "task-definition.json")
    definition: Json = answer["taskDefinition"]
    return definition
