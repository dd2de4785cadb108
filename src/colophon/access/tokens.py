"""Tokens that let programs write: made and revoked on the command line, kept as a hash, shown once."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING

from sqlalchemy import insert, select, update

from ..database.models import Token

if TYPE_CHECKING:
    from sqlalchemy import Connection

PREFIX = "colophon"
SCOPES = ("read", "write")
# Often enough to tell a token that is in use from one that is not, seldom enough to cost nothing.
USE_NOTED_EVERY = timedelta(minutes=1)


class TokenError(ValueError):
    """A token is not good. The message says why, and is the same for every token that does not exist."""


@dataclass(frozen=True)
class Bearer:
    """Whoever showed a token that is good."""

    id: int
    name: str
    scope: str
    last_used_at: datetime | None

    def may(self, scope: str) -> bool:
        """Whether the token's scope holds another: 'write' holds 'read'."""
        return SCOPES.index(scope) <= SCOPES.index(self.scope)

    @property
    def use_is_due(self) -> bool:
        """Whether the token's use was last noted so long ago that it is to be noted anew."""
        return self.last_used_at is None or datetime.now(UTC) - self.last_used_at > USE_NOTED_EVERY


def create(db: Connection, name: str, scope: str, lifetime: timedelta) -> str:
    """Make a token and return it. Nobody can read it again: the database has its hash only."""
    secret = secrets.token_urlsafe(32)
    now = datetime.now(UTC)
    number = db.scalar(
        insert(Token)
        .values(name=name, scope=scope, hash=_hash(secret), created_at=now, expires_at=now + lifetime)
        .returning(Token.id)
    )
    return f"{PREFIX}_{number}_{secret}"


def verify(db: Connection, token: str) -> Bearer:
    """Return whose token it is. Raises TokenError."""
    prefix, _, rest = token.partition("_")
    number, _, secret = rest.partition("_")
    known = number.isascii() and number.isdigit() and len(number) < 10 and prefix == PREFIX
    row = db.execute(select(Token.__table__).where(Token.id == int(number))).one_or_none() if known else None
    # A hash is compared in any case, so that the time taken does not tell which tokens exist.
    if not hmac.compare_digest(_hash(secret), row.hash if row else _hash("")) or row is None:
        raise TokenError("The token is not known.")
    now = datetime.now(UTC)
    if row.revoked_at:
        raise TokenError("The token was revoked.")
    if row.expires_at <= now:
        raise TokenError("The token has expired.")
    return Bearer(row.id, row.name, row.scope, row.last_used_at)


def note_use(db: Connection, bearer: Bearer) -> None:
    """Note that a token is in use now."""
    db.execute(update(Token).where(Token.id == bearer.id).values(last_used_at=datetime.now(UTC)))


@dataclass(frozen=True)
class TokenRecord:
    """What can be told of a token that was made."""

    id: int
    name: str
    scope: str
    expires_at: datetime
    revoked_at: datetime | None
    last_used_at: datetime | None

    def status(self) -> str:
        """Whether the token is good: 'revoked', 'expired', or until when."""
        if self.revoked_at:
            return "revoked"
        return "expired" if self.expires_at <= datetime.now(UTC) else f"good until {self.expires_at:%Y-%m-%d}"


def all_tokens(db: Connection) -> list[TokenRecord]:
    """Return all tokens, the oldest first."""
    columns = (Token.id, Token.name, Token.scope, Token.expires_at, Token.revoked_at, Token.last_used_at)
    return [TokenRecord(*row) for row in db.execute(select(*columns).order_by(Token.id))]


def revoke(db: Connection, number: int) -> bool:
    """End a token for good; whether it was there to be ended. Revoking one twice keeps the first time."""
    if db.scalar(select(Token.id).where(Token.id == number)) is None:
        return False
    db.execute(update(Token).where(Token.id == number, Token.revoked_at.is_(None)).values(revoked_at=datetime.now(UTC)))
    return True


def _hash(secret: str) -> str:
    # The secret has 256 random bits, so a fast hash is as good as a slow one.
    return sha256(secret.encode()).hexdigest()
