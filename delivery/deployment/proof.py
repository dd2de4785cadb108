"""The proof that visitors are served what was deployed: asked as they ask, and held against what runs."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

from delivery.aws.client import AwsError
from delivery.aws.ecs import service as situation
from delivery.aws.ecs.task_definition import CONTAINER
from delivery.deployment.outcomes import Cause

if TYPE_CHECKING:
    from delivery.aws.client import Json
    from delivery.aws.ecs.service import Place

EVERY = 0.5  # seconds between two answers, at most


class Unproven(Exception):  # noqa: N818 -- an answer
    """The site did not prove to serve what was deployed."""

    def __init__(self, cause: Cause) -> None:
        super().__init__(cause.sentence)
        self.cause = cause


def prove(place: Place, url: str, commit: str, digest: str, *, heed: bool = True) -> Json:
    """Return the proof, once so many answers in a row came from this commit, and every task runs this digest.

    Raises Unproven when that has not come about in time, AwsError, and Cancelled when `heed`.
    """
    wanted = max(1, int(place.settings.answers))
    row, last = 0, ""
    for _ in place.waiting.looks(place.settings.proof, every=min(place.waiting.poll, EVERY), heed=heed):
        wrong = _wrong_answer(url, commit, digest)
        row = 0 if wrong else row + 1
        if row >= wanted:
            try:
                running = situation.tasks(place, "RUNNING", service_name=place.names.project)
                wrong = _wrong_task(running, digest)
            except AwsError as error:
                if error.lasts:
                    raise
                wrong = f"which tasks run cannot be told: {error.said}"
            if not wrong:
                return {"url": f"{url}/release.json", "answers": row, "tasks": len(running)}
        last = wrong or last
    raise Unproven(
        Cause(
            "unproven",
            f"The rollout was completed, but {url} did not prove to serve {commit[:12]}.",
            (last or "there was no time to ask",),
            "what stands between visitors and the load balancer: the domain, SiteUrl in ecs/service.yml, a cache.",
        )
    )


def answer(url: str) -> Json:
    """Return what a site says of itself. Raises OSError or ValueError when it does not."""
    request = urllib.request.Request(f"{url}/release.json", headers={"Cache-Control": "no-cache"})  # noqa: S310 -- ours
    try:
        with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310 -- the site's own address
            said = json.loads(response.read())
    except http.client.HTTPException as error:
        raise ValueError(f"it was no HTTP: {error!r}") from None
    if not isinstance(said, dict):
        raise ValueError("it is no object")
    return said


def _wrong_answer(url: str, commit: str, digest: str) -> str | None:
    try:
        said = answer(url)
    except urllib.error.HTTPError as error:
        return f"{url}/release.json answered {error.code}"
    except (OSError, ValueError) as error:
        return f"{url}/release.json: {error}"
    if said.get("commit") != commit:
        return f"{url}/release.json says that it is {said.get('commit') or 'no release'}"
    # Only a task on ECS knows its digest.
    if said.get("image_digest") not in (None, digest):
        return f"{url}/release.json says that its image is {said['image_digest']}"
    return None


def _wrong_task(running: list[Json], digest: str) -> str | None:
    for task in running:
        for container in task["containers"]:
            if container["name"] == CONTAINER and container.get("imageDigest") != digest:
                return f"{task['taskArn']} runs {container.get('imageDigest') or 'an image without a digest'}"
    return None if running else "no task is running"
