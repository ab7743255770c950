"""The store for production: one DynamoDB table, which any number of processes share."""

from __future__ import annotations

import contextlib
import datetime as dt
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence

from .._forking import renew_in_children
from ..batch import Batch
from ..distinct import Distinct
from ..errors import ConfigurationError
from ..events import AnalyticsEvent
from ..periods import DateRange
from ..rollups import Pattern, Rollup, RollupKind
from ..typing import Clock, SystemClock
from ._dynamodb_client import DynamoDBClient
from ._dynamodb_erasure import Eraser
from ._dynamodb_events import EventReader
from ._dynamodb_reading import RollupReader
from ._dynamodb_settings import Settings
from ._dynamodb_snapshot import DynamoDBSnapshot
from ._dynamodb_table import DATE_INDEX
from ._dynamodb_url import parsed
from ._dynamodb_writing import BatchWriter
from .base import Erasure, EventSelection, Snapshot, Store

__all__ = ["DynamoDBStore"]

_MOST_SHARDS = 100


class DynamoDBStore(Store):
    """Keeps everything in one DynamoDB table.

    Constructing it touches no network. Region, endpoint and credentials are found by boto3's own
    rules. Reads are eventually consistent. What has outlived its retention is left out, and deleted
    by DynamoDB some time later.

    A write is not atomic, see `Store.write`: one that fails is to be repeated by the same writer
    before its next one, which a spool does.

    Args:
        table_or_url: a table's name, or
            `dynamodb://TABLE?region=eu-central-1&endpoint=http://localhost:8000&shards=4`, whose
            options come before the arguments of the same name.
        region: the table's region.
        endpoint_url: another endpoint than AWS's own for the region.
        shards: over how many partitions each index spreads a day's events; one takes about 700
            events a second. It can be raised at any time.
        clock: tells which days have ended and what has outlived its retention.
        event_retention_days: how many whole days of events are kept before today.
        rollup_retention_days: how many days of rollups are kept, today included.

    Raises:
        ConfigurationError: it is no such name or URL, or an option is out of its bounds.
    """

    remote = True

    def __init__(
        self,
        table_or_url: str,
        *,
        region: str | None = None,
        endpoint_url: str | None = None,
        shards: int = 4,
        clock: Clock | None = None,
        event_retention_days: int = 90,
        rollup_retention_days: int = 800,
    ) -> None:
        table, options = parsed(table_or_url)
        shards = _whole("shards", options["shards"]) if "shards" in options else shards
        _check("shards", shards, most=_MOST_SHARDS)
        _check("event_retention_days", event_retention_days)
        _check("rollup_retention_days", rollup_retention_days)
        self._clock = clock or SystemClock()
        self._client = DynamoDBClient(
            table,
            region=options.get("region", region),
            endpoint_url=options.get("endpoint", endpoint_url),
        )
        self._settings = Settings(self._client, shards=shards)
        self._shards = shards
        self._event_days = event_retention_days
        self._rollup_days = rollup_retention_days
        self._rollups = RollupReader(
            self._client,
            self._clock,
            shards=self._settings.shards,
            rollup_retention_days=rollup_retention_days,
        )
        self._events = EventReader(
            self._client,
            self._clock,
            shards=self._settings.shards,
            retention_days=event_retention_days,
        )
        self.renew_in_child()
        renew_in_children(self)

    def renew_in_child(self) -> None:
        """Start anew in a forked child: what its parent's threads were at is none of its own."""
        self._lock = threading.Lock()
        self._writer: BatchWriter | None = None
        self.bytes_written = 0

    @property
    def url(self) -> str:
        """Where it is: `dynamodb://`, the table and how it is reached."""
        return self._client.url

    def open(self) -> None:
        """Check that the table is there and of a version that this code knows; see `Store.open`.

        Raises:
            StoreUnavailableError: it cannot be reached, is not there, or a permission lacks.
            StoreSchemaError: it is of a newer version.
        """
        self._open()

    def _open(self) -> BatchWriter:
        with self._lock:
            if self._writer is None:
                self._settings.agree()
                self._writer = self._new_writer()
            return self._writer

    def _new_writer(self) -> BatchWriter:
        return BatchWriter(
            self._client,
            shards=self._shards,
            event_retention_days=self._event_days,
            rollup_retention_days=self._rollup_days,
        )

    def close(self) -> None:
        """Close the connections; see `Store.close`."""
        with self._lock:
            self._writer = None
        self._client.close()

    def write(self, batch: Batch) -> None:
        """Add a batch once; see `Store.write`."""
        written = self._open().write(batch, now_ms=self._clock.now_ms())
        with self._lock:
            self.bytes_written = (self.bytes_written or 0) + written

    def totals(
        self,
        kind: RollupKind,
        range: DateRange,
        dimensions: Collection[str] | None = None,
        *,
        detail: bool = False,
    ) -> dict[str, Rollup]:
        """See `Store.totals`."""
        return self._rollups.totals(kind, range, dimensions, detail=detail)

    def series(
        self,
        kind: RollupKind,
        dimension: str,
        range: DateRange,
        *,
        hourly: bool = False,
        detail: bool = True,
    ) -> dict[str, Rollup]:
        """See `Store.series`."""
        found = self._rollups.series(kind, dimension, range, hourly=hourly)
        if detail:
            return found
        return {period: rollup.headlines(kind) for period, rollup in found.items()}

    def distinct(
        self, kind: RollupKind, dimensions: Sequence[str], range: DateRange
    ) -> dict[str, Distinct]:
        """See `Store.distinct`."""
        return self._rollups.distinct(kind, dimensions, range)

    def patterns(self, dimensions: Collection[str]) -> dict[str, Pattern]:
        """See `Store.patterns`."""
        return self._rollups.patterns(dimensions)

    def generations(self, range: DateRange) -> int:
        """See `Store.generations`."""
        return self._rollups.generations(range)

    @contextlib.contextmanager
    def snapshot(self, day: dt.date) -> Iterator[Snapshot]:
        """See `Store.snapshot`; of a day that is being written to it is of no one moment."""
        yield DynamoDBSnapshot(self._client, day, self._events, self._rollups)

    def events(
        self,
        selection: EventSelection,
        *,
        after: tuple[int, str] | None = None,
        limit: int,
        newest_first: bool = True,
    ) -> Sequence[AnalyticsEvent]:
        """See `Store.events`."""
        return self._events.select(selection, after=after, limit=limit, newest_first=newest_first)

    def erase_user(self, user_id: str) -> Erasure:
        """See `Store.erase_user`.

        Processes that write at the same time may still know the user's hash, and then count them
        no second time on that day if they come back.
        """
        eraser = Eraser(
            self._client,
            self._clock,
            self._rollups,
            user_id,
            rollup_retention_days=self._rollup_days,
        )
        try:
            return eraser.erase()
        finally:
            with self._lock:
                self._writer = self._writer and self._new_writer()

    def statistics(self) -> Mapping[str, int]:
        """Return `events` and `bytes` (of everything), which DynamoDB counts every six hours."""
        table = self._client.call("DescribeTable", {"TableName": self._client.table})["Table"]
        indexes = {index["IndexName"]: index for index in table["GlobalSecondaryIndexes"]}
        # Not every engine counts what is in an index.
        sizes = (index.get("IndexSizeBytes", 0) for index in indexes.values())
        return {
            "events": indexes[DATE_INDEX].get("ItemCount", 0),
            "bytes": table["TableSizeBytes"] + sum(sizes),
        }


def _whole(setting: str, text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise ConfigurationError(setting, text, "give a whole number")
    return int(text)


def _check(setting: str, value: int, *, most: int | None = None) -> None:
    if value < 1 or (most is not None and value > most):
        bound = f"from 1 to {most}" if most else "of at least 1"
        raise ConfigurationError(setting, value, f"give a number {bound}")
