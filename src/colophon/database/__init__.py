"""The database, SQLite or PostgreSQL: connections, transactions, tables and their migrations."""

from .engine import (
    analyze,
    best_effort,
    connect,
    is_postgresql,
    lock_timeout,
    milliseconds,
    reason,
    snapshot,
    transaction,
)

__all__ = [
    "analyze",
    "best_effort",
    "connect",
    "is_postgresql",
    "lock_timeout",
    "milliseconds",
    "reason",
    "snapshot",
    "transaction",
]
