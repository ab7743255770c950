"""Rollups: the pre-aggregated rows from which every number of every answer is read.

A rollup is (kind, dimension, period) with additive integer counters and the times of its first and
last event. Counters of a kind are named here, once, for every store; a store keeps the headline
counters (`HEADLINES`) where it can sum them over many rows cheaply, and the rest (histogram
buckets, breakdowns) beside them. Distinct users are kept apart, see `distinct.py`.

Counters a kind; a name that ends in a dot opens a family, with what follows it in brackets:

`activity` (hour and day)
    `events`, `e.`[event type]: events, and by type.
    `messages`: MESSAGE_SENT. `clarifications`: CLARIFICATION_REQUESTED. `errors`: ERROR_OCCURRED.
    `executions`, `failures`: ACTION_EXECUTED and ACTION_FAILED, steps included; the latter alone.
    `execution_us`, `execution_samples`, `x.`[bucket]: how long they took, where it is known.
    `streams`, `end.`[reason]: streams that ended, and by end reason.
    `ttft_us`, `ttft_samples`, `t.`[bucket]: their times to first content.
    `stream_us`, `stream_samples`, `s.`[bucket]: their durations.
    `tokens`, `token_streams`, `token_us`: of the streams that report tokens: the tokens, their
    number, their durations.
    `connections`, `anonymous_connections`, `reconnects`: WEBSOCKET_CONNECTED; of these, those of
    nobody signed in; those of users who came back.
    `connection_us`, `connection_samples`, `k.`[bucket], `close.`[code]: how long connections
    stayed open, and how they were closed.
`command`
    `executions`, `successes`, `failures`, `execution_us`, `execution_samples`, `x.`[bucket].
    `error.`[type]: errors that name the command; they are neither executions nor among its times
    and users.
`intent`
    `count`, `c.`[bin]: INTENT_CLASSIFIED; its confidence in bins 0..19 of 0.05.
    `clarifications`, `failures`: CLARIFICATION_REQUESTED and ACTION_FAILED that name it.
    `command.`[name]: executions that name it, by command.
`error`, `pattern`
    `count`: ERROR_OCCURRED.
`user`
    `messages`, `executions`, `failures`, `errors`, `connections`, as in `activity`.

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
    "NUMBERED_FAMILIES",
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

NUMBERED_FAMILIES = ("x.", "t.", "s.", "k.", "c.")
"""Families of counters whose members are numbers: a histogram's buckets, and bins of confidence."""

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
        first: the earliest event's time, epoch ms; 0 without one (a command's errors are none).
        last: the latest event's time, epoch ms; 0 without one.
    """

    counters: dict[str, int]
    first: int = 0
    last: int = 0

    def add(self, other: Rollup) -> None:
        """Add another rollup's counters to this one's, and widen its times to the other's."""
        counters = self.counters
        get = counters.get
        for name, count in other.counters.items():
            counters[name] = get(name, 0) + count
        if other.first and (other.first < self.first or not self.first):
            self.first = other.first
        if other.last > self.last:
            self.last = other.last

    def headlines(self, kind: RollupKind) -> Rollup:
        """Return it, as one of a kind, with that kind's headline counters only."""
        counters = self.counters
        headlines = {name: counters[name] for name in HEADLINES[kind] if name in counters}
        return Rollup(headlines, self.first, self.last)


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
