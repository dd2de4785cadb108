"""The proof that visitors are served the deployed commit: public answers, held against the tasks that run."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

from delivery.deployment.errors import CallError, Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from delivery.deployment.cancellation import Poller
    from delivery.deployment.seam import Candidate, Json
    from delivery.settings import Settings

EVERY = 0.5  # seconds between two requests, at most


class Proof:
    """A gate: the public address must name a candidate's commit, and every container of a task must run its image."""

    name = "proof"

    def __init__(self, candidate: Candidate, poller: Poller, settings: Settings) -> None:
        self._candidate, self._target, self._poller, self._settings = candidate, candidate.target, poller, settings
        self._url = candidate.target.running.url or ""

    def require(self, *, cancellable: bool = False) -> Json:
        """Return the proof once enough answers in a row name the commit and every task runs the image.

        Raises Refusal when that did not happen in time, CallError, and Cancelled if `cancellable`.
        """
        wanted = max(1, int(self._settings.answers))
        row, last = 0, ""
        interval = min(self._poller.interval, EVERY)
        for _ in self._poller.polls(self._settings.proof, every=interval, cancellable=cancellable):
            wrong = self._wrong_answer()
            row = 0 if wrong else row + 1
            if row >= wanted:
                try:
                    tasks = self._target.tasks()
                    wrong = self._wrong_task(tasks)
                except CallError as error:
                    if error.lasts:
                        raise
                    wrong = f"the running tasks cannot be listed: {error.cause.sentence}"
                if not wrong:
                    return {"url": f"{self._url}/release.json", "answers": row, "tasks": len(tasks)}
            last = wrong or last
        raise Refusal(
            f"The rollout was completed, but {self._url} was not proven to serve {self._candidate.commit[:12]}.",
            self._target.advice["unproven"],
            (last or "there was no time for a request",),
        )

    def _wrong_answer(self) -> str | None:
        url, commit, digest = self._url, self._candidate.commit, self._candidate.image.digest
        try:
            passport = fetch_passport(url)
        except urllib.error.HTTPError as error:
            return f"{url}/release.json answered {error.code}"
        except (OSError, ValueError) as error:
            return f"{url}/release.json: {error}"
        if passport.get("commit") != commit:
            return f"{url}/release.json names {passport.get('commit') or 'no release'}"
        # A task knows its digest only where the target tells it.
        if passport.get("image_digest") not in (None, digest):
            return f"{url}/release.json names the image {passport['image_digest']}"
        return None

    def _wrong_task(self, tasks: Mapping[str, Mapping[str, str | None]]) -> str | None:
        for task, digests in tasks.items():
            for container, digest in digests.items():
                if digest != self._candidate.image.digest:
                    return f"the container {container} of {task} runs {digest or 'an image without a digest'}"
            if not digests:
                return f"{task} has no container of this project"
        return None if tasks else "no task is running"


def fetch_passport(url: str) -> Json:
    """Return the passport that a site serves. Raises OSError or ValueError when it serves none."""
    request = urllib.request.Request(f"{url}/release.json", headers={"Cache-Control": "no-cache"})  # noqa: S310 -- ours
    try:
        with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310 -- the site's own address
            passport = json.loads(response.read())
    except http.client.HTTPException as error:
        raise ValueError(f"the answer is not HTTP: {error!r}") from None
    if not isinstance(passport, dict):
        raise ValueError("the answer is not a JSON object")
    return passport
