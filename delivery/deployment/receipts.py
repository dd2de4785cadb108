"""Receipts: an object for each deployment, in a store that keeps every version; written once, never again."""

from __future__ import annotations

import json
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from delivery.deployment.errors import Conflict
from delivery.deployment.outcomes import in_words

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from delivery.deployment.cancellation import Poller
    from delivery.deployment.outcomes import Cause, Outcome
    from delivery.deployment.seam import Candidate, Json, Store

PREFIX = "receipts/"
SCHEMA = 2  # of receipt.schema.json


@dataclass
class Receipt:
    """The facts of a deployment so far. receipt.schema.json is its schema."""

    candidate: Candidate
    began: datetime = field(default_factory=lambda: datetime.now(UTC))
    facts: Json = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def timed(self, step: str) -> Iterator[None]:
        """Record how long a step takes, even one that fails."""
        began = time.monotonic()
        try:
            yield
        finally:
            self.seconds[step] = round(time.monotonic() - began, 1)

    def as_json(self, outcome: Outcome, cause: Cause | None) -> Json:
        """Return the receipt of a deployment that has ended."""
        ended = datetime.now(UTC)
        pipeline, target = self.candidate.pipeline, self.candidate.target
        empty: Json = dict.fromkeys(
            ("digest", "image", "previous", "revision", "deployment", "migration", "proof", "bake", "availability")
        )
        return {
            "schema": SCHEMA,
            "kind": "rotation" if self.candidate.rotation else "rollback" if self.candidate.rollback else "deploy",
            "outcome": outcome.title,
            "exit_code": outcome.code,
            "proven": self.facts.get("proof") is not None,
            "project": target.name,
            "commit": self.candidate.commit,
            **empty,
            **self.facts,
            "changes": in_words(target.changes),
            "began": _written(self.began),
            "ended": _written(ended),
            "seconds": {**self.seconds, "total": round((ended - self.began).total_seconds(), 1)},
            "diagnosis": cause and cause.as_json(),
            "by": {
                "user": pipeline.user,
                "identity": target.identity,
                "pipeline_url": pipeline.url,
                "job_url": pipeline.job_url,
            },
        }

    def write(self, outcome: Outcome, cause: Cause | None, folder: Path, poller: Poller) -> str:
        """Write the receipt to the target's store and to a folder's receipt.json. Returns its key, raises CallError."""
        path = folder / "receipt.json"
        path.write_text(json.dumps(self.as_json(outcome, cause), indent=2) + "\n", encoding="utf-8")
        key = f"{PREFIX}{self.began:%Y-%m-%dT%H:%M:%S.%f}Z-{self.candidate.commit}.json"
        # The time has microseconds, so a conflict is with this very write, repeated as its answer was lost.
        with suppress(Conflict):
            poller.until_answered(lambda: self.candidate.target.store.write(key, path, instead_of=None))
        return key


def newest(store: Store, most: int | None = None) -> Iterator[Json]:
    """Yield the receipts, the newest first, each with its `key`, in the present schema. Raises CallError."""
    for key in sorted(store.keys(PREFIX), reverse=True)[:most]:
        found = store.read(key, quiet=True)
        if found:
            yield _present(found[0]) | {"key": key}


def _present(receipt: Json) -> Json:
    """Return a receipt of any schema in the present one: the first, which had no number, used other words."""
    receipt.setdefault("bake", None)  # which came later
    if "schema" in receipt:
        return receipt
    renamed = {"verified": "proven", "task_definition": "revision"}
    by = {("user" if name == "who" else name): value for name, value in receipt["by"].items()}
    return {renamed.get(name, name): value for name, value in receipt.items()} | {"schema": 1, "by": by}


def _written(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
