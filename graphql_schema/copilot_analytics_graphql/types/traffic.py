"""Streams and connections, each figure beside the previous period's."""

from __future__ import annotations

from typing import Self

import strawberry

from copilot_analytics import traffic
from copilot_analytics.periods import DateRange

from ..context import Context
from ..ranges import previous_range
from ..scalars import Count
from .figures import (
    CloseCodeCount,
    CountComparison,
    EndReasonCount,
    LatencyComparison,
    MeasureComparison,
    Period,
    comparisons,
)

__all__ = ["Connections", "Streaming"]

_RANGE = "The days it is about."
_PREVIOUS_RANGE = (
    "The days of equal length before them, which comparisons refer to; null where the calendar has "
    "none."
)


@strawberry.type(description="Streamed answers.")
class Streaming:
    """See `traffic.Streaming`."""

    range: Period = strawberry.field(description=_RANGE)
    previous_range: Period | None = strawberry.field(description=_PREVIOUS_RANGE)
    started: CountComparison = strawberry.field(description="Streams begun.")
    ended: CountComparison = strawberry.field(description="Streams that ended, however.")
    completed: CountComparison = strawberry.field(description="Of these, as intended.")
    interrupted: CountComparison = strawberry.field(description="Of these, early.")
    interruption_rate: MeasureComparison = strawberry.field(
        description="interrupted / ended, 0..1."
    )
    ends: list[EndReasonCount] = strawberry.field(
        description="This period's ended streams by reason, in order of the reason."
    )
    ttft: LatencyComparison = strawberry.field(
        description="Time to first token: from the user's message to the first content."
    )
    duration: LatencyComparison = strawberry.field(description="From a stream's start to its end.")
    tokens: CountComparison = strawberry.field(description="Tokens that servers reported.")
    token_streams: CountComparison = strawberry.field(
        description="Streams that tokens were reported of."
    )
    tokens_per_second: MeasureComparison = strawberry.field(
        description="Tokens a second, over the streams that report tokens."
    )

    @classmethod
    def of(cls, range: DateRange, streaming: traffic.Compared[traffic.Streaming]) -> Self:
        """Return the figures."""
        count, measure, latency = comparisons(streaming.value, streaming.previous)
        return cls(
            range=Period.of(range),
            previous_range=_previous(range),
            started=count(lambda of: of.started),
            ended=count(lambda of: of.ended),
            completed=count(lambda of: of.completed),
            interrupted=count(lambda of: of.interrupted),
            interruption_rate=measure(lambda of: of.interruption_rate),
            ends=EndReasonCount.all_of(streaming.value.ends),
            ttft=latency(lambda of: of.ttft),
            duration=latency(lambda of: of.duration),
            tokens=count(lambda of: of.tokens),
            token_streams=count(lambda of: of.token_streams),
            tokens_per_second=measure(lambda of: of.tokens_per_second),
        )


def _open_now(info: strawberry.Info[Context, None]) -> Count | None:
    count = info.context.questions.open_connections()
    return None if count is None else Count(count)


@strawberry.type(description="Connections to the copilot's sockets.")
class Connections:
    """See `traffic.Connections`."""

    range: Period = strawberry.field(description=_RANGE)
    previous_range: Period | None = strawberry.field(description=_PREVIOUS_RANGE)
    opened: CountComparison = strawberry.field(description="Sockets accepted.")
    anonymous: CountComparison = strawberry.field(
        description="Of these, those of nobody signed in."
    )
    reconnects: CountComparison = strawberry.field(
        description="Of these, those of users who came back after a lost connection."
    )
    reconnect_rate: MeasureComparison = strawberry.field(description="reconnects / opened, 0..1.")
    closed: CountComparison = strawberry.field(description="Sockets that ended.")
    close_codes: list[CloseCodeCount] = strawberry.field(
        description="This period's ended sockets by close code, in order of the code."
    )
    duration: LatencyComparison = strawberry.field(description="How long sockets stayed open.")

    open_now: Count | None = strawberry.field(
        resolver=_open_now,
        description=(
            "Sockets open now, whatever the range, in the process that answers; null where that "
            "process tracks none, as in a server of its own beside the copilot."
        ),
    )

    @classmethod
    def of(cls, range: DateRange, connections: traffic.Compared[traffic.Connections]) -> Self:
        """Return the figures."""
        count, measure, latency = comparisons(connections.value, connections.previous)
        return cls(
            range=Period.of(range),
            previous_range=_previous(range),
            opened=count(lambda of: of.opened),
            anonymous=count(lambda of: of.anonymous),
            reconnects=count(lambda of: of.reconnects),
            reconnect_rate=measure(lambda of: of.reconnect_rate),
            closed=count(lambda of: of.closed),
            close_codes=CloseCodeCount.all_of(connections.value.close_codes),
            duration=latency(lambda of: of.duration),
        )


def _previous(range: DateRange) -> Period | None:
    previous = previous_range(range)
    return None if previous is None else Period.of(previous)
