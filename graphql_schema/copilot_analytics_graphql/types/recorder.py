"""How the recorder is doing, for whoever operates it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

import strawberry

from copilot_analytics import queries

from ..cache import CacheStatistics
from ..scalars import Count, Timestamp

__all__ = ["CacheCounters", "NamedCount", "RecorderHealth"]


@strawberry.type(description="A count of something that has a name.")
class NamedCount:
    """One entry of a mapping."""

    name: str = strawberry.field(description="What is counted: a reason, a place or a figure.")
    count: Count = strawberry.field(description="How many.")

    @classmethod
    def all_of(cls, counts: Mapping[str, int]) -> list[Self]:
        """Return the entries, by name."""
        return [cls(name=name, count=Count(count)) for name, count in sorted(counts.items())]


@strawberry.type(description="How a cache of this endpoint is doing, since it started.")
class CacheCounters:
    """See `cache.CacheStatistics`."""

    hits: Count = strawberry.field(description="Answers taken from the cache.")
    misses: Count = strawberry.field(description="Answers that had to be asked for.")
    joined: Count = strawberry.field(description="Answers that an equal question waited for.")
    entries: Count = strawberry.field(description="Answers held now.")
    failures: Count = strawberry.field(
        description="Times that a cache shared with other processes (Redis) could not be used."
    )

    @classmethod
    def of(cls, statistics: CacheStatistics) -> Self:
        """Return the counters."""
        return cls(
            hits=Count(statistics.hits),
            misses=Count(statistics.misses),
            joined=Count(statistics.joined),
            entries=Count(statistics.entries),
            failures=Count(statistics.failures),
        )


@strawberry.type(
    description=(
        "How recording goes, now; counts are since the process started. "
        "accepted + recovered = stored + pending + spooled + all dropped."
    )
)
class RecorderHealth:
    """See `queries.RecorderHealth`."""

    running: bool = strawberry.field(description="Whether it takes events.")
    accepted: Count = strawberry.field(description="Events taken.")
    stored: Count = strawberry.field(description="Events that the store confirmed.")
    pending: Count = strawberry.field(description="Events waiting in memory.")
    spooled: Count = strawberry.field(
        description="Events waiting for a remote store, on the server's disk."
    )
    recovered: Count = strawberry.field(
        description="Events found on disk, which earlier processes had accepted."
    )
    dropped: list[NamedCount] = strawberry.field(
        description="Accepted events that were given up, by reason."
    )
    rejected: list[NamedCount] = strawberry.field(
        description="Events that were never accepted, by reason."
    )
    skipped: list[NamedCount] = strawberry.field(
        description="Metadata values and frames that were left out, by reason."
    )
    errors: list[NamedCount] = strawberry.field(
        description="Failures inside analytics, by place; the copilot never saw them."
    )
    last_flush_ms: float | None = strawberry.field(
        description="How long the last write took, in milliseconds; null before the first."
    )
    last_flush_at: Timestamp | None = strawberry.field(
        description="When the last write ended; null before the first."
    )
    last_error: str | None = strawberry.field(
        description="Why the last write failed; null once one has succeeded."
    )
    store: str = strawberry.field(description="The store's URL, without credentials.")
    store_statistics: list[NamedCount] = strawberry.field(description="The store's own figures.")
    cache: CacheCounters = strawberry.field(
        description="How this endpoint's cache of the store's answers is doing."
    )
    responses: CacheCounters = strawberry.field(
        description="How its cache of whole responses is doing."
    )

    @classmethod
    def of(
        cls, health: queries.RecorderHealth, cache: CacheStatistics, responses: CacheStatistics
    ) -> Self:
        """Return the state of recorder, store and caches."""
        at = health.last_flush_at
        return cls(
            running=health.running,
            accepted=Count(health.accepted),
            stored=Count(health.stored),
            pending=Count(health.pending),
            spooled=Count(health.spooled),
            recovered=Count(health.recovered),
            dropped=NamedCount.all_of(health.dropped),
            rejected=NamedCount.all_of(health.rejected),
            skipped=NamedCount.all_of(health.skipped),
            errors=NamedCount.all_of(health.errors),
            last_flush_ms=health.last_flush_ms,
            last_flush_at=None if at is None else Timestamp(at),
            last_error=health.last_error,
            store=health.store,
            store_statistics=NamedCount.all_of(health.store_statistics),
            cache=CacheCounters.of(cache),
            responses=CacheCounters.of(responses),
        )
