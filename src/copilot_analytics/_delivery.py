"""Handing batches to a store that may fail, hang for a while, or refuse them."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable
from enum import Enum, auto
from typing import NamedTuple

from ._guard import Guard
from ._measurements import Measurements
from .batch import Batch
from .errors import StoreError, StoreSchemaError, StoreUnavailableError
from .stores.base import Store
from .typing import Clock

__all__ = ["Delivered", "Delivery"]

_log = logging.getLogger("copilot_analytics.recorder")


class Delivered(NamedTuple):
    """What became of a batch.

    Attributes:
        stored: how many of its events the store has confirmed.
        refused: how many it refused for good.
        abandoned: whether the rest was given up, because the recorder ends.
    """

    stored: int
    refused: int
    abandoned: bool


class _Outcome(Enum):
    STORED = auto()
    REFUSED = auto()
    ABANDONED = auto()


class Delivery:
    """Writes batches, each again and again after a growing pause, for as long as that may help.

    Of a batch that the store refuses for good it finds the events that are refused, by halves, and
    has the others stored. Used by one thread; what it shows may be read from any.

    Args:
        store: takes the batches; not owned.
        clock: tells the time of the last attempt.
        guard: counts failures that no store should have.
        measurements: note how long attempts take.
        waiting: where events wait for a store that fails, for the log: "in memory".
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

    MAX_HALVINGS = 128
    """How often one batch is halved: enough for a few bad events in a large one, and no storm of
    requests where the store refuses everything."""

    def __init__(
        self,
        store: Store,
        *,
        clock: Clock,
        guard: Guard,
        measurements: Measurements,
        waiting: str = "in memory",
        closing: threading.Event,
        abandoned: threading.Event,
    ) -> None:
        self._store = store
        self._clock = clock
        self._guard = guard
        self._measurements = measurements
        self._waiting = waiting
        self._closing = closing
        self._abandoned = abandoned
        self._away = False
        self.error: Exception | None = None
        self.last_ms: float | None = None
        self.last_at: int | None = None

    @property
    def shown_error(self) -> str | None:
        """Why the last attempt failed, as text without anything of a user's."""
        # Only our own errors are known to hold nothing of that kind.
        return str(self.error) if isinstance(self.error, StoreError) else _name_of(self.error)

    def deliver(self, batch: Batch, *, between: Callable[[], object] = lambda: None) -> Delivered:
        """Write a batch until all of it is stored, refused for good, or abandoned.

        Args:
            batch: the batch.
            between: called after each attempt that is to be repeated.
        """
        stored = refused = halvings = 0
        reason: str | None = None
        parts = [batch]
        while parts:
            part = parts.pop()
            count = len(part.events)
            outcome = self._write(part, between)
            if outcome is _Outcome.ABANDONED:
                break
            if outcome is _Outcome.STORED:
                stored += count
                continue
            reason = self.shown_error
            if count == 1 or halvings == self.MAX_HALVINGS:
                refused += count
            else:
                halvings += 1
                first, second = part.halves()
                parts += (second, first)
        if refused:
            _log.error("%s; %d events are dropped and counted", reason, refused)
        return Delivered(stored, refused, stored + refused < len(batch.events))

    def _write(self, batch: Batch, between: Callable[[], object]) -> _Outcome:
        pause = self.FIRST_PAUSE_SECONDS
        while not self._abandoned.is_set():
            closing = self._closing.is_set()
            self._attempt(batch)
            passing = isinstance(self.error, (StoreUnavailableError, StoreSchemaError))
            if passing and not self._away:
                _log.error("%s; events wait %s meanwhile", self.shown_error, self._waiting)
            elif self._away and not passing:
                _log.warning("%s: writing works again", self._store.url)
            self._away = passing
            if not passing:
                return _Outcome.STORED if self.error is None else _Outcome.REFUSED
            between()
            interruption = self._abandoned if closing else self._closing
            if interruption.wait(pause * random.uniform(0.5, 1.0)):
                pause = self.FIRST_PAUSE_SECONDS
            else:
                pause = min(pause * 2, self.LAST_PAUSE_SECONDS)
        return _Outcome.ABANDONED

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
