"""The emulator, started once for each process of the tests; and a service on it whose first release is live."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.conftest import unavailable
from tests.emulator import Emulator, Visitors
from tests.emulator.interface import PROGRAMS
from tests.emulator.tests.with_engine.service import Service

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def ready() -> None:
    """The emulator's requirements: its libraries, and an engine to run tasks in."""
    if not (PROGRAMS / "python").exists():
        unavailable("the emulator's libraries are not installed (make setup FOR=rehearsal)")
    if not shutil.which("docker") or subprocess.run(["docker", "info"], capture_output=True, check=False).returncode:
        unavailable("no Docker engine answers")


@pytest.fixture(scope="session")
def aws(ready: None) -> Iterator[Emulator]:
    """An emulator with an empty registry, for tests to share."""
    aws = Emulator()
    try:
        aws("ecr", "create_repository", repositoryName="site")
        aws.log_in()
        yield aws
    finally:
        aws.end()


@pytest.fixture(scope="session")
def service(aws: Emulator) -> Service:
    """A service of two tasks behind a load balancer. Tests leave it as they found it: steady."""
    return Service(aws)


@pytest.fixture
def live(service: Service) -> Service:
    """The service, with a good release live and nothing going on."""
    service.steady()
    return service


@pytest.fixture
def visitors(live: Service) -> Iterator[Visitors]:
    """Visitors who come for as long as a test lasts, none of whom may meet a failure."""
    with Visitors(live.url, rate=60, seconds=300, identify=lambda headers, _: headers["release"]) as visitors:
        yield visitors
    report = visitors.report()
    assert report.requests
    assert not report.failures
