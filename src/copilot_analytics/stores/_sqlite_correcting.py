"""Correcting rollups by a recount, in one transaction that its caller holds."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from ..rollups import Rollup, RollupKey
from ._sqlite_reading import ROW, rollup_of
from ._sqlite_schema import period_number
from ._sqlite_writing import (
    Key,
    add_rollups,
    key_of,
    merge_sketches,
    raise_generations,
    stored_users,
)
from .base import Correction

__all__ = ["correct"]


def correct(
    connection: sqlite3.Connection, corrections: Sequence[Correction], *, now_ms: int
) -> list[RollupKey]:
    """Replace the rollups that are still as they were read, and return which those are.

    Args:
        connection: holds a write transaction.
        corrections: what is to be replaced.
        now_ms: tells which days have ended.
    """
    found = [one for one in corrections if _is_unchanged(connection, one)]
    for one in found:
        for table in ("rollups", "details", "distinct_users"):
            connection.execute(
                f"DELETE FROM {table} WHERE kind = ? AND period = ? AND dimension = ?",
                key_of(one.key),
            )
    add_rollups(connection, {one.key: one.rollup for one in found})
    merge_sketches(connection, {one.key: one.users for one in found if one.users is not None})
    raise_generations(connection, {period_number(one.key.period[:10]) for one in found}, now_ms)
    if found:
        # What other processes know to be stored may be no longer.
        connection.execute("UPDATE tallies SET n = n + 1 WHERE name = 'erasures'")
    return [one.key for one in found]


def _is_unchanged(connection: sqlite3.Connection, one: Correction) -> bool:
    key = key_of(one.key)
    return (
        _stored(connection, one.key, key) == one.stored
        and stored_users(connection, key) == one.stored_users
    )


def _stored(connection: sqlite3.Connection, rollup_key: RollupKey, key: Key) -> Rollup | None:
    row = connection.execute(ROW[rollup_key.kind], key).fetchone()
    return None if row is None else rollup_of(rollup_key.kind, row[1:], row[0])
