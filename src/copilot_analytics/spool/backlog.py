"""The backlog: what is spooled and not yet confirmed, taken from its start in portions.

What was appended last is kept in memory as well, up to a bound, and need not be read back.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import NamedTuple

from .._yielding import SLICE_EVENTS, yield_gil
from ..events import AnalyticsEvent
from .frames import encode_frame
from .journal import Journal, Released

__all__ = ["Backlog", "Portion"]


class Portion(NamedTuple):
    """Consecutive events, taken to be stored.

    Attributes:
        events: the events, of one writer after another, each's in rising sequence; none where all
            that was there cannot be read.
        end: the position after them in the journal; None if they are in memory only.
    """

    events: list[AnalyticsEvent]
    end: int | None


class _Recent(NamedTuple):
    start: int
    end: int
    events: list[AnalyticsEvent]


class Backlog:
    """The frames of a journal, taken once each. One thread appends while another takes.

    Args:
        journal: holds them; owned.
        memory_events: how many of the events that were appended are kept in memory as well.
    """

    def __init__(self, journal: Journal, *, memory_events: int = 0) -> None:
        self._journal = journal
        self._memory_events = memory_events
        self._lock = threading.Lock()
        self._recent: deque[_Recent] = deque()
        self._recent_events = 0
        self._position = journal.start
        self._waiting = journal.events

    @property
    def waiting(self) -> int:
        """How many events were not taken yet, as far as known."""
        return self._waiting

    @property
    def exhausted(self) -> bool:
        """Whether everything was taken."""
        with self._lock:
            return self._position == self._journal.end

    @property
    def size(self) -> int:
        """How many bytes are on disk."""
        return self._journal.size

    def append(self, events: list[AnalyticsEvent]) -> None:
        """Append at least one event.

        Raises:
            OSError: they cannot be written, or the journal is full.
        """
        frame = encode_frame(events)
        with self._lock:
            start, end = self._journal.append(frame, len(events))
            self._waiting += len(events)
            if self._recent_events + len(events) <= self._memory_events:
                self._recent.append(_Recent(start, end, events))
                self._recent_events += len(events)

    def take(self, limit: int) -> Portion | None:
        """Take the next frames with at most so many events, or one that has more.

        Returns:
            None if there are none.

        Raises:
            OSError: they cannot be read now; nothing is taken.
        """
        with self._lock:
            if self._position == self._journal.end:
                return None
            events = self._gather(limit)
            if self._position == self._journal.end:
                # So that the file can be deleted as soon as this portion is stored.
                self._journal.rotate()
                self._waiting = 0
            else:
                # Some that were counted may turn out to be unreadable: there is something left.
                self._waiting = max(self._waiting - len(events), 1)
            return Portion(events, self._position)

    def confirm(self, portion: Portion) -> Released:
        """Delete what is not needed any more now that a portion is stored, the last one taken.

        Raises:
            OSError: a file cannot be deleted; that is tried again with the next portion.
        """
        if portion.end is None:
            return Released(0, 0)
        return self._journal.release(portion.end)

    def close(self) -> None:
        """Release the files; what was not confirmed stays in them."""
        self._journal.close()

    def forget_in_child(self) -> None:
        """Release the files in a forked child, in which nobody will release the parent's locks."""
        self._journal.forget_in_child()

    def _gather(self, limit: int) -> list[AnalyticsEvent]:
        events: list[AnalyticsEvent] = []
        while True:
            try:
                frame = self._next()
            except OSError:
                if events:
                    return events
                raise
            if frame is None:
                self._pass(self._journal.end)
                return events
            if events and len(events) + len(frame.events) > limit:
                return events
            self._journal.note_taken(frame.start, len(frame.events))
            self._pass(frame.end)
            if len(events) // SLICE_EVENTS < (len(events) + len(frame.events)) // SLICE_EVENTS:
                yield_gil()
            events += frame.events

    def _pass(self, position: int) -> None:
        self._position = position
        while self._recent and self._recent[0].end <= position:
            self._recent_events -= len(self._recent.popleft().events)

    def _next(self) -> _Recent | None:
        """Return the next frame that can be read; None if there is none."""
        position = self._position
        while True:
            if self._recent and self._recent[0].start == position:
                return self._recent[0]
            frame = self._journal.read(position)
            if frame is None:
                return None
            try:
                return _Recent(frame.start, frame.end, frame.events)
            except ValueError:  # of a release that wrote something else; counted when released
                position = frame.end
