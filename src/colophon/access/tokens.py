"""API tokens: created and revoked on the command line, shown once, stored as a hash."""

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
# Often enough to tell a token in use from an abandoned one, rarely enough to cost nothing.
USE_NOTED_EVERY = timedelta(minutes=1)


class TokenError(ValueError):
    """The token is not valid. The message says why, and is the same for every token that does not exist."""


@dataclass(frozen=True)
class Bearer:
    """The holder of a valid token."""

    id: int
    name: str
    scope: str
    last_used_at: datetime | None

    def may(self, scope: str) -> bool:
        """Return True if the token's scope includes another: 'write' includes 'read'."""
        return SCOPES.index(scope) <= SCOPES.index(self.scope)

    @property
    def use_is_due(self) -> bool:
        """True if the time of last use is out of date."""
        return self.last_used_at is None or datetime.now(UTC) - self.last_used_at > USE_NOTED_EVERY


def create(db: Connection, name: str, scope: str, lifetime: timedelta) -> str:
    """Create a token and return it. It cannot be read again: the database has only its hash."""
    secret = secrets.token_urlsafe(32)
    now = datetime.now(UTC)
    number = db.scalar(
        insert(Token)
        .values(name=name, scope=scope, hash=_hash(secret), created_at=now, expires_at=now + lifetime)
        .returning(Token.id)
    )
    return f"{PREFIX}_{number}_{secret}"


def verify(db: Connection, token: str) -> Bearer:
    """Return the holder of a token. Raises TokenError if it is not valid."""
    prefix, _, rest = token.partition("_")
    number, _, secret = rest.partition("_")
    known = number.isascii() and number.isdigit() and len(number) < 10 and prefix == PREFIX
    row = db.execute(select(Token.__table__).where(Token.id == int(number))).one_or_none() if known else None
    # A hash is compared even if there is no such token, so that the time taken does not tell which tokens exist.
    if not hmac.compare_digest(_hash(secret), row.hash if row else _hash("")) or row is None:
        raise TokenError("The token is not known.")
    now = datetime.now(UTC)
    if row.revoked_at:
        raise TokenError("The token was revoked.")
    if row.expires_at <= now:
        raise TokenError("The token has expired.")
    return Bearer(row.id, row.name, row.scope, row.last_used_at)


def note_use(db: Connection, bearer: Bearer) -> None:
    """Store the present as the time of a token's last use."""
    db.execute(update(Token).where(Token.id == bearer.id).values(last_used_at=datetime.now(UTC)))


@dataclass(frozen=True)
class TokenRecord:
    """A token as the list of tokens shows it."""

    id: int
    name: str
    scope: str
    expires_at: datetime
    revoked_at: datetime | None
    last_used_at: datetime | None

    def status(self) -> str:
        """Return 'revoked', 'expired', or the day until which the token is valid."""
        if self.revoked_at:
            return "revoked"
        return "expired" if self.expires_at <= datetime.now(UTC) else f"valid until {self.expires_at:%Y-%m-%d}"


def all_tokens(db: Connection) -> list[TokenRecord]:
    """Return all tokens, the oldest first."""
    columns = (Token.id, Token.name, Token.scope, Token.expires_at, Token.revoked_at, Token.last_used_at)
    return [TokenRecord(*row) for row in db.execute(select(*columns).order_by(Token.id))]


def revoke(db: Connection, number: int) -> bool:
    """Revoke a token; return False if there is none. Revoking it again changes nothing."""
    if db.scalar(select(Token.id).where(Token.id == number)) is None:
        return False
    db.execute(update(Token).where(Token.id == number, Token.revoked_at.is_(None)).values(revoked_at=datetime.now(UTC)))
    return True


def _hash(secret: str) -> str:
    # The secret has 256 random bits, so a fast hash is as good as a slow one.
    return sha256(secret.encode()).hexdigest()
