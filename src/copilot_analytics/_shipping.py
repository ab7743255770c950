"""Shipping: what the recorder's thread has spooled is written to the store by a thread of its own.

The store may be away for days, and each write may take seconds: meanwhile the recorder's thread
goes on spooling.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import AbstractContextManager
from itertools import groupby
from queue import Empty, SimpleQueue
from typing import Protocol

from ._accounts import Accounts
from ._admitting import batch_of
from ._delivery import Delivery
from ._guard import Guard
from ._waiters import Waiters, resolve
from .events import AnalyticsEvent
from .spool.backlog import Portion
from .spool.journal import Released
from .spool.spooling import Spool

__all__ = ["Shipper"]

_log = logging.getLogger("copilot_analytics.recorder")


class _Source(Protocol):
    def take(self, limit: int) -> Portion | None: ...

    def confirm(self, portion: Portion) -> Released: ...


class Shipper:
    """An outlet that spools, and a thread that writes to the store what is spooled.

    Events are written once there is a whole batch of them, some time after the first of them, or
    when somebody waits. What earlier processes left in other directories is written in between.

    Args:
        spool: keeps the events; owned.
        delivery: writes batches; used by the shipper's thread alone.
        accounts: count what becomes of events.
        lock: guards who waits.
        guard: keeps failures of ours away.
        closing: set once the recorder takes nothing any more.
        abandoned: set once nothing is to be waited for any more.
        batch_size: the most events in one write.
        write_interval: how long events wait for others to be written with, in seconds.
    """

    PAUSE_SECONDS = 1.0
    """How long a spool that cannot be read or written is left alone."""

    LOG_SECONDS = 60.0
    """That it cannot be read is logged at most once in this time."""

    def __init__(
        self,
        spool: Spool,
        delivery: Delivery,
        accounts: Accounts,
        *,
        lock: AbstractContextManager[object],
        guard: Guard,
        closing: threading.Event,
        abandoned: threading.Event,
        batch_size: int,
        write_interval: float,
    ) -> None:
        self._spool = spool
        self._delivery = delivery
        self._accounts = accounts
        self._lock = lock
        self._guard = guard
        self._closing = closing
        self._abandoned = abandoned
        self._batch_size = batch_size
        self._write_interval = write_interval
        self._bell: SimpleQueue[None] = SimpleQueue()
        self._waiters = Waiters()
        self._thread: threading.Thread | None = None
        self._due_at = 0.0
        self._done = 0
        self._leftovers_done = False
        self._last_put = False
        self._damages = 0
        self._complaint_due = 0.0

    @property
    def idle(self) -> bool:
        """Whether everything that was put is settled."""
        return self._done == self._spool.entered

    @property
    def place(self) -> str:
        """Where the spool is."""
        return self._spool.place

    @property
    def failures(self) -> int:
        """How often events could not be spooled, or something spooled could not be read."""
        return self._spool.failures + self._damages

    def prepare(self, count: int) -> None:
        """Get the writer ready for so many more events, and the thread running."""
        self._spool.prepare(count)
        if self._thread is None:
            with self._guard.attempt("recorder.shipping"):
                thread = threading.Thread(
                    target=self._run, name="copilot-analytics-shipper", daemon=True
                )
                thread.start()
                self._thread = thread

    def put(self, events: list[AnalyticsEvent]) -> bool:
        """Spool events, or keep them in memory where that is not possible; always True."""
        waiting = self._spool.put(events)
        if waiting <= len(events):
            self._due_at = time.monotonic() + self._write_interval
            self._bell.put(None)
        elif waiting >= self._batch_size:
            self._bell.put(None)
        return True

    def settle(self, ready: list[Future[bool]]) -> None:
        """Tell those who wait once everything that was put is stored, or refused for good."""
        if not ready:
            return
        with self._lock:
            for waiting in ready:
                self._waiters.add(self._spool.entered, waiting)
        self._tell()
        self._bell.put(None)

    def finish(self) -> None:
        """Have the rest stored, until the recorder is abandoned; then give up the spool."""
        self._last_put = True
        self._bell.put(None)
        if self._thread is None:
            self._run()
        else:
            self._thread.join()
        self._spool.close()

    def forget_in_child(self) -> None:
        """Release in a forked child what is its parent's."""
        self._spool.forget_in_child()

    # The rest runs in the thread.

    def _run(self) -> None:
        try:
            with self._guard.attempt("recorder.shipping"):
                while not self._abandoned.is_set():
                    last = self._last_put  # before looking whether anything is left
                    if self._is_due():
                        self._ship(self._spool)
                    elif not self._leftovers_done and self._spool.leftovers is not None:
                        self._leftovers_done = not self._ship(self._spool.leftovers)
                    elif last:
                        break
                    else:
                        self._sleep()
        finally:
            with self._lock:
                left = self._waiters.reached(math.inf)
            resolve(left, False)

    def _is_due(self) -> bool:
        waiting = self._spool.waiting
        return waiting > 0 and (
            bool(self._waiters)
            or self._closing.is_set()
            or waiting >= self._batch_size
            or time.monotonic() >= self._due_at
        )

    def _sleep(self) -> None:
        waiting = self._spool.waiting
        timeout = max(self._due_at - time.monotonic(), 0.0) if waiting else None
        if self._spool.retry():
            timeout = min(self.PAUSE_SECONDS if timeout is None else timeout, self.PAUSE_SECONDS)
        try:
            self._bell.get(timeout=timeout)
            while True:
                self._bell.get_nowait()
        except Empty:
            pass

    def _ship(self, source: _Source) -> bool:
        """Have the next portion of a source stored; return whether there was one."""
        try:
            portion = source.take(self._batch_size)
        except OSError as exc:
            self._complain(exc)
            self._abandoned.wait(self.PAUSE_SECONDS)
            return True
        if portion is None:
            return False
        done = self._deliver(portion)
        if done == len(portion.events):
            done += self._confirm(source, portion)
        if source is self._spool:
            self._done += done
            self._due_at = time.monotonic() + self._write_interval
            self._tell()
        return True

    def _deliver(self, portion: Portion) -> int:
        """Write a portion by batches; return how many of its events are settled."""
        settled = 0
        spooled = portion.end is not None
        for events in _batches(portion.events, self._batch_size):
            delivered = self._delivery.deliver(batch_of(events), between=self._spool.retry)
            refused = {"store_refused": delivered.refused} if delivered.refused else {}
            self._accounts.settle(delivered.stored, refused, spooled=spooled)
            settled += delivered.stored + delivered.refused
            if delivered.abandoned:
                if not spooled:
                    self._spool.put_back(portion.events[settled:])
                break
        return settled

    def _confirm(self, source: _Source, portion: Portion) -> int:
        """Have a settled portion removed; return how many events turned out to be lost."""
        try:
            released = source.confirm(portion)
        except OSError as exc:
            self._complain(exc)
            return 0
        if released.damages:
            self._damages += released.damages
            _log.error(
                "%d places in the spool cannot be read, as a kill or a bad disk leaves them; "
                "of what was whole before, %d events are lost",
                released.damages,
                released.lost,
            )
        if released.lost:
            self._accounts.settle(0, {"spool_damaged": released.lost}, spooled=True)
        return released.lost

    def _complain(self, exc: OSError) -> None:
        now = time.monotonic()
        if now >= self._complaint_due:
            self._complaint_due = now + self.LOG_SECONDS
            _log.error("%s: %s; it is tried again", exc.filename, exc.strerror)

    def _tell(self) -> None:
        with self._lock:
            ready = self._waiters.reached(self._done)
        resolve(ready, True)


def _batches(events: list[AnalyticsEvent], size: int) -> Iterator[list[AnalyticsEvent]]:
    """Yield events by batches: of one writer each, and no larger than a size."""
    for _, group in groupby(events, key=lambda event: event.writer):
        run = list(group)
        for first in range(0, len(run), size):
            yield run[first : first + size]
