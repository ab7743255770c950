"""The recorder: takes observations on the event loop, and has everything else done in its thread.

`record()` is one append to a queue. A daemon thread empties the queue by interval or size, has
admission turn observations into events, and puts them where they go: into the store in batches, or
into a spool, from which another thread has them stored. What waits is bounded, what is dropped is
counted, and a store that fails or hangs is never felt by the host.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from types import MappingProxyType

from ._accounts import Accounts
from ._admitting import Admitter
from ._delivery import Delivery
from ._exits import end_at_exit
from ._forking import renew_in_children
from ._futures import resolved, result, result_blocking
from ._guard import Guard
from ._listening import Listener, Listeners
from ._measurements import Measurements
from ._outlets import Direct, Outlet
from ._shipping import Shipper
from ._waiters import Waiters, resolve
from .admission import Admission
from .errors import RecorderClosedError
from .events import Observation
from .queries import RecorderHealth
from .spool.spooling import Spool, SpoolSettings
from .stores.base import Store
from .typing import Clock

__all__ = ["Recorder"]

_log = logging.getLogger("copilot_analytics.recorder")


class Recorder:
    """Records observations without ever delaying or failing the host.

    Thread-safe. The thread starts with the first observation, and anew in a forked child, which
    writes as a writer of its own; what the parent had pending stays the parent's. At the exit of
    the interpreter a recorder that was not closed is drained for at most 5 seconds, and a store
    that nobody else would close is closed.

    Every observation taken is, at any moment, either pending, spooled, stored or dropped for a
    reason that is counted; `health()` shows all of them. A write that fails is repeated with the
    same batch, after a growing pause, until it succeeds or the store refuses it for good. With a
    spool, what is not stored yet outlives the process.

    Args:
        store: where events go; closed by the exit of the interpreter alone, and only if owned.
        admission: turns observations into events; from now on used by the thread alone.
        clock: tells the time of the last write.
        guard: keeps failures of ours away from the host.
        max_pending: the most events that wait in memory; beyond, new ones are rejected.
        batch_size: the most events in one write; that many waiting are written at once.
        flush_interval: how long an event waits for others to be written with, in seconds.
        enabled: whether anything is recorded at all; else no thread starts, and the store is never
            touched.
        skipped: what was left out before it came here, by reason, for `health()`.
        owns_store: whether the exit of the interpreter closes the store.
        spool: where events wait for the store; None if in memory only.
        measurements: note errors and how long writes take; None keeps them to itself.
    """

    SPOOL_SECONDS = 0.05
    """How long an event waits to be spooled: what a kill may cost."""

    EXIT_SECONDS = 5.0
    """How long the exit of the interpreter waits for what is pending."""

    LOG_SECONDS = 60.0
    """Rejected events are logged at most once in this time."""

    def __init__(
        self,
        store: Store,
        admission: Admission,
        *,
        clock: Clock,
        guard: Guard,
        max_pending: int = 100_000,
        batch_size: int = 5_000,
        flush_interval: float = 1.0,
        enabled: bool = True,
        skipped: Mapping[str, int] = MappingProxyType({}),
        owns_store: bool = False,
        spool: SpoolSettings | None = None,
        measurements: Measurements | None = None,
    ) -> None:
        self._store = store
        self._admission = admission
        self._clock = clock
        self._guard = guard
        self._max_pending = max_pending
        self._batch_size = min(batch_size, max_pending)
        self._spool = spool
        self._flush_interval = (
            flush_interval if spool is None else min(flush_interval, self.SPOOL_SECONDS)
        )
        self._queue: deque[Observation] = deque()
        self._enabled = enabled
        self._skipped = skipped
        self._owns_store = owns_store
        self._measurements = measurements or Measurements(guard)
        self._closing = threading.Event()
        if not enabled:
            self._closing.set()
        self._reset()
        renew_in_children(self)
        end_at_exit(self)

    def _reset(self) -> None:
        # Signal handlers and finalizers may record while their thread is in here: so this one is
        # re-entrant, and the thread waits for a queue, into which everybody may put at any time.
        self._lock = threading.RLock()
        self._bell: SimpleQueue[None] = SimpleQueue()
        self._abandoned = threading.Event()
        self._thread: threading.Thread | None = None
        self._served = threading.Lock()
        self._ended = False
        self._waiters = Waiters()
        # A forked child has none of its parent's event loops: nobody listens there yet.
        self._listeners = Listeners(self._guard)
        # From this length of the queue on, `record` has to do more than append. It is 0 while
        # nobody looks at the queue: not started, closed, or asleep until there is something to do.
        self._threshold = 0
        self._passed_on = 0
        self._accounts = Accounts(self._lock)
        self._rejected_logged = 0
        self._log_due = 0.0
        self._delivery = Delivery(
            self._store,
            clock=self._clock,
            guard=self._guard,
            measurements=self._measurements,
            waiting="in memory" if self._spool is None else "in the spool",
            closing=self._closing,
            abandoned=self._abandoned,
        )
        self._admitter = Admitter(self._admission, self._guard, take=self._take, drop=self._refuse)
        self._outlet = self._outlet_of(self._spool)

    def _outlet_of(self, settings: SpoolSettings | None) -> Outlet:
        if settings is None:
            return Direct(self._delivery, self._accounts, between=self._log_rejected)
        spool = Spool(
            settings,
            writer=self._admission.writer,
            accounts=self._accounts,
            memory_events=2 * self._batch_size,
        )
        return Shipper(
            spool,
            self._delivery,
            self._accounts,
            lock=self._lock,
            guard=self._guard,
            closing=self._closing,
            abandoned=self._abandoned,
            batch_size=self._batch_size,
            write_interval=settings.write_interval,
        )

    def renew_in_child(self) -> None:
        """Start anew in a forked child: its parent stores what is pending, and has the thread."""
        closed = self._closing.is_set()
        self._closing = threading.Event()
        if closed:
            self._closing.set()
        self._queue.clear()
        self._outlet.forget_in_child()
        self._reset()

    def record(self, observation: Observation) -> None:
        """Take an observation; it and its metadata are given away.

        Never blocks and never raises, except in strict mode.

        Raises:
            RecorderClosedError: the recorder is closed; in strict mode only.
        """
        queue = self._queue
        if len(queue) < self._threshold:
            queue.append(observation)
        else:
            self._record_with_care(observation)

    def _record_with_care(self, observation: Observation) -> None:
        with self._lock:
            if self._closing.is_set():
                self._reject("closed" if self._enabled else "disabled")
                return
            self.start()
            room = self._max_pending - self._accounts.held
            if len(self._queue) >= room:
                self._reject("queue_full" if self._delivery.error is None else "store_unavailable")
                return
            self._queue.append(observation)
            if self._thread is not None:
                # Once woken by the first event, it need be woken again by a whole batch only.
                self._threshold = room if self._threshold else min(self._batch_size - 1, room)
                self._ring()

    def _ring(self) -> None:
        self._bell.put(None)

    def _reject(self, reason: str) -> None:
        self._accounts.rejected[reason] += 1
        if reason == "closed":
            if self._accounts.rejected[reason] == 1:
                _log.warning("the recorder is closed: what is recorded from now on is not kept")
            if self._guard.strict:
                raise RecorderClosedError

    def start(self) -> None:
        """Start the thread unless it runs or the recorder is closed; idempotent."""
        with self._lock, self._guard("recorder.start"):
            if self._thread is not None or self._closing.is_set():
                return
            thread = threading.Thread(
                target=self._run, name="copilot-analytics-recorder", daemon=True
            )
            # Before it starts: a signal handler may come here while it does.
            self._thread = thread
            try:
                thread.start()
            except BaseException:
                self._thread = None
                raise

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Have somebody told of this process's events, as soon as they are admitted.

        That is before they are stored, and at most `flush_interval` after they were recorded. With
        nobody to tell it costs nothing.

        Args:
            listener: called with one or several events, in order, in the recorder's thread, which
                it may neither delay nor fail.

        Returns:
            What ends it; idempotent.
        """
        return self._listeners.add(listener)

    async def flush(self, timeout: float | None = None) -> bool:
        """Wait until everything recorded before the call is stored, or dropped for good.

        Args:
            timeout: how long to wait, in seconds; None means for ever.

        Returns:
            False after the time-out, and if the recorder is closed before it could be stored.
        """
        return await result(self._flushing(), timeout)

    def flush_blocking(self, timeout: float | None = None) -> bool:
        """Do as `flush`, outside of an event loop."""
        return result_blocking(self._flushing(), timeout)

    def _flushing(self) -> Future[bool]:
        with self._lock:
            target = self._accounts.taken + len(self._queue)
            if target <= self._passed_on and self._outlet.idle:
                return resolved(True)
            return self._waiting(target)

    async def aclose(self, timeout: float = 5.0) -> int:
        """Take nothing any more, and store what is pending; not longer than a time.

        Idempotent. Not even a store that hangs delays it beyond the time-out.

        Args:
            timeout: how long to wait, in seconds.

        Returns:
            How many events are left behind.
        """
        await result(self._finishing(), timeout)
        return self._abandon()

    def close(self, timeout: float = 5.0) -> int:
        """Do as `aclose`, outside of an event loop."""
        result_blocking(self._finishing(), timeout)
        return self._abandon()

    def _finishing(self) -> Future[bool]:
        with self._lock:
            # In this order: before it is closing, a signal handler would set the threshold again.
            self._closing.set()
            self._threshold = 0
            return self._waiting(math.inf)

    def _waiting(self, target: float) -> Future[bool]:
        """Return what is resolved once so many events are settled, or the thread has ended."""
        if self._thread is None or self._ended or self._abandoned.is_set():
            return resolved(False)
        waiting: Future[bool] = Future()
        self._waiters.add(target, waiting)
        self._ring()
        return waiting

    def _abandon(self) -> int:
        told = self._abandoned.is_set()
        self._abandoned.set()
        with self._lock:
            spooled = self._accounts.spooled
            left = self._accounts.held + spooled + len(self._queue)
        if spooled and not told:
            _log.warning(
                "%d events are left in the spool (%s): the next start has them stored",
                spooled,
                self._outlet.place,
            )
        return left

    def end_at_exit(self) -> None:
        """Store what is pending before the interpreter ends; see `EXIT_SECONDS`."""
        self.close(self.EXIT_SECONDS)
        # A thread that hangs in the store may hold its lock for ever.
        if self._owns_store and (self._thread is None or self._ended):
            self._store.close()

    def health(self) -> RecorderHealth:
        """Return how the recorder is doing; the store's statistics are left to who may block."""
        with self._lock:
            waiting = len(self._queue)
            accounts = self._accounts
            return RecorderHealth(
                running=not self._closing.is_set(),
                accepted=accounts.taken + waiting,
                stored=accounts.stored,
                pending=accounts.held + waiting,
                spooled=accounts.spooled,
                recovered=accounts.recovered,
                store=self._store.url,
                dropped=dict(accounts.dropped),
                rejected=dict(accounts.rejected),
                skipped={**self._skipped, **self._admission.skipped},
                errors=self._errors(),
                last_flush_ms=self._delivery.last_ms,
                last_flush_at=self._delivery.last_at,
                last_error=self._delivery.shown_error,
            )

    def _errors(self) -> dict[str, int]:
        failures = self._outlet.failures
        return {**self._guard.errors, **({"recorder.spool": failures} if failures else {})}

    # The rest runs in the thread.

    def _run(self) -> None:
        # A signal handler that comes while a thread is being made starts another, and one that
        # raises while it starts makes it look as if it had not: the first one there is the one.
        if not self._served.acquire(blocking=False):
            return
        with self._lock:
            self._thread = threading.current_thread()
        try:
            with self._guard.attempt("recorder.thread"):
                self._outlet.prepare(1)
                while not self._closing.is_set():
                    self._drain(self._wait())
                # Only now: nothing is appended any more after whoever closes has left the lock.
                with self._lock:
                    waiting = len(self._queue)
                self._drain(waiting)
            with self._guard.attempt("recorder.thread"):
                self._outlet.finish()
        finally:
            with self._lock:
                self._ended = True
                left = self._waiters.reached(math.inf)
            resolve(left, False)

    def _wait(self) -> int:
        """Sleep until there is something to do; return how many observations to take."""
        if not self._queue:
            self._sleep(0, None)
        woken = self._sleep(self._batch_size - 1, self._flush_interval)
        with self._lock:
            waiting = len(self._queue)
            if woken and not self._waiters:
                # What makes no whole batch waits for more.
                waiting -= waiting % self._batch_size
            return waiting

    def _sleep(self, threshold: int, timeout: float | None) -> bool:
        """Sleep until `record` meets the threshold, somebody waits for the thread, or for a time.

        Returns:
            False after the time.
        """
        with self._lock:
            while not self._bell.empty():
                self._bell.get()
            if self._closing.is_set() or self._waiters or len(self._queue) > threshold:
                return True
            self._threshold = threshold
        woken = True
        try:
            self._bell.get(timeout=timeout)
        except Empty:
            woken = False
        self._open()
        return woken

    def _open(self) -> None:
        """Let `record` append while there is room."""
        with self._lock:
            if not self._closing.is_set():
                self._threshold = self._max_pending - self._accounts.held

    def _drain(self, count: int) -> None:
        while count > 0 and not self._abandoned.is_set():
            size = min(count, self._batch_size)
            count -= size
            self._outlet.prepare(size)
            events = self._admitter.admit(size)
            self._measurements.admitted(events)
            if events:
                self._listeners.tell(events)
            if not events or self._outlet.put(events):
                self._pass_on()
            self._open()
        if self._waiters and not self._abandoned.is_set():
            self._pass_on()
        self._log_rejected()

    def _take(self, count: int) -> list[Observation]:
        with self._lock:
            taken = [self._queue.popleft() for _ in range(count)]
            self._accounts.take(count)
            self._open()
        return taken

    def _refuse(self, refused: Counter[str]) -> None:
        self._accounts.settle(0, refused)
        self._open()

    def _pass_on(self) -> None:
        """Leave those who wait for what was taken so far to the outlet."""
        with self._lock:
            self._passed_on = self._accounts.taken
            ready = self._waiters.reached(self._passed_on)
        self._outlet.settle(ready)

    def _log_rejected(self) -> None:
        rejected = self._accounts.rejected.total()
        if rejected > self._rejected_logged and time.monotonic() >= self._log_due:
            _log.warning(
                "%d events were rejected: no more than %d wait for the store",
                rejected - self._rejected_logged,
                self._max_pending,
            )
            self._rejected_logged = rejected
            self._log_due = time.monotonic() + self.LOG_SECONDS
