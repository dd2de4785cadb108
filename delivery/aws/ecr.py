"""ECR: the project's images."""

from __future__ import annotations

import json
import re
from functools import cached_property
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from delivery.aws.errors import AwsError
from delivery.deployment.errors import Doubt, Refusal
from delivery.deployment.outcomes import Cause
from delivery.deployment.seam import Image
from delivery.terminal.shell import output, run

if TYPE_CHECKING:
    from collections.abc import Callable

    from delivery.aws.context import Context
    from delivery.deployment.seam import Candidate, Json

COMMIT = re.compile(r"[0-9a-f]{40}")
IMAGES = ("application/vnd.docker.distribution.manifest.v2+json", "application/vnd.oci.image.manifest.v1+json")


class Registry:
    """The images of the project's repository, which tasks name by `repository()`. Every method raises AwsError."""

    def __init__(self, context: Context, repository: Callable[[], str]) -> None:
        self._context, self._aws, self._project = context, context.aws, context.names.project
        self._repository = repository

    @cached_property
    def uri(self) -> str:
        """The repository's name for Docker."""
        found = self._aws.call("ecr", "describe-repositories", repository_names=self._project)["repositories"]
        return str(found[0]["repositoryUri"])

    def find(self, commit: str) -> Image | None:
        """Return the image that is tagged with a commit."""
        found = _describe(self._context, f"imageTag={commit}")
        if found is None:
            return None
        unfit = None if found.get("imageManifestMediaType") in IMAGES else _not_an_image(commit, found)
        return Image(found["imageDigest"], tuple(found.get("imageTags", ())), unfit)

    def name(self, image: Image) -> str:
        """Return REPOSITORY@DIGEST, by which a task runs an image."""
        return f"{self._repository()}@{image.digest}"

    def keep(self, image: Image, commit: str) -> None:
        """Tag an image `released-COMMIT`, which the registry's lifecycle never removes (ecs/registry.yml)."""
        tag = f"released-{commit}"
        if tag in image.tags:
            return
        found = self._get(image.digest)
        request = {"repositoryName": self._project, "imageTag": tag, "imageManifest": found["imageManifest"]}
        if found.get("imageManifestMediaType"):
            request["imageManifestMediaType"] = found["imageManifestMediaType"]

        def put() -> None:
            change = f"the image was tagged {tag}"
            try:
                self._aws.request("ecr", "put-image", request, self._context.folder / "put-image.json", change=change)
            except AwsError as error:
                # The very image has the very tag: the call was repeated, as its answer was lost.
                if error.error != "ImageAlreadyExistsException":
                    raise
                self._aws.settle(change, made=True)

        self._context.poller.until_answered(put)

    def push(self, image_id: str, commit: str) -> None:
        """Push an image, tagged with its commit.

        With a Docker configuration of its own, which is gone afterwards: the password is in no home directory.
        """
        tag = f"{self.uri}:{commit}"
        password = self._aws.registry_password()
        with TemporaryDirectory(prefix="delivery-") as folder:
            own = {"DOCKER_CONFIG": folder}
            host = self.uri.partition("/")[0]
            output("docker", "login", "--username", "AWS", "--password-stdin", host, env=own, given=password)
            # By its id: another build of the commit on this engine takes the name for itself.
            output("docker", "tag", image_id, tag)
            with self._aws.changing(f"{tag} was pushed"):
                run("docker", "push", tag, env=own)

    def is_same(self, image: Image, image_id: str) -> bool:
        """Tell whether an image of the registry is the one with an ID here.

        An engine names an image by its configuration, or, with containerd's store, by its manifest.
        """
        manifest = json.loads(self._get(image.digest).get("imageManifest", "{}"))
        return image_id in (manifest.get("config", {}).get("digest"), image.digest)

    def scan(self, candidate: Candidate) -> str:
        """Check that the registry's scan of the image found nothing critical. Raises Refusal and Doubt."""
        image = candidate.found
        if image is None:
            raise Refusal("not scanned: it is not there")
        findings, status = self._findings(image.digest)
        if status not in ("COMPLETE", "ACTIVE"):
            return _without_scan(candidate, status)
        critical = {each["name"] for each in findings.get("findings", []) if each["severity"] == "CRITICAL"} | {
            each.get("title", "a finding").partition(" ")[0]
            for each in findings.get("enhancedFindings", [])
            if each.get("severity") == "CRITICAL"
        }
        if critical - candidate.exceptions:
            raise Refusal(
                f"The registry's scan found {', '.join(sorted(critical - candidate.exceptions))}, of critical "
                "severity.",
                "change src/requirements.txt or the base in src/Dockerfile; or add an exception with an end to "
                "delivery/exceptions.yaml.",
            )
        counts = findings.get("findingSeverityCounts", {})
        return ", ".join(f"{counts[kind]} {kind.lower()}" for kind in sorted(counts)) or "nothing found"

    def _findings(self, digest: str) -> tuple[Json, str]:
        """Return what a scan found and its status, once it has ended or time is up."""
        found: Json = {}
        status = ""
        for _ in self._context.poller.polls(self._context.settings.scan):
            try:
                found = self._aws.call(
                    "ecr",
                    "describe-image-scan-findings",
                    repository_name=self._project,
                    image_id=f"imageDigest={digest}",
                )
            except AwsError as error:
                if error.error != "ScanNotFoundException":
                    raise
                return {}, "not scanned"
            status = found["imageScanStatus"]["status"]
            if status not in ("PENDING", "IN_PROGRESS"):
                break
        return found.get("imageScanFindings", {}), status

    def _get(self, digest: str) -> Json:
        which = f"imageDigest={digest}"
        images = self._aws.call("ecr", "batch-get-image", repository_name=self._project, image_ids=which)["images"]
        return images[0] if images else {}


def commit_of(context: Context, digest: str) -> str | None:
    """Return the commit that an image is tagged with, None for no image or no such tag. Raises AwsError."""
    found = _describe(context, f"imageDigest={digest}") or {}
    return next((tag for tag in found.get("imageTags", []) if COMMIT.fullmatch(tag)), None)


def _describe(context: Context, which: str) -> Json | None:
    try:
        found = context.aws.call("ecr", "describe-images", repository_name=context.names.project, image_ids=which)
    except AwsError as error:
        if error.error == "ImageNotFoundException":
            return None
        raise
    return next(iter(found["imageDetails"]), None)


def _not_an_image(commit: str, found: Json) -> Cause:
    kind = found.get("imageManifestMediaType") or "of an unknown type"
    return Cause(
        "not-an-image",
        f"What the registry has of {commit[:12]} is no image but {kind}, which it cannot scan.",
        (found["imageDigest"],),
        "find out what pushed it, then `make build scan-image push` a new commit: a tag never moves.",
    )


def _without_scan(candidate: Candidate, status: str) -> str:
    """Accept a rollback, or what `make scan-image` passed, not scanned by the registry. Raises Refusal and Doubt."""
    if candidate.rollback:
        raise Doubt(f"the registry does not say ({status}); it was released before")
    if candidate.scanned == candidate.image.digest:
        raise Doubt(f"the registry does not say ({status}), but `make scan-image` has passed this very image")
    raise Refusal(
        f"No scan says that the image is free of critical findings: the registry's is {status}, and no `make "
        "scan-image` that passed it is known here.",
        "run this again when the registry has scanned it; or have here the build/image.json of a job in which "
        "`make scan-image` passed it.",
    )
