"""The database, SQLite or PostgreSQL: connections, transactions, tables and their migrations."""

from .engine import (
    analyze,
    connect,
    in_passing,
    is_postgresql,
    milliseconds,
    reason,
    snapshot,
    transaction,
)

__all__ = [
    "analyze",
    "connect",
    "in_passing",
    "is_postgresql",
    "milliseconds",
    "reason",
    "snapshot",
    "transaction",
]
