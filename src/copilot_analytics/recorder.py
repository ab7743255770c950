"""The recorder: takes observations on the event loop, and has everything else done in its thread.

`record()` is one append to a queue. A daemon thread empties the queue by interval or size, has
admission turn observations into events, and writes them to the store in batches. What waits is
bounded, what is dropped is counted, and a store that fails or hangs is never felt by the host.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from types import MappingProxyType

from ._delivery import Delivery, Outcome
from ._exits import end_at_exit
from ._forking import renew_in_children
from ._futures import resolved, result, result_blocking
from ._guard import Guard
from ._measurements import Measurements
from .admission import Admission
from .batch import Batch
from .errors import RecorderClosedError
from .events import AnalyticsEvent, Observation
from .queries import RecorderHealth
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

    Every observation taken is, at any moment, either pending, stored or dropped for a reason that
    is counted; `health()` shows all of them. A write that fails is repeated with the same batch,
    after a growing pause, until it succeeds or the store refuses it for good.

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
        measurements: note errors and how long writes take; None keeps them to itself.
    """

    SLICE_EVENTS = 128
    """Events admitted before the GIL is given up: about half a millisecond."""

    TOGETHER_EVENTS = 24
    """From so many on, admission is faster with all the usual events of a slice together."""

    YIELD_SECONDS = 50e-6
    """How long it is given up: longer than another thread needs to wake and take it."""

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
        measurements: Measurements | None = None,
    ) -> None:
        self._store = store
        self._admission = admission
        self._clock = clock
        self._guard = guard
        self._max_pending = max_pending
        self._batch_size = min(batch_size, max_pending)
        self._flush_interval = flush_interval
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
        self._waiters: list[tuple[float, Future[bool]]] = []
        # From this length of the queue on, `record` has to do more than append. It is 0 while
        # nobody looks at the queue: not started, closed, or asleep until there is something to do.
        self._threshold = 0
        self._taken = 0
        self._settled = 0
        self._held = 0
        self._stored = 0
        self._dropped: Counter[str] = Counter()
        self._rejected: Counter[str] = Counter()
        self._rejected_logged = 0
        self._log_due = 0.0
        self._delivery = Delivery(
            self._store,
            clock=self._clock,
            guard=self._guard,
            measurements=self._measurements,
            closing=self._closing,
            abandoned=self._abandoned,
        )

    def renew_in_child(self) -> None:
        """Start anew in a forked child: its parent stores what is pending, and has the thread."""
        closed = self._closing.is_set()
        self._closing = threading.Event()
        if closed:
            self._closing.set()
        self._queue.clear()
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
            room = self._max_pending - self._held
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
        self._rejected[reason] += 1
        if reason == "closed":
            if self._rejected[reason] == 1:
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
            target = self._taken + len(self._queue)
            if target <= self._settled:
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
        self._waiters.append((target, waiting))
        self._ring()
        return waiting

    def _abandon(self) -> int:
        self._abandoned.set()
        with self._lock:
            return self._held + len(self._queue)

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
            return RecorderHealth(
                running=not self._closing.is_set(),
                accepted=self._taken + waiting,
                stored=self._stored,
                pending=self._held + waiting,
                store=self._store.url,
                dropped=dict(self._dropped),
                rejected=dict(self._rejected),
                skipped={**self._skipped, **self._admission.skipped},
                errors=self._guard.errors,
                last_flush_ms=self._delivery.last_ms,
                last_flush_at=self._delivery.last_at,
                last_error=self._delivery.shown_error,
            )

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
                while not self._closing.is_set():
                    self._drain(self._wait())
                # Only now: nothing is appended any more after whoever closes has left the lock.
                with self._lock:
                    waiting = len(self._queue)
                self._drain(waiting)
        finally:
            with self._lock:
                self._ended = True
                self._settle(math.inf, done=False)

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
        self._hold(0)
        return woken

    def _hold(self, count: int) -> None:
        """Hold so many more events outside of the queue; `record` appends while there is room."""
        with self._lock:
            self._held += count
            if not self._closing.is_set():
                self._threshold = self._max_pending - self._held

    def _drain(self, count: int) -> None:
        while count > 0 and not self._abandoned.is_set():
            size = min(count, self._batch_size)
            count -= size
            events = self._admit(size)
            self._measurements.admitted(events)
            if not events or self._write(self._batch(events)):
                self._settle(self._taken)
        self._log_rejected()

    def _admit(self, count: int) -> list[AnalyticsEvent]:
        """Take observations off the queue and return the events that they become."""
        events: list[AnalyticsEvent] = []
        while count > 0:
            size = min(count, self.SLICE_EVENTS)
            count -= size
            self._admit_slice(size, events)
            if count:
                self._pause()
        return events

    def _batch(self, events: Sequence[AnalyticsEvent]) -> Batch:
        writer = events[0].writer
        if len(events) <= self.SLICE_EVENTS:
            return Batch(writer, events)
        return Batch(writer, events, pause=self._pause)

    def _pause(self) -> None:
        """Give up the GIL."""
        time.sleep(self.YIELD_SECONDS)

    def _admit_slice(self, size: int, events: list[AnalyticsEvent]) -> None:
        with self._lock:
            taken = [self._queue.popleft() for _ in range(size)]
            self._taken += size
            self._hold(size)
        if size >= self.TOGETHER_EVENTS:
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

    def _drop(self, dropped: Counter[str]) -> None:
        with self._lock:
            self._dropped.update(dropped)
            self._hold(-dropped.total())

    def _write(self, batch: Batch) -> bool:
        """Write a batch; return whether it is stored or dropped at last."""
        count = len(batch.events)
        outcome = self._delivery.deliver(batch, between=self._log_rejected)
        if outcome is Outcome.STORED:
            with self._lock:
                self._stored += count
                self._hold(-count)
        elif outcome is Outcome.REFUSED:
            self._drop(Counter(store_refused=count))
        return outcome is not Outcome.ABANDONED

    def _settle(self, settled: float, *, done: bool = True) -> None:
        """Tell those who wait for what is settled now."""
        with self._lock:
            ready = [waiting for target, waiting in self._waiters if target <= settled]
            self._waiters = [waiter for waiter in self._waiters if waiter[0] > settled]
            if done:
                self._settled = self._taken
        for waiting in ready:
            if waiting.set_running_or_notify_cancel():
                waiting.set_result(done)

    def _log_rejected(self) -> None:
        rejected = self._rejected.total()
        if rejected > self._rejected_logged and time.monotonic() >= self._log_due:
            _log.warning(
                "%d events were rejected: no more than %d wait for the store",
                rejected - self._rejected_logged,
                self._max_pending,
            )
            self._rejected_logged = rejected
            self._log_due = time.monotonic() + self.LOG_SECONDS
