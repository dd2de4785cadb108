"""Idempotency keys: a POST that is repeated with its key within a day gets the response of the first one."""

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
    """The key was used for another request."""


@dataclass(frozen=True)
class StoredResponse:
    """The response to the first request: the new book's slug, and the body."""

    slug: str
    body: str


def find(db: Connection, token_id: int, key: str, sent: object) -> StoredResponse | None:
    """Return the response to an earlier request with this key, None if there was none. Raises KeyReusedError."""
    db.execute(delete(IdempotencyKey).where(IdempotencyKey.created_at < datetime.now(UTC) - KEPT))
    columns = (IdempotencyKey.fingerprint, IdempotencyKey.slug, IdempotencyKey.body)
    used = select(*columns).where(IdempotencyKey.token_id == token_id, IdempotencyKey.key == key)
    row = db.execute(used).one_or_none()
    if row is None:
        return None
    if row.fingerprint != _fingerprint(sent):
        raise KeyReusedError(f"The key ‘{key}’ was used for another request.")
    return StoredResponse(row.slug, row.body)


def store(db: Connection, token_id: int, key: str, sent: object, response: StoredResponse) -> None:
    """Store the response to a request, in the transaction that carries the request out."""
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
