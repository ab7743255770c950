"""Measurements: what the recorder and the questions note of their own work, for `Metrics`."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from ._forking import renew_in_children
from ._guard import Guard
from .errors import QuestionError
from .events import AnalyticsEvent, EventType
from .histogram import bucket

__all__ = ["Durations", "Listener", "Measurements"]

_T = TypeVar("_T")

Listener = Callable[[str | None, float], object]
"""Called with the question that was answered, or None for a write, and the milliseconds."""


@dataclass(frozen=True, slots=True)
class Durations:
    """Many durations.

    Attributes:
        count: how many.
        total_ms: their exact sum.
        buckets: how many are in each bucket, see `histogram.value_of`.
    """

    count: int = 0
    total_ms: float = 0.0
    buckets: Mapping[int, int] = field(default_factory=dict)

    def __add__(self, other: Durations) -> Durations:
        """Return both together."""
        return Durations(
            self.count + other.count,
            self.total_ms + other.total_ms,
            Counter(self.buckets) + Counter(other.buckets),
        )

    def since(self, earlier: Durations) -> Durations:
        """Return those that are not among earlier ones."""
        return Durations(
            self.count - earlier.count,
            self.total_ms - earlier.total_ms,
            Counter(self.buckets) - Counter(earlier.buckets),
        )


class _Tally:
    __slots__ = ("buckets", "count", "total_ms")

    def __init__(self) -> None:
        self.count = 0
        self.total_ms = 0.0
        self.buckets: dict[int, int] = {}

    def add(self, ms: float) -> None:
        self.count += 1
        self.total_ms += ms
        index = bucket(ms)
        self.buckets[index] = self.buckets.get(index, 0) + 1

    def durations(self) -> Durations:
        return Durations(self.count, self.total_ms, dict(self.buckets))


class Measurements:
    """Counts and times of this process, from zero; a forked child starts anew.

    Thread-safe; nothing here is called on an event loop. To note one duration costs about a
    microsecond. Memory is bounded: durations are kept in the buckets of `histogram`.

    Args:
        guard: keeps failures of listeners away from what is measured.
    """

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._listeners: tuple[Listener, ...] = ()
        self.renew_in_child()
        renew_in_children(self)

    def renew_in_child(self) -> None:
        """Start anew in a forked child: what was measured so far is its parent's."""
        self._lock = threading.Lock()
        self._errors = 0
        self._tallies: dict[str | None, _Tally] = {None: _Tally()}

    def admitted(self, events: Sequence[AnalyticsEvent]) -> None:
        """Count the errors among events; called by the recorder's thread alone."""
        self._errors += [event.event_type for event in events].count(EventType.ERROR_OCCURRED)

    def written(self, ms: float) -> None:
        """Note how long an attempt to write took."""
        self._note(None, ms)

    def timed(self, question: str, started: float, call: Callable[[], _T]) -> _T:
        """Return what a question's call returns, and note how long that took.

        Also where the store does not answer; what cannot be answered as asked is not measured.

        Args:
            question: its name.
            started: when it was asked, in seconds of `time.monotonic`.
            call: asks the store.
        """
        measured = True
        try:
            return call()
        except QuestionError:
            measured = False
            raise
        finally:
            if measured:
                self._note(question, (time.monotonic() - started) * 1000)

    def _note(self, question: str | None, ms: float) -> None:
        with self._lock:
            tally = self._tallies.get(question)
            if tally is None:
                tally = self._tallies[question] = _Tally()
            tally.add(ms)
        for listener in self._listeners:
            with self._guard.attempt("metrics.listener"):
                listener(question, ms)

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Have every duration told from now on, in the thread that measured it.

        Returns:
            What ends it.
        """

        def end() -> None:
            with self._lock:
                self._listeners = tuple(one for one in self._listeners if one is not listener)

        with self._lock:
            self._listeners = (*self._listeners, listener)
        return end

    @property
    def errors(self) -> int:
        """How many errors there were."""
        return self._errors

    def durations(self) -> dict[str | None, Durations]:
        """Return the durations of writes, by None, and of each question, by its name."""
        with self._lock:
            return {question: tally.durations() for question, tally in self._tallies.items()}
