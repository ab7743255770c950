"""What a batch does to the tables, inside the transaction that its caller holds."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import repeat

import msgspec
from msgspec.structs import astuple

from ..aggregation import PatternDelta
from ..batch import Batch
from ..distinct import Distinct
from ..encoding import encode_metadata
from ..events import AnalyticsEvent
from ..periods import DAY_MS
from ..rollups import HEADLINES, Rollup, RollupKey, RollupKind
from ._sqlite_details import add_to_details
from ._sqlite_insert import Insert, Row
from ._sqlite_schema import EVENT_CODES, HOURS, KIND_CODES, headline_columns, period_number

__all__ = [
    "USERS",
    "Key",
    "KnownUsers",
    "add_rollups",
    "key_of",
    "merge_sketches",
    "note_unbacked",
    "raise_generations",
    "stored_users",
    "write_batch",
]

USERS = msgspec.json.Decoder(tuple[str, ...])
"""Reads `patterns.users`."""

_ENDED_MS = 60_000
"""A day counts as ended this long before its end: what is cached then outlives it."""

_EVENT_CODES = dict(EVENT_CODES)  # looked up in half the time of a mapping proxy

_ON_KEY = "ON CONFLICT (kind, period, dimension) DO UPDATE SET"
_EVENTS = Insert("events", 9)
_DETAILS = Insert("details", 4, f"{_ON_KEY} counters = excluded.counters")
_DISTINCT_USERS = Insert("distinct_users", 4, f"{_ON_KEY} users = excluded.users")
_PATTERNS = Insert(
    "patterns",
    7,
    "ON CONFLICT (dimension) DO UPDATE SET message = excluded.message, count = excluded.count, "
    "first = excluded.first, last = excluded.last, users = excluded.users",
)
_GENERATIONS = Insert("generations", 2, "ON CONFLICT (day) DO UPDATE SET n = n + 1")

Key = tuple[int, int, str]
"""The code of a kind, a period's number and a dimension: the primary key of most tables."""


class KnownUsers:
    """Hashes of distinct users that this process has already stored, so that it need not again.

    In a steady state a batch meets the users of the batches before it; without this, each would
    read, decode and compare 22 sketches to find nothing new. Forgets everything when it is full.
    """

    __slots__ = ("_count", "_erasures", "_known")

    _LIMIT = 100_000
    """Hashes held, at about 80 bytes each."""

    def __init__(self) -> None:
        self._erasures = 0
        self.clear()

    def forget_erased(self, erasures: int) -> None:
        """Forget everything if there were more erasures than before, maybe another process's."""
        if erasures != self._erasures:
            self.clear()
            self._erasures = erasures

    def clear(self) -> None:
        """Forget everything; after the file has changed in another way than by adding."""
        self._known: dict[Key, set[int]] = {}
        self._count = 0

    def unknown(self, key: Key, hashes: set[int]) -> set[int]:
        """Return which of the hashes may not be stored yet."""
        known = self._known.get(key)
        return hashes - known if known else hashes

    def learn(self, stored: Mapping[Key, set[int]]) -> None:
        """Remember hashes whose transaction is committed."""
        for key, hashes in stored.items():
            self._count += len(hashes)
            if self._count > self._LIMIT:
                self.clear()
                self._count = len(hashes)
            self._known.setdefault(key, set()).update(hashes)


def write_batch(
    connection: sqlite3.Connection, batch: Batch, known: KnownUsers, *, now_ms: int
) -> dict[Key, set[int]]:
    """Add what of the batch its writer has not written yet.

    Returns:
        The hashes of distinct users that were stored, for `KnownUsers.learn` after the commit.
    """
    erasures, writer, last = connection.execute(
        "SELECT n, id, last_sequence FROM tallies LEFT JOIN writers ON writers.name = ? "
        "WHERE tallies.name = 'erasures'",
        (batch.writer,),
    ).fetchone()
    known.forget_erased(erasures)
    rest = batch if last is None else batch.after(last)
    if rest is None:
        return {}
    if writer is None:
        writer = connection.execute(
            "INSERT INTO writers (name, last_sequence, last_written) VALUES (?, ?, ?)",
            (rest.writer, rest.last, now_ms),
        ).lastrowid
    else:
        connection.execute(
            "UPDATE writers SET last_sequence = ?, last_written = ? WHERE id = ?",
            (rest.last, now_ms, writer),
        )
    _EVENTS.execute(connection, _event_rows(rest.events, writer))
    connection.execute("UPDATE tallies SET n = n + ? WHERE name = 'events'", (len(rest.events),))
    deltas = rest.deltas
    add_rollups(connection, deltas.rollups)
    stored = _add_users(connection, deltas.distinct, known)
    merge_sketches(connection, deltas.sketches)
    note_unbacked(connection, map(key_of, deltas.unbacked))
    _add_patterns(connection, deltas.patterns)
    raise_generations(connection, map(period_number, deltas.days), now_ms)
    return stored


def _event_rows(events: Sequence[AnalyticsEvent], writer: int | None) -> Iterator[Row]:
    # Made a statement's at a time: other threads run in between.
    for start in range(0, len(events), Insert.MOST_ROWS):
        part = events[start : start + Insert.MOST_ROWS]
        event_ids, event_types, users, times, talks, sockets, metadata, _, sequences = zip(
            *map(astuple, part), strict=True
        )
        yield from zip(
            times,
            event_ids,
            map(_EVENT_CODES.__getitem__, event_types),
            users,
            talks,
            sockets,
            encode_metadata(metadata),
            repeat(writer),
            sequences,
            strict=False,  # for the writer's sake
        )


