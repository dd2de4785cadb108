"""What a deployment leaves in the registry and in ECS before any task runs: the image's second tag, and a revision."""

from __future__ import annotations

from typing import TYPE_CHECKING

from delivery.aws.client import AwsError
from delivery.aws.ecs import task_definition

if TYPE_CHECKING:
    from delivery.aws.client import Json
    from delivery.aws.ecs.service import Place
    from delivery.deployment.candidate import Wanted


def keep(wanted: Wanted, place: Place) -> None:
    """Tag the image `released-COMMIT`, by which the registry never lets it go (ecs/registry.yml). Raises AwsError."""
    tag = f"released-{wanted.commit}"
    if tag in (wanted.image or {}).get("imageTags", []):
        return
    found = place.aws.call(
        "ecr",
        "batch-get-image",
        "--repository-name",
        place.names.project,
        "--image-ids",
        f"imageDigest={wanted.digest}",
    )["images"][0]
    request = {"repositoryName": place.names.project, "imageTag": tag, "imageManifest": found["imageManifest"]}
    if found.get("imageManifestMediaType"):
        request["imageManifestMediaType"] = found["imageManifestMediaType"]

    def put() -> None:
        change = f"the image was tagged {tag}"
        try:
            place.aws.request("ecr", "put-image", request, place.folder / "put-image.json", change=change)
        except AwsError as error:
            # The very image has the very tag: the call was made twice, for the first one's answer was lost.
            if error.error != "ImageAlreadyExistsException":
                raise
            place.aws.found_out(change, made=True)

    place.waiting.until_answered(put)


def register(wanted: Wanted, place: Place) -> Json:
    """Register the service's present task definition with the wanted image in it, and return it. Raises AwsError."""
    request = task_definition.with_image(wanted.situation.definition, wanted.name)
    # Made twice, it makes two revisions, of which the last one counts.
    answer = place.waiting.until_answered(
        lambda: place.aws.request(
            "ecs",
            "register-task-definition",
            request,
            place.folder / "task-definition.json",
            change="a task definition with the image in it was registered",
        )
    )
    definition: Json = answer["taskDefinition"]
    return definition
