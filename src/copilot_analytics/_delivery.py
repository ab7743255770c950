"""Handing batches to a store that may fail, hang for a while, or refuse them."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable
from enum import Enum, auto

from ._guard import Guard
from ._measurements import Measurements
from .batch import Batch
from .errors import StoreError, StoreSchemaError, StoreUnavailableError
from .stores.base import Store
from .typing import Clock

__all__ = ["Delivery", "Outcome"]

_log = logging.getLogger("copilot_analytics.recorder")


class Outcome(Enum):
    """What became of a batch."""

    STORED = auto()
    REFUSED = auto()
    ABANDONED = auto()


class Delivery:
    """Writes batches, each again and again after a growing pause, for as long as that may help.

    Used by the recorder's thread; what it shows may be read from any.

    Args:
        store: takes the batches; not owned.
        clock: tells the time of the last attempt.
        guard: counts failures that no store should have.
        measurements: note how long attempts take.
        closing: once it is set, the pause that is on is cut short, and the next ones start small.
        abandoned: once it is set, nothing is tried again.

    Attributes:
        error: why the last attempt failed; None before the first, and after one that did not.
        last_ms: how long the last attempt took, in milliseconds; None before the first.
        last_at: when it ended, epoch milliseconds; None before the first.
    """

    FIRST_PAUSE_SECONDS = 0.1
    LAST_PAUSE_SECONDS = 10.0
    """The pause after a failed attempt doubles from the first to the last of these, with jitter."""

    def __init__(
        self,
        store: Store,
        *,
        clock: Clock,
        guard: Guard,
        measurements: Measurements,
        closing: threading.Event,
        abandoned: threading.Event,
    ) -> None:
        self._store = store
        self._clock = clock
        self._guard = guard
        self._measurements = measurements
        self._closing = closing
        self._abandoned = abandoned
        self.error: Exception | None = None
        self.last_ms: float | None = None
        self.last_at: int | None = None

    @property
    def shown_error(self) -> str | None:
        """Why the last attempt failed, as text without anything of a user's."""
        # Only our own errors are known to hold nothing of that kind.
        return str(self.error) if isinstance(self.error, StoreError) else _name_of(self.error)

    def deliver(self, batch: Batch, *, between: Callable[[], object]) -> Outcome:
        """Write a batch until it is stored, refused for good, or abandoned.

        Args:
            batch: the batch, the same one in every attempt.
            between: called after each attempt that is to be repeated.
        """
        pause = self.FIRST_PAUSE_SECONDS
        while True:
            closing = self._closing.is_set()
            failing = self.error is not None
            self._attempt(batch)
            if self.error is None:
                if failing:
                    _log.warning("%s: writing works again", self._store.url)
                return Outcome.STORED
            passing = isinstance(self.error, (StoreUnavailableError, StoreSchemaError))
            if not failing:
                fate = "wait in memory meanwhile" if passing else "are dropped and counted"
                _log.error("%s; events %s", self.shown_error, fate)
            if not passing:
                return Outcome.REFUSED
            between()
            interruption = self._abandoned if closing else self._closing
            if interruption.wait(pause * random.uniform(0.5, 1.0)):
                pause = self.FIRST_PAUSE_SECONDS
            else:
                pause = min(pause * 2, self.LAST_PAUSE_SECONDS)
            if self._abandoned.is_set():
                return Outcome.ABANDONED

    def _attempt(self, batch: Batch) -> None:
        started = time.monotonic()
        error: Exception | None = None
        with self._guard.attempt("recorder.write") as attempt:
            try:
                self._store.write(batch)
            except StoreError as exc:
                error = exc
        self.last_ms = (time.monotonic() - started) * 1000
        self._measurements.written(self.last_ms)
        self.last_at = self._clock.now_ms()
        self.error = error or attempt.error


def _name_of(error: Exception | None) -> str | None:
    return None if error is None else type(error).__qualname__
