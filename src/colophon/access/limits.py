"""Rate limits, counted in the database, so that all workers and tasks share one count."""

from __future__ import annotations

import time
from dataclasses import dataclass
from ipaddress import IPv6Network, ip_address
from typing import TYPE_CHECKING, ClassVar

from sqlalchemy import case, delete
from sqlalchemy.dialects import postgresql, sqlite

from ..database.models import Allowance

if TYPE_CHECKING:
    from sqlalchemy import Connection


@dataclass(frozen=True)
class Limit:
    """A quota of uses for each window of time, whose length is the same for all limits."""

    name: str
    quota: int
    window: ClassVar[int] = 60

    @property
    def policy(self) -> str:
        """The value of the RateLimit-Policy header (draft-ietf-httpapi-ratelimit-headers)."""
        return f'"{self.name}";q={self.quota};w={self.window}'


@dataclass(frozen=True)
class RateLimit:
    """The state of a limit: the uses that remain, and the seconds until the window ends."""

    limit: Limit
    remaining: int
    reset: int

    @property
    def exceeded(self) -> bool:
        """True for a use past the quota."""
        return self.remaining < 0

    @property
    def header(self) -> str:
        """The value of the RateLimit header."""
        return f'"{self.limit.name}";r={max(0, self.remaining)};t={self.reset}'


def network(address: str | None) -> str:
    """Return what a visitor's uses are counted by: their IPv4 address, or their IPv6 network.

    A visitor has all of the 2**64 addresses of such a network; each would have a quota, and a row, of its own.
    """
    try:
        found = ip_address(address or "")
    except ValueError:
        return "unknown"
    found = getattr(found, "ipv4_mapped", None) or found
    return str(found if found.version == 4 else IPv6Network((int(found) >> 64 << 64, 64)))


def count(db: Connection, limit: Limit, client: str, now: float | None = None) -> RateLimit:
    """Count one use by a client, in one statement, and return the current usage."""
    now = time.time() if now is None else now
    window = int(now // limit.window)
    values = {"key": f"{limit.name}:{client}", "window": window, "used": 1}
    # Counts of past windows would pile up.
    db.execute(delete(Allowance).where(Allowance.window < window - 1))
    insert = (postgresql if db.dialect.name == "postgresql" else sqlite).insert(Allowance)
    used = db.scalar(
        insert.values(values)
        .on_conflict_do_update(
            index_elements=[Allowance.key],
            set_={"window": window, "used": case((Allowance.window == window, Allowance.used + 1), else_=1)},
        )
        .returning(Allowance.used)
    )
    return _rate_limit(limit, used or 0, now)


def _rate_limit(limit: Limit, used: int, now: float) -> RateLimit:
    return RateLimit(limit, limit.quota - used, int(limit.window - now % limit.window) or 1)
