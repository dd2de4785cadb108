"""An emulator whose tasks need no engine, to share; and what its registry, its roles and its cluster have."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.conftest import unavailable
from tests.emulator import Emulator
from tests.emulator.interface import PROGRAMS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"


@pytest.fixture(scope="session")
def installed() -> None:
    """The emulator's requirements but an engine."""
    if not (PROGRAMS / "python").exists():
        unavailable("the emulator's libraries are not installed (make setup FOR=rehearsal)")


@pytest.fixture(scope="session")
def shared(installed: None) -> Iterator[Emulator]:
    aws = Emulator("--scripted")
    try:
        aws("ecr", "create_repository", repositoryName="site", imageTagMutability="IMMUTABLE")
        aws("ecs", "create_cluster", clusterName="site")
        yield aws
    finally:
        aws.end()


@pytest.fixture
def aws(shared: Emulator) -> Iterator[Emulator]:
    """The emulator, which behaves when a test begins."""
    shared.behave()
    yield shared
    shared.behave()


@pytest.fixture
def push(aws: Emulator) -> Callable[[str, str], str]:
    """A push of an image that consists of its name, under a tag; it returns the digest."""

    def push(name: str, tag: str) -> str:
        manifest = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "config": {"digest": name}, "layers": []})
        given = {"repositoryName": "site", "imageTag": tag, "imageManifestMediaType": MANIFEST}
        return str(aws("ecr", "put_image", imageManifest=manifest, **given)["image"]["imageId"]["imageDigest"])

    return push


@pytest.fixture
def register(aws: Emulator) -> Callable[[str], str]:
    """A registration of a task definition of a family; it returns the ARN."""

    def register(family: str) -> str:
        container = {"name": "site", "image": "site", "memory": 64}
        made = aws("ecs", "register_task_definition", family=family, containerDefinitions=[container])
        return str(made["taskDefinition"]["taskDefinitionArn"])

    return register
