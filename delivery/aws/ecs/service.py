"""What runs now, and what is in the registry: everything that is asked of AWS before anything is decided."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from delivery.aws.client import AwsError, moment
from delivery.aws.ecs import task_definition
from delivery.deployment.outcomes import Cause
from delivery.settings import Names, Settings, settings

if TYPE_CHECKING:
    from pathlib import Path

    from delivery.aws.client import Aws, Json
    from delivery.deployment.cancellation import Waiting

COMMIT = re.compile(r"[0-9a-f]{40}")
IMAGES = ("application/vnd.docker.distribution.manifest.v2+json", "application/vnd.oci.image.manifest.v1+json")


@dataclass(frozen=True)
class Place:
    """Where a deployment happens: the account, the names there, the settings, and this checkout."""

    aws: Aws
    names: Names
    settings: Settings
    root: Path
    waiting: Waiting
    identity: str  # the ARN that AWS knows the caller by

    @property
    def folder(self) -> Path:
        """Where files are left for people to read: build/."""
        folder = self.root / "build"
        folder.mkdir(exist_ok=True)
        return folder


def place(aws: Aws, region: str, root: Path, waiting: Waiting) -> Place:
    """Return the place that the caller's credentials and the environment lead to. Raises AwsError."""
    chosen = settings()
    caller = aws.call("sts", "get-caller-identity")
    return Place(aws, Names(chosen.project, caller["Account"], region), chosen, root, waiting, caller["Arn"])


class Registry:
    """The images of the project's repository."""

    def __init__(self, place: Place) -> None:
        self._aws, self._name = place.aws, place.names.project

    def image(self, *, commit: str | None = None, digest: str | None = None) -> Json | None:
        """Return the image that bears a commit as its tag, or that has a digest. None where there is none."""
        which = f"imageTag={commit}" if commit else f"imageDigest={digest}"
        try:
            found = self._aws.call("ecr", "describe-images", "--repository-name", self._name, "--image-ids", which)
        except AwsError as error:
            if error.error == "ImageNotFoundException":
                return None
            raise
        return next(iter(found["imageDetails"]), None)

    def commit_of(self, digest: str) -> str | None:
        """Return the commit that an image is tagged with, None for an image that is not there or bears none."""
        image = self.image(digest=digest)
        return next((tag for tag in image.get("imageTags", []) if COMMIT.fullmatch(tag)), None) if image else None


def is_image(found: Json) -> bool:
    """Tell whether what DescribeImages shows is an image, and no index of several, which ECR does not scan."""
    return found.get("imageManifestMediaType") in IMAGES


def not_an_image(commit: str, found: Json) -> Cause:
    """Return why what DescribeImages shows of a commit cannot be released."""
    kind = found.get("imageManifestMediaType") or "of an unknown type"
    return Cause(
        "not-an-image",
        f"What the registry has of {commit[:12]} is no image but {kind}, which it cannot scan.",
        (found["imageDigest"],),
        "whatever pushed it: `make build scan-image push` of a new commit, for a tag never moves.",
    )


class Situation:
    """The service as it is now. Each part is asked for when it is first wanted, and raises AwsError."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.registry = Registry(place)

    @cached_property
    def cluster(self) -> Json | None:
        """The cluster, None where there is none."""
        found = self.place.aws.call("ecs", "describe-clusters", "--clusters", self.place.names.project)["clusters"]
        return found[0] if found else None

    @cached_property
    def service(self) -> Json | None:
        """The service, with its tags. None where there is none."""
        return service(self.place)

    @cached_property
    def definition(self) -> Json:
        """The task definition that the service is to run."""
        named = (self.service or {})["taskDefinition"]
        described = self.place.aws.call("ecs", "describe-task-definition", "--task-definition", named)
        found: Json = described["taskDefinition"]
        return found

    @cached_property
    def image(self) -> str | None:
        """The image that the service is to run; None before the first release."""
        image = task_definition.image(self.definition)
        return image if task_definition.digest(image) else None

    @cached_property
    def commit(self) -> str | None:
        """The commit of that image, as the registry knows it."""
        digest = task_definition.digest(self.image)
        return self.registry.commit_of(digest) if digest else None

    @cached_property
    def released(self) -> str | None:
        """The image that was verified last, None before the first release."""
        value = self.place.aws.parameter(self.place.names.released_image)
        return value if value != "none" else None

    @cached_property
    def site_url(self) -> str | None:
        """The address that visitors use, without a slash at its end. None where it is not known."""
        value = self.place.aws.parameter(self.place.names.site_url)
        return value.rstrip("/") if value else None

    @property
    def idle(self) -> bool:
        """Whether nothing is to run, as before the first release."""
        return not (self.service or {}).get("desiredCount")

    @cached_property
    def deployments(self) -> list[Json]:
        """The service's deployments, in short, of which the newest stands first."""
        return deployments(self.place)


def service(place: Place) -> Json | None:
    """Return the service as it is at this moment, None where there is none. Raises AwsError."""
    name = place.names.project
    found = place.aws.call("ecs", "describe-services", "--cluster", name, "--services", name, "--include", "TAGS")[
        "services"
    ]
    return found[0] if found and found[0]["status"] != "INACTIVE" else None


def minimum_tasks(service: Json) -> int:
    """Return with how many tasks a service starts that has none: its tag `minimum-tasks` (ecs/service.yml), or 2."""
    tags = {each["key"]: each.get("value", "") for each in service.get("tags", [])}
    said = tags.get("minimum-tasks", "")
    return int(said) if said.isdigit() and int(said) else 2


def deployments(place: Place) -> list[Json]:
    """Return the service's deployments at this moment, in short, the newest first. Raises AwsError."""
    name = place.names.project
    found = place.aws.call(
        "ecs", "list-service-deployments", "--cluster", name, "--service", name, "--max-results", "20"
    )["serviceDeployments"]
    return sorted(found, key=lambda each: moment(each["createdAt"]), reverse=True)


def target_health(place: Place, group: str) -> list[Json]:
    """Return the targets of a target group with their health. Raises AwsError."""
    found = place.aws.call("elbv2", "describe-target-health", "--target-group-arn", group)
    targets: list[Json] = found["TargetHealthDescriptions"]
    return targets


def tasks(place: Place, status: str, **filters: str) -> list[Json]:
    """Return the tasks of the service that are to run, or have stopped within the last hour. Raises AwsError."""
    name = place.names.project
    options = [word for option, value in filters.items() for word in (f"--{option.replace('_', '-')}", value)]
    arns = place.aws.call("ecs", "list-tasks", "--cluster", name, "--desired-status", status, *options)["taskArns"]
    found: list[Json] = []
    for start in range(0, len(arns), 100):  # as many as DescribeTasks takes at once
        described = place.aws.call("ecs", "describe-tasks", "--cluster", name, "--tasks", *arns[start : start + 100])
        found += described["tasks"]
    return found
