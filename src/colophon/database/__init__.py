"""The database, SQLite or PostgreSQL: connections, transactions, tables and their migrations."""

from .engine import (
    analyze,
    connect,
    current,
    engine_of,
    in_passing,
    init_app,
    is_postgresql,
    milliseconds,
    reason,
    release,
    snapshot,
    transaction,
)

__all__ = [
    "analyze",
    "connect",
    "current",
    "engine_of",
    "in_passing",
    "init_app",
    "is_postgresql",
    "milliseconds",
    "reason",
    "release",
    "snapshot",
    "transaction",
]
