"""What streams and connections did over a range, and the same of the range before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from .queries import Latency

__all__ = ["Compared", "Connections", "Streaming"]

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Compared(Generic[_T]):
    """Figures of a range beside those of the range of equal length before it.

    Attributes:
        value: this range's.
        previous: the previous range's; None when any of its days lies before rollup retention.
    """

    value: _T
    previous: _T | None


@dataclass(frozen=True, slots=True)
class Streaming:
    """Streamed answers of one range.

    Attributes:
        started: streams begun.
        ended: streams that ended, however.
        completed: of these, as intended.
        interrupted: of these, early.
        interruption_rate: interrupted / ended, 0..1.
        ends: the ended ones by end reason.
        ttft: from the user's message to the first content.
        duration: from a stream's start to its end.
        tokens: tokens that servers reported.
        token_streams: the streams that they were reported of.
        tokens_per_second: tokens / the durations of those streams.
    """

    started: int
    ended: int
    completed: int
    interrupted: int
    interruption_rate: float | None
    ends: Mapping[str, int]
    ttft: Latency
    duration: Latency
    tokens: int
    token_streams: int
    tokens_per_second: float | None


@dataclass(frozen=True, slots=True)
class Connections:
    """Connections of one range.

    Attributes:
        opened: sockets accepted.
        anonymous: of these, of nobody signed in.
        reconnects: of these, of users who came back after a lost connection.
        reconnect_rate: reconnects / opened, 0..1.
        closed: sockets that ended.
        close_codes: these by close code, where there was one.
        duration: how long sockets stayed open.
    """

    opened: int
    anonymous: int
    reconnects: int
    reconnect_rate: float | None
    closed: int
    close_codes: Mapping[int, int]
    duration: Latency
