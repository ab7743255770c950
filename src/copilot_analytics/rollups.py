"""Rollups: the pre-aggregated rows from which every number of every answer is read.

A rollup is (kind, dimension, period) with additive integer counters and the times of its first and
last event. Counters of a kind are named here, once, for every store; a store keeps the headline
counters (`HEADLINES`) where it can sum them over many rows cheaply, and the rest (histogram
buckets, breakdowns) beside them. Distinct users are kept apart, see `distinct.py`.

Counter names: `executions`, `execution_us` … are plain; a prefix and a dot open a family:

=========  ==================================================================
`e.`       events by type                     `x.`  execution time, buckets
`t.`       TTFT, buckets                      `s.`  stream duration, buckets
`k.`       connection duration, buckets       `end.` streams by end reason
`close.`   connections by close code          `error.` errors by type
`c.`       confidence, 20 bins of 0.05        `command.` executions by command
=========  ==================================================================

Sums of time are integers in microseconds (`…_us`), so that the order of addition never shows.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

import msgspec

__all__ = [
    "ACTIVITY",
    "DISTINCT_KINDS",
    "HEADLINES",
    "Pattern",
    "Rollup",
    "RollupKey",
    "RollupKind",
]


class RollupKind(StrEnum):
    """What a rollup is about; its dimension is given in brackets."""

    ACTIVITY = "activity"
    """Everything (`ACTIVITY`), by hour and by day."""
    COMMAND = "command"
    """One command (its name), by day."""
    INTENT = "intent"
    """One intent (its name), by day."""
    ERROR = "error"
    """One error type (its name), by day."""
    PATTERN = "pattern"
    """One error pattern (`<fingerprint>:<error type>`), by day; see also `Pattern`."""
    USER = "user"
    """One signed-in user (their stored id), by day."""


ACTIVITY = "all"
"""The only dimension of the activity kind."""

HEADLINES: Mapping[RollupKind, tuple[str, ...]] = MappingProxyType(
    {
        RollupKind.ACTIVITY: (
            "events",
            "messages",
            "executions",
            "failures",
            "execution_us",
            "execution_samples",
            "errors",
            "connections",
            "anonymous_connections",
            "reconnects",
            "clarifications",
            "streams",
        ),
        RollupKind.COMMAND: (
            "executions",
            "successes",
            "failures",
            "execution_us",
            "execution_samples",
        ),
        RollupKind.INTENT: ("count", "clarifications", "failures"),
        RollupKind.ERROR: ("count",),
        RollupKind.PATTERN: ("count",),
        RollupKind.USER: ("messages", "executions", "failures", "errors", "connections"),
    }
)
"""Counters that a store can sum over many rows cheaply; at most 12 a kind, never renamed."""

DISTINCT_KINDS = frozenset(
    {RollupKind.ACTIVITY, RollupKind.COMMAND, RollupKind.ERROR, RollupKind.PATTERN}
)
"""The kinds whose days count distinct signed-in users."""


class RollupKey(msgspec.Struct, frozen=True, gc=False):
    """Which rollup: kind, dimension and period (`YYYY-MM-DD`, or `YYYY-MM-DDTHH` for an hour)."""

    kind: RollupKind
    dimension: str
    period: str


class Rollup(msgspec.Struct, gc=False):
    """Counters of one dimension in one period, or summed over several.

    Attributes:
        counters: by name; a missing one is 0.
        first: the earliest event's time, epoch ms; 0 without events.
        last: the latest event's time, epoch ms; 0 without events.
    """

    counters: dict[str, int]
    first: int = 0
    last: int = 0

    def add(self, other: Rollup) -> None:
        """Add another rollup's counters to this one's, and widen its times to the other's."""
        counters = self.counters
        for name, count in other.counters.items():
            counters[name] = counters.get(name, 0) + count
        if other.first and (other.first < self.first or not self.first):
            self.first = other.first
        if other.last > self.last:
            self.last = other.last


class Pattern(msgspec.Struct, frozen=True, gc=False):
    """An error pattern over its whole life.

    Attributes:
        dimension: `<fingerprint>:<error type>`, as in `RollupKind.PATTERN`.
        error_type: the errors' type.
        message: their normalised message.
        count: how many there were, ever.
        first: the first one's time, epoch ms.
        last: the last one's time, epoch ms.
        users: up to 100 stored ids of affected signed-in users, sorted; no count comes from it.
    """

    dimension: str
    error_type: str
    message: str
    count: int
    first: int
    last: int
    users: tuple[str, ...]
