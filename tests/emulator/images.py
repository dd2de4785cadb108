"""What ECR says of images, where ministack says something else.

https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_PutImage.html
https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_BatchDeleteImage.html
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from ministack.core.responses import error_response_json, get_account_id, json_response
from ministack.services import ecr

if TYPE_CHECKING:
    from collections.abc import Callable

    from .model import Json


def install() -> None:
    """Replace what differs."""
    for name, own in {"describe_images": _describe, "put_image": _put, "batch_delete_image": _delete}.items():
        theirs = getattr(ecr, f"_{name}")
        setattr(ecr, f"_{name}", functools.partial(own, theirs))


def _describe(theirs: Callable[[Json], Any], data: Json) -> Any:
    """Refuse to describe images of which one is not there."""
    name = data.get("repositoryName", "")
    for image in data.get("imageIds") or [] if name in ecr._repositories else []:
        if not ecr._find_image(name, image):
            which = f"{{imageDigest:'{image.get('imageDigest', 'null')}', imageTag:'{image.get('imageTag', 'null')}'}}"
            message = f"The image with imageId {which} does not exist within {_where(name)}"
            return error_response_json("ImageNotFoundException", message, 400)
    return theirs(data)


def _put(theirs: Callable[[Json], Any], data: Json) -> Any:
    """Refuse an image that is there already, with this tag; that its tag cannot move is another error."""
    name, tag = data.get("repositoryName", ""), data.get("imageTag")
    digest = data.get("imageDigest") or ecr._image_digest(data.get("imageManifest", ""))
    known = ecr._find_image(name, {"imageDigest": digest})
    if known and tag in known.get("imageTags", []):
        message = f"Image with digest '{digest}' and tag '{tag}' already exists in {_where(name)}"
        return error_response_json("ImageAlreadyExistsException", message, 400)
    return theirs(data)


def _delete(_theirs: Callable[[Json], Any], data: Json) -> Any:
    """Delete images: one by its digest with all its tags, a tag alone, and with its last tag the image."""
    name = data.get("repositoryName", "")
    if name not in ecr._repositories:
        missing = f"The repository with name '{name}' does not exist"
        return error_response_json("RepositoryNotFoundException", missing, 400)
    deleted: list[Json] = []
    failures: list[Json] = []
    why = {"failureCode": "ImageNotFound", "failureReason": "Requested image not found"}
    for wanted in data.get("imageIds") or []:
        found = ecr._find_image(name, wanted)
        if not found:
            failures.append({"imageId": wanted, **why})
            continue
        tags = [wanted["imageTag"]] if wanted.get("imageTag") else list(found["imageTags"])
        found["imageTags"] = [tag for tag in found["imageTags"] if tag not in tags]
        if not found["imageTags"]:
            ecr._images[name].remove(found)
            ecr._manifest_blobs.get(name, {}).pop(found["imageDigest"], None)
        named = {"imageDigest": found["imageDigest"]}
        deleted += [{**named, "imageTag": tag} for tag in tags] or [named]
    return json_response({"imageIds": deleted, "failures": failures})


def _where(name: str) -> str:
    return f"the repository with name '{name}' in the registry with id '{get_account_id()}'"
