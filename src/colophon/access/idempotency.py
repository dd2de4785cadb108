"""Creations that may be asked for again: a key that was used answers as it did the first time, for a day."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, select

from ..database.models import IdempotencyKey

if TYPE_CHECKING:
    from sqlalchemy import Connection

KEPT = timedelta(hours=24)


class KeyReusedError(ValueError):
    """The key was used for something else."""


@dataclass(frozen=True)
class StoredResponse:
    """What was answered the first time: the new book's slug, and the body."""

    slug: str
    body: str


def find(db: Connection, token_id: int, key: str, sent: object) -> StoredResponse | None:
    """Return what this call was answered before, None for a first one. Raises KeyReusedError."""
    db.execute(delete(IdempotencyKey).where(IdempotencyKey.created_at < datetime.now(UTC) - KEPT))
    columns = (IdempotencyKey.fingerprint, IdempotencyKey.slug, IdempotencyKey.body)
    used = select(*columns).where(IdempotencyKey.token_id == token_id, IdempotencyKey.key == key)
    row = db.execute(used).one_or_none()
    if row is None:
        return None
    if row.fingerprint != _fingerprint(sent):
        raise KeyReusedError(f"The key ‘{key}’ was used to send something else.")
    return StoredResponse(row.slug, row.body)


def store(db: Connection, token_id: int, key: str, sent: object, response: StoredResponse) -> None:
    """Keep what a call was response. To be called in the transaction that does what the call asks."""
    db.execute(
        insert(IdempotencyKey).values(
            token_id=token_id,
            key=key,
            fingerprint=_fingerprint(sent),
            slug=response.slug,
            body=response.body,
            created_at=datetime.now(UTC),
        )
    )


def _fingerprint(sent: object) -> str:
    return sha256(json.dumps(sent, sort_keys=True).encode()).hexdigest()
