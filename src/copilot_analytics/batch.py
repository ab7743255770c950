"""A batch: consecutive events of one writer with the rollup deltas they make."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property

from .aggregation import Deltas, aggregate
from .events import AnalyticsEvent

__all__ = ["Batch"]


class Batch:
    """Events of one writer in rising sequence, and what they add to every rollup.

    Attributes:
        writer: the writer's id.
        events: at least one event, in rising sequence.

    Args:
        writer: the writer's id.
        events: its events.
        pause: called a few times while they are counted, so that other threads need not wait.
    """

    def __init__(
        self,
        writer: str,
        events: Sequence[AnalyticsEvent],
        *,
        pause: Callable[[], object] = lambda: None,
    ) -> None:
        self.writer = writer
        self.events = events
        self._pause = pause

    @property
    def first(self) -> int:
        """The first event's sequence."""
        return self.events[0].sequence

    @property
    def last(self) -> int:
        """The last event's sequence."""
        return self.events[-1].sequence

    @cached_property
    def deltas(self) -> Deltas:
        """What the events add to every rollup; computed once."""
        return aggregate(self.events, pause=self._pause)

    def after(self, sequence: int) -> Batch | None:
        """Return the part of the batch after a sequence; None if nothing is."""
        if sequence < self.first:
            return self
        rest = [event for event in self.events if event.sequence > sequence]
        return Batch(self.writer, rest) if rest else None

    def halves(self) -> tuple[Batch, Batch]:
        """Return the two halves of a batch of several events."""
        middle = len(self.events) // 2
        return (
            Batch(self.writer, self.events[:middle], pause=self._pause),
            Batch(self.writer, self.events[middle:], pause=self._pause),
        )
