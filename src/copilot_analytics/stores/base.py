"""The store's contract: what every store promises, ours and a third party's.

Stores are synchronous: the recorder calls `write` in its own thread, the service asks its questions
in worker threads, and nothing here ever runs on an event loop. Methods may be called from several
threads at once, except that `write` is called from one thread at a time per writer.

`copilot_analytics.store_contract` has the tests that a store must pass.
"""

from __future__ import annotations

import datetime as dt
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

from ..batch import Batch
from ..distinct import Distinct
from ..errors import StoreError
from ..events import AnalyticsEvent, EventType
from ..periods import DateRange
from ..queries import DistinctUsers
from ..rollups import Pattern, Rollup, RollupKey, RollupKind

__all__ = ["Correction", "Erasure", "EventSelection", "Snapshot", "Store"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EventSelection:
    """Which events: of a span of time, and of one type and one user where these are given.

    Attributes:
        start_ms: the earliest timestamp, epoch milliseconds.
        end_ms: the latest timestamp, epoch milliseconds, inclusive.
        event_type: only events of this type.
        user_id: only events of this user, by their stored id.
    """

    start_ms: int
    end_ms: int
    event_type: EventType | None = None
    user_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """What was removed of a user.

    Attributes:
        events: events deleted.
        rollups: rollups of the user deleted, one a day.
        patterns: error patterns whose list of affected users named them.
        distinct: sets of distinct users in which their hash was replaced.
    """

    events: int = 0
    rollups: int = 0
    patterns: int = 0
    distinct: int = 0

    def __add__(self, other: Erasure) -> Erasure:
        return Erasure(
            events=self.events + other.events,
            rollups=self.rollups + other.rollups,
            patterns=self.patterns + other.patterns,
            distinct=self.distinct + other.distinct,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """What one rollup is to become, on condition that it still is what it was.

    Attributes:
        key: which rollup.
        stored: it as it was read; None if there was none.
        stored_users: its distinct users as they were read; None if there were none.
        rollup: it as it should be.
        users: its distinct users as they should be; None for none.
    """

    key: RollupKey
    stored: Rollup | None
    stored_users: Distinct | None
    rollup: Rollup
    users: Distinct | None


class Snapshot(Protocol):
    """One day as the store holds it: its events and its rollups, consistent with each other."""

    def events(self) -> Iterator[AnalyticsEvent]:
        """Yield the day's events that are still kept, in order, without holding them all."""
        ...

    def rollups(self) -> Iterator[tuple[RollupKey, Rollup]]:
        """Yield every rollup of the day and of its hours, in any order."""
        ...

    def distinct(self) -> Iterator[tuple[RollupKey, Distinct]]:
        """Yield the distinct users of every rollup of the day that counts them."""
        ...

    def unbacked(self) -> Iterator[RollupKey]:
        """Yield the rollups of the day and its hours that count what no event backs, too."""
        ...


class Store(ABC):
    """Keeps events and rollups, and reads rollups back.

    Ranges are inclusive days in UTC. Only `events`, `snapshot` and `erase_user` read
    single events.
    All methods but `url` and `close` raise `StoreUnavailableError` where a later call may succeed
    and `StoreError` where it will not.
    """

    remote: bool = False
    """Whether it is reached over a network, which may fail for long: a spool goes before it."""

    bytes_written: int | None = None
    """The bytes of events that this process has had `write` store, for metrics; None: not counted.

    A forked child's starts from 0.
    """

    @property
    @abstractmethod
    def url(self) -> str:
        """Where it is, without credentials; shown in messages."""

    @abstractmethod
    def open(self) -> None:
        """Open or create it; idempotent. `write` and the reads open it by themselves.

        Raises:
            StoreUnavailableError: it cannot be reached, or not be written to.
            StoreSchemaError: its schema is newer than this code.
        """

    @abstractmethod
    def close(self) -> None:
        """Release it; idempotent; never raises. A later call opens it again."""

    @abstractmethod
    def write(self, batch: Batch) -> None:
        """Add the batch's events, its supplements and its rollup deltas, once.

        Rollups with supplements are from then on told by `Snapshot.unbacked`.

        The effect is exactly-once by the batch's writer and sequence: what is up to the highest
        sequence that this writer has written are skipped, also when the batch is cut elsewhere.
        A writer's batches come in rising order. It is all or nothing: after an error, also after
        the death of the process in the middle, either the whole batch is there or none of it. A
        `remote` store may leave a part of it instead, which the same writer's next write of these
        events completes, once, however they are cut then; nothing of the writer's may come before.
        A write to a day that has ended, or ends within a minute, raises that day's generation.
        """

    @abstractmethod
    def totals(
        self,
        kind: RollupKind,
        range: DateRange,
        dimensions: Collection[str] | None = None,
        *,
        detail: bool = False,
    ) -> dict[str, Rollup]:
        """Return each dimension's daily rollups of the range, summed.

        Args:
            kind: which rollups.
            range: which days.
            dimensions: only these; None means all that have any.
            detail: with every counter; else only the headline counters (`HEADLINES`).
        """

    @abstractmethod
    def series(
        self,
        kind: RollupKind,
        dimension: str,
        range: DateRange,
        *,
        hourly: bool = False,
        detail: bool = True,
    ) -> dict[str, Rollup]:
        """Return one dimension's rollups by period, only where there is one.

        Args:
            kind: which rollups; hours are kept for the activity kind only.
            dimension: whose.
            range: which days.
            hourly: by hour instead of by day.
            detail: with every counter; else only the headline counters (`HEADLINES`).
        """

    @abstractmethod
    def distinct(
        self, kind: RollupKind, dimensions: Sequence[str], range: DateRange
    ) -> dict[str, Distinct]:
        """Return each dimension's distinct users over the range; a missing one has none."""

    def count_distinct(
        self, kind: RollupKind, dimensions: Sequence[str], range: DateRange
    ) -> dict[str, DistinctUsers]:
        """Return how many distinct users each dimension has; a missing one has none.

        For stores that can count with less work than `distinct` takes, or in less memory: a
        dimension of many days and users is large.
        """
        found = self.distinct(kind, dimensions, range)
        return {dimension: users.count() for dimension, users in found.items()}

    @abstractmethod
    def patterns(self, dimensions: Collection[str]) -> dict[str, Pattern]:
        """Return the lifetime rows of error patterns; unknown ones are missing."""

    @abstractmethod
    def generations(self, range: DateRange) -> int:
        """Return a number that changes when a day of the range is written to after it ended.

        Days that have not ended do not count: what is cached for them lives seconds anyway.
        """

    @abstractmethod
    def snapshot(self, day: dt.date) -> AbstractContextManager[Snapshot]:
        """Return one day's events and rollups, read as of one moment; for recounts."""

    @abstractmethod
    def events(
        self,
        selection: EventSelection,
        *,
        after: tuple[int, str] | None = None,
        limit: int,
        newest_first: bool = True,
    ) -> Sequence[AnalyticsEvent]:
        """Return the next events of a selection, those past their retention left out.

        Args:
            selection: which events.
            after: a position, `(timestamp, event_id)`; only events strictly after it in the order
                asked for. No event need be there.
            limit: how many at most, from 1; fewer are returned only at the end.
            newest_first: in falling order of (timestamp, event_id) instead of rising.
        """

    @abstractmethod
    def erase_user(self, user_id: str) -> Erasure:
        """Remove a user: what is left tells neither their id nor what they did.

        Their events and their rollups are deleted, also those past their retention. In every set of
        distinct users one random value takes the place of their hash, added before that is removed,
        so that no count changes and a set that is full never looks complete; sketches stay as they
        are. Error patterns no longer list them. All other counts stay: the rollups that the deleted
        events had been counted in are from now on told by `Snapshot.unbacked`. The generation of
        every day touched that has ended rises.

        Idempotent, and after an error, also the death of the process in the middle, a repetition
        completes it. What is written meanwhile may stay, and needs another call.

        Args:
            user_id: their stored id; an anonymous one, too.

        Returns:
            What this call removed; all zeros for a user unknown.
        """

    def correct(self, corrections: Sequence[Correction]) -> Sequence[RollupKey]:
        """Replace rollups and their distinct users by what a recount of a `snapshot` gave.

        A rollup that has changed since it was read, in any of its figures or users, stays as it is;
        so no event that is written meanwhile is lost or counted twice. The generation of every day
        touched that has ended rises. A store need not be able to: then it has no such method.

        Args:
            corrections: what is to be replaced, each rollup once.

        Returns:
            The rollups that were replaced.

        Raises:
            StoreError: also where this store cannot do it; nothing has changed then.
        """
        raise StoreError(
            self.url,
            "rollups of this kind of store cannot be corrected in place",
            "import its events into a new one: copilot-analytics import",
        )

    @abstractmethod
    def statistics(self) -> Mapping[str, int]:
        """Return figures for an operator, by camelCase name: at least `events` and `bytes`.

        `events` may be an estimate on a remote store.
        """

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
