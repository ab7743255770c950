"""Lists that are ranked and read page by page: their orders, their rows, and places in them.

A list is ordered by one figure, highest first, then by name; what has no such figure comes last. A
place in it is the figure and the name of a row (`Position`), not its number: whoever continues
after one misses nothing that has moved up or down meanwhile, but what passed that place.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

from .queries import TimeSeries

__all__ = [
    "CONFIDENCE_BINS",
    "CommandCount",
    "CommandOrder",
    "ErrorTrend",
    "Intent",
    "IntentOrder",
    "Page",
    "Position",
    "UserOrder",
    "UserSummary",
]

_T = TypeVar("_T")
_R = TypeVar("_R")

CONFIDENCE_BINS = 20
"""How many bins a distribution of confidence has, each 0.05 wide."""


class CommandOrder(StrEnum):
    """What a list of commands is ordered by, highest first."""

    EXECUTIONS = "EXECUTIONS"
    FAILURES = "FAILURES"
    LATENCY = "LATENCY"
    """The average time; commands whose time is not known come last."""
    USERS = "USERS"
    """Distinct signed-in users."""


class IntentOrder(StrEnum):
    """What a list of intents is ordered by, highest first."""

    COUNT = "COUNT"
    CLARIFICATIONS = "CLARIFICATIONS"
    CLARIFICATION_RATE = "CLARIFICATION_RATE"
    """Intents that were never classified come last."""
    FAILURES = "FAILURES"


class UserOrder(StrEnum):
    """What a list of users is ordered by, highest first."""

    MESSAGES = "MESSAGES"
    EXECUTIONS = "EXECUTIONS"
    FAILURES = "FAILURES"
    ERRORS = "ERRORS"
    CONNECTIONS = "CONNECTIONS"
    LAST_SEEN = "LAST_SEEN"


@dataclass(frozen=True, slots=True)
class Position:
    """A row's place in a list.

    Attributes:
        value: the figure that the list is ordered by; -1 where the row has none.
        name: the row's name, which tells rows of one figure apart.
    """

    value: float
    name: str


@dataclass(frozen=True, slots=True)
class Page(Generic[_T]):
    """Some consecutive rows of a list.

    Attributes:
        rows: in the list's order.
        positions: the place of each.
        total_count: how many rows the whole list has.
        has_previous: whether any row comes before these.
        has_next: whether any row follows them.
    """

    rows: tuple[_T, ...]
    positions: tuple[Position, ...]
    total_count: int
    has_previous: bool
    has_next: bool

    def of(self, rows: Iterable[_R]) -> Page[_R]:
        """Return the same page with other rows in place of these, one for one."""
        return Page(tuple(rows), self.positions, self.total_count, self.has_previous, self.has_next)


@dataclass(frozen=True, slots=True)
class CommandCount:
    """How often one command ran."""

    name: str
    executions: int


@dataclass(frozen=True, slots=True)
class Intent:
    """What messages were taken to mean.

    Attributes:
        name: the intent.
        count: how often a message was classified as it.
        confidence: how many classifications had which confidence, in `CONFIDENCE_BINS` bins from 0
            to 1; each includes its lower bound, the last one also 1. Classifications without a
            confidence are in none.
        clarifications: times the copilot asked back about it.
        clarification_rate: clarifications / count; None where it was never classified.
        executions: commands that ran for it.
        failures: of these, those that failed.
        commands: these by command, most frequent first.
        last_seen: the last event that names it, epoch ms.
    """

    name: str
    count: int
    confidence: tuple[int, ...]
    clarifications: int
    clarification_rate: float | None
    executions: int
    failures: int
    commands: tuple[CommandCount, ...]
    last_seen: int


@dataclass(frozen=True, slots=True)
class UserSummary:
    """One signed-in user in a list.

    Attributes:
        user_id: the stored id.
        messages: messages sent.
        executions: commands run.
        failures: of these, failed.
        success_rate: of these, 0..1; None without any.
        errors: errors met.
        connections: sockets opened.
        first_seen: the first event in the range, epoch ms.
        last_seen: the last one.
    """

    user_id: str
    messages: int
    executions: int
    failures: int
    success_rate: float | None
    errors: int
    connections: int
    first_seen: int
    last_seen: int


@dataclass(frozen=True, slots=True)
class ErrorTrend:
    """How an error pattern develops.

    Attributes:
        count: how many in the range.
        previous: how many in the range of equal length before it; None when any of its days lies
            before rollup retention.
        daily: how many on each day of the range.
    """

    count: int
    previous: int | None
    daily: TimeSeries
