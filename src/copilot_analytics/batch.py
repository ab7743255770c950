"""A batch: what one writer adds, consecutive in its numbers, and the rollup deltas it makes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property

from .aggregation import Deltas, aggregate
from .events import AnalyticsEvent
from .supplements import Supplement

__all__ = ["Batch"]


class Batch:
    """Events and supplements of one writer, each in rising sequence, and what they add to rollups.

    Recorders have events only. There is at least one event or supplement, and no number is used
    twice.

    Attributes:
        writer: the writer's id.
        events: its events, in rising sequence.
        supplements: what rows are to count besides, in rising sequence.

    Args:
        writer: the writer's id.
        events: its events.
        supplements: what comes without events.
        pause: called a few times while they are counted, so that other threads need not wait.
    """

    def __init__(
        self,
        writer: str,
        events: Sequence[AnalyticsEvent],
        *,
        supplements: Sequence[Supplement] = (),
        pause: Callable[[], object] = lambda: None,
    ) -> None:
        self.writer = writer
        self.events = events
        self.supplements = supplements
        self._pause = pause

    @property
    def first(self) -> int:
        """The lowest number."""
        return min(part[0].sequence for part in (self.events, self.supplements) if part)

    @property
    def last(self) -> int:
        """The highest number."""
        return max(part[-1].sequence for part in (self.events, self.supplements) if part)

    @cached_property
    def deltas(self) -> Deltas:
        """What all of it adds to every rollup; computed once."""
        deltas = aggregate(self.events, pause=self._pause)
        for supplement in self.supplements:
            supplement.add_to(deltas)
        return deltas

    def after(self, sequence: int) -> Batch | None:
        """Return the part of the batch after a number; None if nothing is."""
        return self if sequence < self.first else self._part(sequence, self.last)

    def halves(self) -> tuple[Batch, Batch]:
        """Return the two halves of a batch of several events and supplements."""
        numbers = sorted(one.sequence for part in (self.events, self.supplements) for one in part)
        middle = numbers[len(numbers) // 2 - 1]
        first, second = self._part(0, middle), self._part(middle, numbers[-1])
        if first is None or second is None:
            raise ValueError("a batch of one has no halves")
        return first, second

    def _part(self, after: int, last: int) -> Batch | None:
        events = [one for one in self.events if after < one.sequence <= last]
        supplements = [one for one in self.supplements if after < one.sequence <= last]
        if not events and not supplements:
            return None
        return Batch(self.writer, events, supplements=supplements, pause=self._pause)
