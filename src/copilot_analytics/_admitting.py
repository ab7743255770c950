"""Admission by slices: the recorder's thread must not keep the event loop from the GIL for long."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from ._guard import Guard
from ._yielding import SLICE_EVENTS, yield_gil
from .admission import Admission
from .batch import Batch
from .events import AnalyticsEvent, Observation

__all__ = ["Admitter", "batch_of"]

TOGETHER_EVENTS = 24
"""From so many on, admission is faster with all the usual events of a slice together."""


class Admitter:
    """Takes observations and returns the events that they become; for the recorder's thread.

    Args:
        admission: turns observations into events.
        guard: keeps its failures away.
        take: takes so many observations off the queue.
        drop: told of what became no event, by reason.
    """

    def __init__(
        self,
        admission: Admission,
        guard: Guard,
        *,
        take: Callable[[int], list[Observation]],
        drop: Callable[[Counter[str]], object],
    ) -> None:
        self._admission = admission
        self._guard = guard
        self._take = take
        self._drop = drop

    def admit(self, count: int) -> list[AnalyticsEvent]:
        """Take so many observations and return the events that they become."""
        events: list[AnalyticsEvent] = []
        while count > 0:
            size = min(count, SLICE_EVENTS)
            count -= size
            self._admit_slice(size, events)
            if count:
                yield_gil()
        return events

    def _admit_slice(self, size: int, events: list[AnalyticsEvent]) -> None:
        taken = self._take(size)
        if size >= TOGETHER_EVENTS:
            with self._guard.attempt("recorder.admission"):
                admitted, refusals = self._admission.admit_all(taken)
                events += admitted
                if refusals:
                    self._drop(Counter(refusal.value for refusal in refusals))
                return
        self._admit_with_care(iter(taken), events)

    def _admit_with_care(
        self, observations: Iterator[Observation], events: list[AnalyticsEvent]
    ) -> None:
        dropped: Counter[str] = Counter()
        admit = self._admission.admit
        while True:
            with self._guard.attempt("recorder.admission") as attempt:
                for observation in observations:
                    event = admit(observation)
                    if isinstance(event, AnalyticsEvent):
                        events.append(event)
                    else:
                        dropped[event.value] += 1
            if attempt.error is None:
                break
            dropped["admission_failed"] += 1
        self._drop(dropped)


def batch_of(events: Sequence[AnalyticsEvent]) -> Batch:
    """Return a batch of one writer's events that gives up the GIL while it is counted."""
    writer = events[0].writer
    if len(events) <= SLICE_EVENTS:
        return Batch(writer, events)
    return Batch(writer, events, pause=yield_gil)