class _Kind:
    """How the rollups of one code are written: the upsert, and which counters it takes."""

    __slots__ = ("code", "headlines", "names", "upsert")

    def __init__(self, code: int, kind: RollupKind) -> None:
        columns = headline_columns(kind)
        self.code = code
        self.headlines = HEADLINES[kind]
        self.names = frozenset(self.headlines)
        sums = ", ".join(f"{column} = {column} + excluded.{column}" for column in columns)
        self.upsert = Insert(
            f"rollups (kind, period, dimension, first, last, {', '.join(columns)})",
            5 + len(columns),
            f"{_ON_KEY} first = min(coalesce(first, excluded.first), "
            "coalesce(excluded.first, first)), "
            f"last = max(coalesce(last, excluded.last), coalesce(excluded.last, last)), {sums}",
        )


_DAYS = {kind: _Kind(code, kind) for kind, code in KIND_CODES.items()}
_HOURS = _Kind(HOURS, RollupKind.ACTIVITY)


def add_rollups(connection: sqlite3.Connection, rollups: Mapping[RollupKey, Rollup]) -> None:
    """Add to rollups, those included that there are none of yet."""
    rows: defaultdict[_Kind, list[Row]] = defaultdict(list)
    details: dict[Key, dict[str, int]] = {}
    for key, rollup in rollups.items():
        kind = _HOURS if "T" in key.period else _DAYS[key.kind]
        counters = rollup.counters
        period = period_number(key.period)
        rows[kind].append(
            (
                kind.code,
                period,
                key.dimension,
                rollup.first or None,
                rollup.last or None,
                *[counters.get(name, 0) for name in kind.headlines],
            )
        )
        if not counters.keys() <= kind.names:
            details[kind.code, period, key.dimension] = {
                name: count for name, count in counters.items() if name not in kind.names
            }
    for kind, values in rows.items():
        kind.upsert.execute(connection, values)
    _add_details(connection, details)


def _add_details(connection: sqlite3.Connection, details: Mapping[Key, dict[str, int]]) -> None:
    rows: list[Row] = []
    for key, counters in details.items():
        stored = connection.execute(
            "SELECT counters FROM details WHERE kind = ? AND period = ? AND dimension = ?", key
        ).fetchone()
        rows.append((*key, add_to_details(stored and stored[0], counters)))
    _DETAILS.execute(connection, rows)


def _add_users(
    connection: sqlite3.Connection, distinct: Mapping[RollupKey, set[int]], known: KnownUsers
) -> dict[Key, set[int]]:
    stored = {}
    rows: list[Row] = []
    for rollup_key, hashes in distinct.items():
        key = key_of(rollup_key)
        new = known.unknown(key, hashes)
        if not new:
            continue
        stored[key] = new
        users = stored_users(connection, key)
        if users is None:
            users = Distinct()
        if users.add(new):
            rows.append((*key, users.to_bytes()))
    _DISTINCT_USERS.execute(connection, rows)
    return stored


def merge_sketches(connection: sqlite3.Connection, sketches: Mapping[RollupKey, Distinct]) -> None:
    """Add distinct users, exact or not, to those of rollups."""
    rows: list[Row] = []
    for rollup_key, sketch in sketches.items():
        key = key_of(rollup_key)
        stored = stored_users(connection, key)
        users = sketch if stored is None else Distinct.merge((stored, sketch))
        rows.append((*key, users.to_bytes()))
    _DISTINCT_USERS.execute(connection, rows)


def stored_users(connection: sqlite3.Connection, key: Key) -> Distinct | None:
    """Return the distinct users of a rollup; None where there are none."""
    found = connection.execute(
        "SELECT users FROM distinct_users WHERE kind = ? AND period = ? AND dimension = ?", key
    ).fetchone()
    return None if found is None else Distinct.from_bytes(found[0])


def key_of(key: RollupKey) -> Key:
    """Return a rollup's key in the tables."""
    code = HOURS if "T" in key.period else KIND_CODES[key.kind]
    return code, period_number(key.period), key.dimension


def _add_patterns(connection: sqlite3.Connection, patterns: Mapping[str, PatternDelta]) -> None:
    rows: list[Row] = []
    for dimension, delta in patterns.items():
        found = connection.execute(
            "SELECT error_type, message, count, first, last, users FROM patterns "
            "WHERE dimension = ?",
            (dimension,),
        ).fetchone()
        life = delta
        if found is not None:
            error_type, message, count, first, last, users = found
            life = PatternDelta(error_type, message, count, first, last, USERS.decode(users))
            life.add(delta)
        rows.append(
            (
                dimension,
                life.error_type,
                life.message,
                life.count,
                life.first,
                life.last,
                msgspec.json.encode(life.users).decode(),
            )
        )
    _PATTERNS.execute(connection, rows)


def note_unbacked(connection: sqlite3.Connection, keys: Iterable[Key]) -> None:
    """Note rollups, by their keys in the tables, that count what no event backs."""
    connection.executemany("INSERT OR IGNORE INTO unbacked VALUES (?, ?, ?)", sorted(keys))


def raise_generations(connection: sqlite3.Connection, days: Iterable[int], now_ms: int) -> None:
    """Raise the generation of those of the days, by their numbers, that have ended."""
    ended = [(day, 1) for day in days if (day + 1) * DAY_MS <= now_ms + _ENDED_MS]
    _GENERATIONS.execute(connection, ended)
