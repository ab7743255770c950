"""The state of an import: its source frozen in a local file, in order, and how far it has come.

What is to be written is first put here, each under a number that is its place in the source. The
destination applies each number once, so that losing this file costs time, not correctness: the same
source is staged in the same order, and what was written before is passed over.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote, unquote

import msgspec

from ..config import AnalyticsConfig
from ..events import AnalyticsEvent
from ..periods import DAY_MS, day_of
from ..supplements import PatternSupplement, Supplement
from .errors import ImportRefusedError

__all__ = ["Record", "Stage", "place_of", "stage_path"]

Record = AnalyticsEvent | Supplement
"""What is written: an event, or what a row counts besides."""

_EVENT, _SUPPLEMENT = 0, 1

_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS records (position INTEGER PRIMARY KEY, kind INTEGER NOT NULL, "
    "timestamp INTEGER, event_id TEXT UNIQUE, body BLOB NOT NULL)",
    # Of a table that is scanned: its items, and where the next page starts.
    "CREATE TABLE IF NOT EXISTS items (pk TEXT NOT NULL, sk TEXT NOT NULL, body BLOB NOT NULL, "
    "PRIMARY KEY (pk, sk)) WITHOUT ROWID",
)

_encode = msgspec.msgpack.Encoder().encode
_decode_event = msgspec.msgpack.Decoder(AnalyticsEvent).decode
_decode_supplement = msgspec.msgpack.Decoder(Supplement).decode


def stage_path(config: AnalyticsConfig, source: str, destination: str) -> Path | None:
    """Return where the state of an import lies by default; None if this process has no home."""
    folder = config.spool_folder
    if folder is None:
        return None
    name = blake2b(f"{source}\0{place_of(destination)}".encode(), digest_size=8).hexdigest()
    return folder.parent / "imports" / f"{name}.db"


def place_of(url: str) -> str:
    """Return a store's URL, that of a SQLite file with its absolute path."""
    if not url.startswith("sqlite:///"):
        return url
    path = Path(unquote(url.removeprefix("sqlite:///"))).absolute()
    return f"sqlite:///{quote(str(path))}"


