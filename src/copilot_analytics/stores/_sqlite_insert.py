"""Inserts of many rows by few statements."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable
from itertools import chain, islice

__all__ = ["Insert", "Row"]


def _most_parameters() -> int:
    """Return how many parameters a statement may have: 999 before SQLite 3.32, usually 32,766."""
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        return connection.getlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER)


_MOST_PARAMETERS = _most_parameters()

Row = tuple[object, ...]
"""One row's values."""


class Insert:
    """An INSERT whose rows go 256, 128 … 1 to a statement.

    Python gives up the interpreter lock for every statement, and beside a busy event loop waits up
    to 5 ms to have it back: a row at a time, a batch would take seconds. Powers of two, so that
    SQLite prepares few statements and keeps them all.

    Args:
        table: the table, with its columns in brackets where not all are given.
        width: values a row.
        conflict: the ON CONFLICT clause, if any.
    """

    __slots__ = ("_statements",)

    MOST_ROWS = 256
    """Rows that one statement takes at most: to bind them takes less time than a timer's tick, and
    with four times as many statements a batch takes a fifth longer beside a busy loop."""

    def __init__(self, table: str, width: int, conflict: str = "") -> None:
        row = f"({', '.join('?' * width)})"
        self._statements: list[tuple[int, str]] = []
        rows = self.MOST_ROWS
        while rows:
            if rows * width <= _MOST_PARAMETERS:
                values = ", ".join([row] * rows)
                # Rolling back whatever fails, SQLite need not keep each page as it was before the
                # statement, which takes a third of the time.
                sql = f"INSERT OR ROLLBACK INTO {table} VALUES {values} {conflict}"
                self._statements.append((rows, sql))
            rows //= 2

    def execute(self, connection: sqlite3.Connection, rows: Iterable[Row]) -> None:
        """Insert the rows, in order; they are taken a statement's at a time."""
        rest = iter(rows)
        (most, statement), *smaller = self._statements
        while len(part := list(islice(rest, most))) == most:
            connection.execute(statement, tuple(chain.from_iterable(part)))
        start = 0
        for size, statement in smaller:
            if len(part) - start >= size:
                values = chain.from_iterable(part[start : start + size])
                connection.execute(statement, tuple(values))
                start += size
