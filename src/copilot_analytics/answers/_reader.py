"""What every topic's questions share: the store, the clock, and how far back rollups go."""

from __future__ import annotations

import datetime as dt

from ..periods import DateRange, day_of
from ..stores.base import Store
from ..typing import Clock

__all__ = ["Reader"]


class Reader:
    """Reads rollups to answer questions.

    Args:
        store: where the rollups are; not owned.
        clock: tells today.
        rollup_retention_days: how many days of rollups are kept, today included; a comparison with
            days before that is None.
    """

    def __init__(self, store: Store, clock: Clock, *, rollup_retention_days: int = 800) -> None:
        self._store = store
        self._clock = clock
        self._retention = dt.timedelta(days=rollup_retention_days - 1)

    def _kept_before(self, range: DateRange) -> DateRange | None:
        """Return the range of equal length before one; None when any of its days is not kept."""
        try:
            previous = range.previous()
        except OverflowError:
            return None
        today = dt.date.fromisoformat(day_of(self._clock.now_ms()))
        return None if previous.start < today - self._retention else previous
