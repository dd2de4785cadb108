"""Receipts: one object for each deployment, in a bucket that keeps every version; written once, never again."""

from __future__ import annotations

import getpass
import json
import os
import socket
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from delivery.aws.client import Conflict
from delivery.deployment.outcomes import said

if TYPE_CHECKING:
    from collections.abc import Iterator

    from delivery.aws.client import Aws, Json
    from delivery.aws.ecs.service import Place
    from delivery.deployment.outcomes import Cause, Outcome

PREFIX = "receipts/"


def who() -> str:
    """Return who deploys, as others may want to ask them: a pipeline's job, or a user at a machine."""
    job = os.environ.get("CI_JOB_URL")
    if job:
        return f"{os.environ.get('GITLAB_USER_LOGIN', 'a pipeline')} by {job}"
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"


@dataclass
class Receipt:
    """What is known of a deployment so far. The schema is receipt.schema.json."""

    kind: str
    commit: str
    place: Place
    began: datetime = field(default_factory=lambda: datetime.now(UTC))
    facts: Json = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def timed(self, step: str) -> Iterator[None]:
        """Note how long a step takes, even one that fails."""
        began = time.monotonic()
        try:
            yield
        finally:
            self.seconds[step] = round(time.monotonic() - began, 1)

    def as_json(self, outcome: Outcome, cause: Cause | None) -> Json:
        """Return the receipt of a deployment that has ended."""
        ended = datetime.now(UTC)
        empty: Json = dict.fromkeys(
            ("digest", "image", "previous", "task_definition", "deployment", "migration", "proof", "availability")
        )
        return {
            "kind": self.kind,
            "outcome": outcome.title,
            "exit_code": outcome.code,
            "verified": self.facts.get("proof") is not None,
            "project": self.place.names.project,
            "commit": self.commit,
            **empty,
            **self.facts,
            "changes": said(self.place.aws.changes),
            "began": _written(self.began),
            "ended": _written(ended),
            "seconds": {**self.seconds, "total": round((ended - self.began).total_seconds(), 1)},
            "diagnosis": cause
            and {
                "kind": cause.kind,
                "sentence": cause.sentence,
                "evidence": list(cause.evidence),
                "change": cause.change,
            },
            "by": {
                "who": who(),
                "identity": self.place.identity,
                "pipeline_url": os.environ.get("CI_PIPELINE_URL"),
                "job_url": os.environ.get("CI_JOB_URL"),
            },
        }

    def write(self, outcome: Outcome, cause: Cause | None) -> str:
        """Write the receipt into the bucket and to build/receipt.json, and return its key. Raises AwsError."""
        path = self.place.folder / "receipt.json"
        path.write_text(json.dumps(self.as_json(outcome, cause), indent=2) + "\n", encoding="utf-8")
        key = f"{PREFIX}{self.began:%Y-%m-%dT%H:%M:%S.%f}Z-{self.commit}.json"
        # The time has microseconds, so a conflict is with this very write: the CLI repeats one whose answer was lost.
        with suppress(Conflict):
            self.place.waiting.until_answered(
                lambda: self.place.aws.store(self.place.names.bucket, key, path, instead_of=None)
            )
        return key


def newest(aws: Aws, bucket: str, most: int | None = None) -> Iterator[Json]:
    """Yield the receipts, the newest first, each with its `key`. Raises AwsError."""
    listed = aws.call("s3api", "list-objects-v2", "--bucket", bucket, "--prefix", PREFIX)
    keys = sorted((each["Key"] for each in listed.get("Contents", [])), reverse=True)
    for key in keys[:most]:
        found = aws.stored(bucket, key, quiet=True)
        if found:
            yield found[0] | {"key": key}


def _written(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
