"""The Amazon ECS task that this process runs in, and its image's digest.

Source: "Amazon ECS task metadata endpoint version 4" in the Amazon ECS Developer Guide.
"""

from __future__ import annotations

import json
import logging
import os
import re
import time
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from typing import Any
from urllib.parse import urlsplit

VARIABLE = "ECS_CONTAINER_METADATA_URI_V4"
# For both requests together. A site that does not learn its task still serves.
SECONDS = 2.0
MAX_BYTES = 1_000_000
_DIGEST = re.compile(r"@(sha256:[0-9a-f]{64})")
_TASK = re.compile(r"arn:[^/]+:task/(?:[^/]+/)?([0-9A-Za-z-]+)")
_FAMILY = re.compile(r"[0-9A-Za-z_-]+")
_ZONE = re.compile(r"[0-9a-z-]+")

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Task:
    """A task, without the account and the cluster in its ARN; `revision` is that of its definition, family:number."""

    id: str
    revision: str
    zone: str | None


def image_and_task() -> tuple[str | None, Task | None]:
    """Return the digest of the running image and its task, from ECS's metadata; None for what is unknown.

    Waits two seconds at most, and logs a warning if the metadata is not usable.
    """
    address = os.environ.get(VARIABLE)
    if not address:
        return None, None
    until = time.monotonic() + SECONDS
    try:
        container = _get(address, until)
        return _digest(container), _task(_get(f"{address}/task", until))
    except (OSError, HTTPException, ValueError, LookupError, TypeError, RecursionError) as error:
        log.warning(
            "the metadata of the ECS task is not available", extra={"reason": f"{type(error).__name__}: {error}"}
        )
        return None, None


def _get(address: str, until: float) -> dict[str, Any]:
    # Not urllib.request, which would use a proxy of the environment, follow redirects, and open files.
    url = urlsplit(address)
    connection = HTTPConnection(url.netloc, timeout=max(until - time.monotonic(), 0.001))
    try:
        connection.request("GET", url.path)
        response = connection.getresponse()
        if response.status != 200:
            raise HTTPException(f"{url.path} answered {response.status}")
        answer: dict[str, Any] = json.loads(response.read(MAX_BYTES))
        return answer
    finally:
        connection.close()


def _digest(container: dict[str, Any]) -> str | None:
    # Not ImageID, which is the digest of the image's configuration on this machine.
    found = _DIGEST.search(container["Image"])
    return found[1] if found else None


def _task(task: dict[str, Any]) -> Task:
    arn = _TASK.fullmatch(task["TaskARN"])
    family, revision, zone = task["Family"], int(task["Revision"]), task.get("AvailabilityZone")
    if not arn or not _FAMILY.fullmatch(family):
        raise ValueError("the name of the task is not one that ECS gives")
    return Task(arn[1], f"{family}:{revision}", zone if zone and _ZONE.fullmatch(zone) else None)