class Stage:
    """The state of one import; not thread-safe, and locked as long as it is open.

    Args:
        path: its file, made where it is missing; None keeps it in memory, not to be resumed.

    Raises:
        ImportRefusedError: another process has it open, or it cannot be used.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        if path is not None:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            # What is imported is nobody else's to read.
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        # An empty name is a temporary file of SQLite's own.
        self._db = sqlite3.connect(path or "", isolation_level=None, timeout=0.1)
        try:
            self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._db.execute("PRAGMA synchronous = NORMAL")
            self._db.execute("BEGIN EXCLUSIVE")
            for statement in _SCHEMA:
                self._db.execute(statement)
            self._db.execute("COMMIT")
        except sqlite3.Error as exc:
            self._db.close()
            busy = exc.sqlite_errorname == "SQLITE_BUSY"
            problem = "another import uses it" if busy else f"it cannot be used ({exc})"
            remedy = "wait for that one to end" if busy else "name another file with --state"
            raise ImportRefusedError(str(path), problem, remedy) from exc

    def close(self) -> None:
        """Close the file and give up its lock; idempotent."""
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def get(self, name: str) -> Any:
        """Return what is noted under a name; None where nothing is."""
        row = self._db.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return None if row is None else msgspec.json.decode(row[0])

    def note(self, **values: Any) -> None:
        """Note values that JSON can hold, together."""
        with _Transaction(self._db):
            self._note(values)

    def clear(self) -> None:
        """Forget all records and items, and give the disk back."""
        self.clear_records()
        with _Transaction(self._db):
            self._db.execute("DELETE FROM items")
            self._note({"scan": None})
        self._db.execute("VACUUM")

    def clear_records(self) -> None:
        """Forget all records."""
        with _Transaction(self._db):
            self._db.execute("DELETE FROM records")

    def add(self, records: Iterable[Record], **noted: Any) -> None:
        """Add records under their numbers, and note values with them, all or nothing.

        Raises:
            sqlite3.IntegrityError: a number or an event's id is there.
        """
        with _Transaction(self._db):
            self._db.executemany("INSERT INTO records VALUES (?, ?, ?, ?, ?)", map(_row, records))
            self._note(noted)

    def has_event(self, event_id: str) -> bool:
        """Say whether an event of this id is among the records."""
        row = self._db.execute("SELECT 1 FROM records WHERE event_id = ?", (event_id,)).fetchone()
        return row is not None

    def add_items(self, rows: Iterable[tuple[str, str, bytes]], **noted: Any) -> None:
        """Add items of a table that is scanned, by their keys, and note values with them."""
        with _Transaction(self._db):
            self._db.executemany("INSERT OR REPLACE INTO items VALUES (?, ?, ?)", rows)
            self._note(noted)

    def items(self, prefix: str = "") -> Iterator[tuple[str, str, bytes]]:
        """Yield the items whose partition key starts so, in the order of their keys."""
        yield from self._db.execute(
            "SELECT pk, sk, body FROM items WHERE substr(pk, 1, ?) = ? ORDER BY pk, sk",
            (len(prefix), prefix),
        )

    def records(
        self, after: int, limit: int, writer: str
    ) -> tuple[list[AnalyticsEvent], list[Any]]:
        """Return the next events and supplements after a number, as a writer's.

        Args:
            after: their numbers are higher.
            limit: how many at most.
            writer: whose the events are to be.
        """
        events: list[AnalyticsEvent] = []
        supplements: list[Supplement] = []
        rows = self._db.execute(
            "SELECT position, kind, body FROM records WHERE position > ? ORDER BY position LIMIT ?",
            (after, limit),
        )
        for position, kind, body in rows:
            if kind == _EVENT:
                event = _decode_event(body)
                events.append(msgspec.structs.replace(event, writer=writer, sequence=position))
            else:
                supplements.append(_decode_supplement(body))
        return events, supplements

    def bodies(self) -> Iterator[bytes]:
        """Yield every record as it is kept, in order; what a digest is made of."""
        for (body,) in self._db.execute("SELECT body FROM records ORDER BY position"):
            yield body

    def count(self, after: int = 0) -> int:
        """Return how many records have higher numbers."""
        row = self._db.execute("SELECT count(*) FROM records WHERE position > ?", (after,))
        return int(row.fetchone()[0])

    def tally(self) -> dict[str, int]:
        """Return how many `events`, `supplements`, `days` and `patterns` there are."""
        (events,) = self._db.execute(
            "SELECT count(*) FROM records WHERE kind = ?", (_EVENT,)
        ).fetchone()
        supplements = patterns = 0
        other: set[str] = set()
        for (body,) in self._db.execute("SELECT body FROM records WHERE kind = ?", (_SUPPLEMENT,)):
            supplement = _decode_supplement(body)
            supplements += 1
            if isinstance(supplement, PatternSupplement):
                patterns += 1
            else:
                other.add(supplement.key.period[:10])
        return {
            "events": events,
            "supplements": supplements,
            "days": len(other.union(self.event_days())),
            "patterns": patterns,
        }

    def event_days(self) -> list[str]:
        """Return the UTC days, `YYYY-MM-DD`, that events are of, in order."""
        rows = self._db.execute(
            "SELECT DISTINCT timestamp / ? FROM records WHERE kind = ? ORDER BY 1", (DAY_MS, _EVENT)
        )
        return [day_of(number * DAY_MS) for (number,) in rows]

    def drop_events(self, event_ids: Iterable[str]) -> int:
        """Remove events by their ids, and return how many there were."""
        with _Transaction(self._db):
            before = self._db.total_changes
            self._db.executemany(
                "DELETE FROM records WHERE event_id = ?", [(one,) for one in event_ids]
            )
            return self._db.total_changes - before

    def drop_supplements(self) -> int:
        """Remove all supplements, and return how many there were."""
        with _Transaction(self._db):
            return self._db.execute("DELETE FROM records WHERE kind = ?", (_SUPPLEMENT,)).rowcount

    def _note(self, values: dict[str, Any]) -> None:
        self._db.executemany(
            "INSERT OR REPLACE INTO meta VALUES (?, ?)",
            [(name, msgspec.json.encode(value).decode()) for name, value in values.items()],
        )


class _Transaction:
    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def __enter__(self) -> None:
        self._db.execute("BEGIN")

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._db.execute("COMMIT" if exc is None else "ROLLBACK")


def _row(record: Record) -> tuple[int, int, int | None, str | None, bytes]:
    if isinstance(record, AnalyticsEvent):
        body = _encode(record)
        return record.sequence, _EVENT, record.timestamp, record.event_id, body
    return record.sequence, _SUPPLEMENT, None, None, _encode(record)
