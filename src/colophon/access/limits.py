"""How often something may be done: counted in the database, so that all workers and tasks count together."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from sqlalchemy import case, delete
from sqlalchemy.dialects import postgresql, sqlite

from ..database.models import Allowance

if TYPE_CHECKING:
    from sqlalchemy import Connection


@dataclass(frozen=True)
class Limit:
    """So many times in a window of so many seconds, which is the same for all limits."""

    name: str
    quota: int
    window: ClassVar[int] = 60

    @property
    def policy(self) -> str:
        """The limit as the RateLimit-Policy header writes it (draft-ietf-httpapi-ratelimit-headers)."""
        return f'"{self.name}";q={self.quota};w={self.window}'


@dataclass(frozen=True)
class RateLimit:
    """What is left of a limit: how many times more, and in how many seconds it starts anew."""

    limit: Limit
    remaining: int
    reset: int

    @property
    def exceeded(self) -> bool:
        return self.remaining < 0

    @property
    def header(self) -> str:
        """The standing as the RateLimit header writes it."""
        return f'"{self.limit.name}";r={max(0, self.remaining)};t={self.reset}'


def count(db: Connection, limit: Limit, who: str, now: float | None = None) -> RateLimit:
    """Count one more use by somebody, in one statement, and return how they stand."""
    now = time.time() if now is None else now
    window = int(now // limit.window)
    values = {"key": f"{limit.name}:{who}", "window": window, "used": 1}
    # What was counted in windows that are over would only pile up.
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
