"""The recorder's accounts: what became of every event, so that at any moment the sums agree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from contextlib import AbstractContextManager
from types import MappingProxyType

__all__ = ["Accounts"]


class Accounts:
    """Counts events by what became of them.

    What was taken or recovered is held in memory, spooled, stored or dropped; each method moves
    events from one of these to others in one step.

    Args:
        lock: held for each step, and by who reads several counts that have to agree.

    Attributes:
        taken: events taken off the queue.
        recovered: events found in the spool, which earlier processes took.
        held: those of them that are in memory only.
        spooled: those that are in the spool.
        stored: those that the store has confirmed.
        dropped: those that were given up, by reason.
        rejected: what was never taken, by reason.
    """

    def __init__(self, lock: AbstractContextManager[object]) -> None:
        self._lock = lock
        self.taken = 0
        self.recovered = 0
        self.held = 0
        self.spooled = 0
        self.stored = 0
        self.dropped: Counter[str] = Counter()
        self.rejected: Counter[str] = Counter()

    def take(self, count: int) -> None:
        """Hold so many more events."""
        with self._lock:
            self.taken += count
            self.held += count

    def recover(self, count: int) -> None:
        """Count so many events that were found in the spool."""
        with self._lock:
            self.recovered += count
            self.spooled += count

    def spool(self, count: int) -> None:
        """Hold so many events no longer, because they are in the spool."""
        with self._lock:
            self.held -= count
            self.spooled += count

    def settle(
        self,
        stored: int,
        dropped: Mapping[str, int] = MappingProxyType({}),
        *,
        spooled: bool = False,
    ) -> None:
        """Count events that were stored, and that were dropped, by reason.

        Args:
            stored: how many were stored.
            dropped: how many were dropped, by reason.
            spooled: whether they were in the spool; else they were held.
        """
        count = stored + sum(dropped.values())
        with self._lock:
            self.stored += stored
            self.dropped.update(dropped)
            if spooled:
                self.spooled -= count
            else:
                self.held -= count
