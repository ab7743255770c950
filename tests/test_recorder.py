from __future__ import annotations

import asyncio
import logging
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from copilot_analytics._accounts import Accounts
from copilot_analytics._delivery import Delivery
from copilot_analytics._guard import Guard
from copilot_analytics._waiters import Waiters
from copilot_analytics.admission import Admission
from copilot_analytics.batch import Batch
from copilot_analytics.errors import (
    RecorderClosedError,
    StoreError,
    StoreSchemaError,
    StoreUnavailableError,
)
from copilot_analytics.events import EventType, Observation
from copilot_analytics.queries import RecorderHealth
from copilot_analytics.recorder import Recorder
from copilot_analytics.stores import MemoryStore, SQLiteStore, Store
from copilot_analytics.typing import SystemClock
from copilot_analytics.writer import Writer

CLOCK = SystemClock()
TraceFunction = Callable[[FrameType, str, Any], Any]
LATER = 3600.0
"""A flush interval that never comes."""


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let pauses be short."""
    monkeypatch.setattr(Delivery, "FIRST_PAUSE_SECONDS", 0.001)
    monkeypatch.setattr(Delivery, "LAST_PAUSE_SECONDS", 0.002)


def message(timestamp: int | None = None) -> Observation:
    return Observation(
        EventType.MESSAGE_SENT,
        "ada",
        CLOCK.now_ms() if timestamp is None else timestamp,
        metadata={"message_length": 3},
    )


@contextmanager
def recording(store: Store, *, strict: bool = True, **options: Any) -> Iterator[Recorder]:
    recorder = Recorder(
        store, Admission(CLOCK, Writer()), clock=CLOCK, guard=Guard(strict=strict), **options
    )
    others = set(threading.enumerate())
    try:
        yield recorder
    finally:
        recorder.close(0 if recorder.health().last_error else 30)
        for thread in set(threading.enumerate()) - others:
            if thread.name == "copilot-analytics-recorder":
                thread.join(60)  # or its last words are logged in the next test


def assert_accounted(health: RecorderHealth) -> None:
    assert health.accepted == health.stored + health.pending + sum(health.dropped.values())


class FailingStore(MemoryStore):
    """Refuses the first writes with these errors; remembers every batch it was handed."""

    def __init__(self, *errors: Exception) -> None:
        super().__init__()
        self.errors = list(errors)
        self.handed: list[Batch] = []

    def write(self, batch: Batch) -> None:
        self.handed.append(batch)
        if self.errors:
            raise self.errors.pop(0)
        super().write(batch)


class RefusingStore(MemoryStore):
    """Refuses every batch with an event of one of these sequences."""

    def __init__(self, error: Exception, *sequences: int) -> None:
        super().__init__()
        self.error = error
        self.sequences = set(sequences)
        self.writes = 0

    def write(self, batch: Batch) -> None:
        self.writes += 1
        if any(event.sequence in self.sequences for event in batch.events):
            raise self.error
        super().write(batch)


class HangingStore(MemoryStore):
    """Hangs in each write until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.writing = threading.Event()
        self.let_go = threading.Event()

    def write(self, batch: Batch) -> None:
        self.writing.set()
        assert self.let_go.wait(60)
        super().write(batch)


@pytest.fixture
def hanging() -> Iterator[HangingStore]:
    store = HangingStore()
    yield store
    store.let_go.set()


def unavailable() -> StoreUnavailableError:
    return StoreUnavailableError("memory://", "the store is away", "it is tried again")


class TestRecording:
    def test_everything_recorded_is_stored(self, tmp_path: Path) -> None:
        with SQLiteStore(tmp_path / "events.db") as store, recording(store) as recorder:
            for _ in range(1000):
                recorder.record(message())
            assert recorder.flush_blocking(30)
            health = recorder.health()
            assert (health.accepted, health.stored, health.pending) == (1000, 1000, 0)
            assert store.statistics()["events"] == 1000
            assert health.last_error is None
            assert health.last_flush_ms is not None
            assert health.last_flush_at is not None

    def test_no_thread_before_the_first_event(self) -> None:
        with recording(MemoryStore()) as recorder:
            before = threading.active_count()
            assert recorder.flush_blocking(0)
            recorder.record(message())
            assert threading.active_count() == before + 1

    def test_start_is_idempotent(self) -> None:
        with recording(MemoryStore()) as recorder:
            before = threading.active_count()
            recorder.start()
            recorder.start()
            assert threading.active_count() == before + 1

    def test_a_thread_that_cannot_start_is_tried_again(self) -> None:
        with recording(MemoryStore(), strict=False) as recorder:
            usual = threading.stack_size(1 << 46)  # more than there is
            try:
                recorder.record(message())
                recorder.record(message())
                assert recorder.flush_blocking(0) is False
            finally:
                threading.stack_size(usual)
            health = recorder.health()
            assert (health.pending, health.errors) == (2, {"recorder.start": 2})
            recorder.record(message())
            assert recorder.flush_blocking(30)
            assert recorder.health().stored == 3

    def test_the_interval_stores_without_a_flush(self) -> None:
        store = FailingStore()
        with recording(store, flush_interval=0.01) as recorder:
            for _ in range(3):
                recorder.record(message())
                wait_for(lambda: recorder.health().pending == 0)
            assert recorder.health().stored == 3

    def test_a_whole_batch_is_stored_without_the_interval(self) -> None:
        store = FailingStore()
        with recording(store, batch_size=10, flush_interval=LATER) as recorder:
            for _ in range(25):
                recorder.record(message())
            wait_for(lambda: recorder.health().stored == 20)
            assert [len(batch.events) for batch in store.handed] == [10, 10]
            assert recorder.health().pending == 5

    def test_batches_are_no_larger_than_set_and_in_order(self) -> None:
        store = FailingStore()
        with recording(store, batch_size=300, flush_interval=LATER) as recorder:
            for _ in range(299):
                recorder.record(message())
            for _ in range(700):
                recorder.record(message())
            assert recorder.flush_blocking(30)
            assert max(len(batch.events) for batch in store.handed) <= 300
            numbers = [event.sequence for batch in store.handed for event in batch.events]
            assert numbers == list(range(1, 1000))
            assert len({batch.writer for batch in store.handed}) == 1

    @pytest.mark.parametrize("batch_size", [1, 2])
    def test_the_smallest_batches_work(self, batch_size: int) -> None:
        with recording(
            MemoryStore(), batch_size=batch_size, max_pending=batch_size, flush_interval=0.01
        ) as recorder:
            for _ in range(20):
                recorder.record(message())
                wait_for(lambda: recorder.health().pending == 0)
            assert recorder.health().stored == 20

    def test_many_threads_record_and_every_event_is_accounted_for(self) -> None:
        with recording(MemoryStore(), batch_size=50, flush_interval=0.01) as recorder:

            def record(_: int) -> None:
                for _ in range(500):
                    recorder.record(message())
                    assert_accounted(recorder.health())

            with ThreadPoolExecutor(8) as threads:
                list(threads.map(record, range(8)))
            assert recorder.flush_blocking(30)
            assert recorder.health().stored == 4000

    def test_health_is_accounted_while_the_thread_works(self) -> None:
        with recording(MemoryStore(), batch_size=100) as recorder:
            for _ in range(5_000):
                recorder.record(message())
            flushing = threading.Thread(target=recorder.flush_blocking)
            flushing.start()
            while flushing.is_alive():
                assert_accounted(recorder.health())
            assert recorder.health().stored == 5_000

    def test_recording_in_the_middle_of_anything_harms_nothing(self) -> None:
        """A signal handler may come before each instruction that its thread runs in here."""
        passed = position = 0
        modules = {Recorder.__module__, Accounts.__module__, Waiters.__module__}
        writers: set[threading.Thread] = set()

        class NotingStore(MemoryStore):
            def write(self, batch: Batch) -> None:
                writers.add(threading.current_thread())
                super().write(batch)

        def at_instruction(frame: FrameType, event: str, _: object) -> TraceFunction | None:
            nonlocal passed
            if frame.f_globals.get("__name__") not in modules:
                return None
            frame.f_trace_opcodes = True
            passed += event == "opcode"
            if event == "opcode" and passed == position:
                recorder.record(message())
            return at_instruction

        tracing = sys.gettrace()
        while position <= passed:
            position, passed = position + 1, 0
            writers.clear()
            with recording(NotingStore(), strict=False, batch_size=1) as recorder:
                sys.settrace(at_instruction)
                try:
                    recorder.record(message())
                    recorder.record(message())
                    left = recorder.close(60)
                finally:
                    sys.settrace(tracing)
                health = recorder.health()
            assert (left, health.errors, len(writers)) == (0, {}, 1)
            assert health.stored == health.accepted
            assert health.stored + health.rejected.get("closed", 0) == 2 + (position <= passed)
        assert position > 100


class TestRefusal:
    def test_what_admission_refuses_is_counted_by_reason(self) -> None:
        with recording(MemoryStore()) as recorder:
            recorder.record(message(timestamp=0))
            recorder.record(message())
            recorder.record(message(timestamp=CLOCK.now_ms() + 10**12))
            assert recorder.flush_blocking(30)
            health = recorder.health()
            assert (health.accepted, health.stored) == (3, 1)
            assert health.dropped == {"in_future": 1, "too_old": 1}
            assert_accounted(health)

    def test_a_flush_of_nothing_but_refusals_ends(self) -> None:
        store = FailingStore()
        with recording(store) as recorder:
            recorder.record(message(timestamp=0))
            assert recorder.flush_blocking(30)
            assert store.handed == []

    def test_an_observation_that_breaks_admission_harms_no_other(self) -> None:
        with recording(MemoryStore()) as recorder:
            recorder.record(message())
            recorder.record(None)  # type: ignore[arg-type]
            recorder.record(message())
            assert recorder.flush_blocking(30)
            health = recorder.health()
            assert (health.stored, health.dropped) == (2, {"admission_failed": 1})
            assert health.errors == {"recorder.admission": 1}
            assert_accounted(health)


class TestBounds:
    def test_beyond_the_bound_new_events_are_rejected(self, hanging: HangingStore) -> None:
        with recording(hanging, max_pending=10, batch_size=4, flush_interval=LATER) as recorder:
            for _ in range(4):
                recorder.record(message())
            assert hanging.writing.wait(30)
            for _ in range(10):
                recorder.record(message())
            health = recorder.health()
            assert (health.pending, health.rejected) == (10, {"queue_full": 4})
            assert_accounted(health)
            hanging.let_go.set()
            assert recorder.flush_blocking(30)
            assert recorder.health().stored == 10

    def test_room_comes_back(self, hanging: HangingStore) -> None:
        with recording(hanging, max_pending=4, batch_size=4) as recorder:
            for _ in range(6):
                recorder.record(message())
            hanging.let_go.set()
            assert recorder.flush_blocking(30)
            recorder.record(message())
            assert recorder.flush_blocking(30)
            assert recorder.health().stored == recorder.health().accepted

    def test_rejections_while_the_store_fails_are_its_own(self) -> None:
        store = FailingStore(*[unavailable()] * 10_000)
        with recording(store, max_pending=5, batch_size=2) as recorder:
            for _ in range(2):
                recorder.record(message())
            wait_for(lambda: recorder.health().last_error is not None)
            for _ in range(5):
                recorder.record(message())
            assert recorder.health().rejected == {"store_unavailable": 2}
            assert_accounted(recorder.health())

    def test_rejections_are_logged_in_one_line(
        self, hanging: HangingStore, caplog: pytest.LogCaptureFixture
    ) -> None:
        with recording(hanging, max_pending=2, batch_size=2) as recorder:
            for _ in range(100):
                recorder.record(message())
            hanging.let_go.set()
            assert recorder.flush_blocking(30)
            wait_for(lambda: bool(caplog.messages))
        assert caplog.messages == ["98 events were rejected: no more than 2 wait for the store"]


@pytest.mark.usefixtures("quick")
class TestRetries:
    @pytest.mark.parametrize(
        "error", [unavailable(), StoreSchemaError("memory://", "it is newer", "upgrade")]
    )
    def test_the_same_batch_is_written_again(
        self, error: StoreError, caplog: pytest.LogCaptureFixture
    ) -> None:
        store = FailingStore(error, error, error)
        with recording(store, batch_size=3) as recorder:
            for _ in range(3):
                recorder.record(message())
            assert recorder.flush_blocking(30)
            assert len(store.handed) == 4
            assert len(set(map(id, store.handed))) == 1
            assert store.statistics()["events"] == 3
            assert recorder.health().last_error is None
        assert caplog.messages == [
            f"{error}; events wait in memory meanwhile",
            "memory://: writing works again",
        ]

    def test_a_failing_store_shows_in_health(self) -> None:
        store = FailingStore(*[unavailable()] * 10_000)
        with recording(store) as recorder:
            recorder.record(message())
            assert not recorder.flush_blocking(0.01)
            wait_for(lambda: recorder.health().last_error is not None)
            health = recorder.health()
            assert health.last_error == str(unavailable())
            assert (health.pending, health.stored) == (1, 0)

    def test_pauses_grow(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """An outage is a handful of attempts, not a storm of them; flushes change nothing."""
        monkeypatch.setattr(Delivery, "LAST_PAUSE_SECONDS", LATER)
        store = FailingStore(*[unavailable()] * 10_000)
        with recording(store) as recorder:
            recorder.record(message())
            for _ in range(50):
                assert not recorder.flush_blocking(0.01)
            # Doubled from a millisecond, 20 pauses would take minutes.
            assert 1 < len(store.handed) < 20

    @pytest.mark.parametrize(
        ("error", "shown"),
        [
            (StoreError("memory://", "it is bad", "do better"), "memory://: it is bad; do better"),
            (KeyError("ada@example.com"), "KeyError"),
        ],
    )
    def test_an_event_that_is_refused_for_good_is_dropped(
        self, error: Exception, shown: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        store = RefusingStore(error, 1, 2)
        with recording(store, batch_size=2) as recorder:
            recorder.record(message())
            recorder.record(message())
            assert recorder.flush_blocking(30)
            assert recorder.health().last_error == shown
            recorder.record(message())
            assert recorder.flush_blocking(30)
            health = recorder.health()
            assert (health.stored, health.dropped) == (1, {"store_refused": 2})
            assert health.last_error is None
            assert_accounted(health)
        assert f"{shown}; 2 events are dropped and counted" in caplog.messages
        assert "ada@example.com" not in caplog.text

    def test_the_other_events_of_its_batch_are_stored(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        store = RefusingStore(StoreError("memory://", "it is bad", "do better"), 7, 500, 501, 1000)
        with recording(store, batch_size=1000) as recorder:
            for _ in range(1000):
                recorder.record(message())
            assert recorder.flush_blocking(30)
            health = recorder.health()
            assert (health.stored, health.dropped) == (996, {"store_refused": 4})
            assert store.statistics()["events"] == 996
        assert caplog.messages == [
            "memory://: it is bad; do better; 4 events are dropped and counted"
        ]

    def test_a_store_that_refuses_everything_is_not_stormed(self) -> None:
        store = RefusingStore(StoreError("memory://", "it is bad", "do better"), *range(1, 1001))
        with recording(store, batch_size=1000) as recorder:
            for _ in range(1000):
                recorder.record(message())
            assert recorder.flush_blocking(30)
            assert recorder.health().dropped == {"store_refused": 1000}
            assert store.writes < 3 * Delivery.MAX_HALVINGS

    def test_a_folder_that_appears_later_gets_everything(self, tmp_path: Path) -> None:
        store = SQLiteStore(tmp_path / "later" / "events.db")
        with recording(store) as recorder:
            recorder.record(message())
            assert not recorder.flush_blocking(0.01)
            wait_for(lambda: recorder.health().last_error is not None)
            (tmp_path / "later").mkdir()
            assert recorder.flush_blocking(30)
            assert store.statistics()["events"] == 1
        store.close()


class TestFlush:
    def test_a_flush_waits_for_what_was_recorded_before_it(self, hanging: HangingStore) -> None:
        with recording(hanging) as recorder:
            recorder.record(message())
            assert not recorder.flush_blocking(0.01)
            hanging.let_go.set()
            assert recorder.flush_blocking(30)
            assert recorder.health().stored == 1

    def test_a_flush_does_not_wait_for_what_comes_after(self) -> None:
        with recording(MemoryStore(), flush_interval=LATER) as recorder:
            stop = threading.Event()

            def record() -> None:
                while not stop.is_set():
                    recorder.record(message())

            recorder.record(message())
            busy = threading.Thread(target=record)
            busy.start()
            assert recorder.flush_blocking(30)
            stop.set()
            busy.join()

    def test_flushes_work_on_several_loops_and_on_none(self) -> None:
        async def flush() -> bool:
            recorder.record(message())
            return await recorder.flush(30)

        with recording(MemoryStore(), flush_interval=LATER) as recorder:
            with ThreadPoolExecutor(2) as threads:
                loops = [threads.submit(asyncio.run, flush()) for _ in range(6)]
                assert all(loop.result() for loop in loops)
            assert recorder.flush_blocking(30)
            assert recorder.health().stored == 6

    def test_an_async_flush_times_out_and_can_be_cancelled(self, hanging: HangingStore) -> None:
        async def flush() -> None:
            recorder.record(message())
            assert not await recorder.flush(0.01)
            waiting = asyncio.create_task(recorder.flush())
            assert await asyncio.to_thread(hanging.writing.wait, 30)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            hanging.let_go.set()
            assert await recorder.flush(30)

        with recording(hanging) as recorder:
            asyncio.run(flush())

    def test_nothing_to_flush_is_true_at_once(self) -> None:
        with recording(MemoryStore()) as recorder:
            assert asyncio.run(recorder.flush(0))
            recorder.record(message())
            recorder.close()
            assert recorder.flush_blocking(0)


class TestClosing:
    def test_closing_stores_what_is_pending(self) -> None:
        store = MemoryStore()
        with recording(store, flush_interval=LATER) as recorder:
            for _ in range(300):
                recorder.record(message())
            assert asyncio.run(recorder.aclose()) == 0
            assert recorder.close() == 0
            assert store.statistics()["events"] == 300
            assert not recorder.health().running

    def test_closing_what_never_started_does_nothing(self) -> None:
        with recording(MemoryStore()) as recorder:
            before = threading.active_count()
            assert recorder.close() == 0
            recorder.start()
            assert threading.active_count() == before

    def test_a_store_that_hangs_does_not_hang_closing(self, hanging: HangingStore) -> None:
        with recording(hanging, batch_size=4) as recorder:
            for _ in range(10):
                recorder.record(message())
            assert hanging.writing.wait(30)
            assert asyncio.run(recorder.aclose(0.01)) == 10
            assert recorder.close(60) == 10, "it is not waited for twice"
            health = recorder.health()
            assert (health.pending, health.accepted) == (10, 10)
            # What it does store at last is not left behind any more.
            hanging.let_go.set()
            wait_for(lambda: recorder.health().stored > 0)
            assert_accounted(recorder.health())

    @pytest.mark.usefixtures("quick")
    def test_a_store_that_fails_does_not_hang_closing(self) -> None:
        store = FailingStore(*[unavailable()] * 100_000)
        with recording(store) as recorder:
            recorder.record(message())
            assert recorder.close(0.05) == 1
            assert recorder.health().pending == 1
            assert len(store.handed) > 1, "until then it is tried"

    def test_closing_cuts_a_pause_short(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(Delivery, "FIRST_PAUSE_SECONDS", LATER)
        store = FailingStore(unavailable())
        recorder = Recorder(
            store, Admission(CLOCK, Writer()), clock=CLOCK, guard=Guard(), flush_interval=0.01
        )
        recorder.record(message())
        wait_for(lambda: recorder.health().last_error is not None)
        assert recorder.close(30) == 0

    def test_a_flush_that_closing_overtakes_is_false(self, hanging: HangingStore) -> None:
        async def close() -> None:
            recorder.record(message())
            flushing = asyncio.create_task(recorder.flush())
            assert await asyncio.to_thread(hanging.writing.wait, 30)
            recorder.record(message())
            late = asyncio.create_task(recorder.flush())
            await asyncio.sleep(0)
            assert await recorder.aclose(0.01) == 2
            hanging.let_go.set()
            assert await flushing
            assert not await late

        with recording(hanging, batch_size=1) as recorder:
            asyncio.run(close())

    def test_events_after_the_end_are_rejected(self, caplog: pytest.LogCaptureFixture) -> None:
        with recording(MemoryStore(), strict=False) as recorder:
            recorder.close()
            recorder.record(message())
            recorder.record(message())
            health = recorder.health()
            assert (health.accepted, health.rejected) == (0, {"closed": 2})
        assert caplog.record_tuples == [
            (
                "copilot_analytics.recorder",
                logging.WARNING,
                "the recorder is closed: what is recorded from now on is not kept",
            )
        ]

    def test_events_after_the_end_raise_in_strict_mode(self) -> None:
        with recording(MemoryStore()) as recorder:
            recorder.close()
            with pytest.raises(RecorderClosedError, match="before aclose"):
                recorder.record(message())


def test_a_disabled_recorder_does_nothing() -> None:
    store = FailingStore()
    with recording(store, enabled=False) as recorder:
        before = threading.active_count()
        recorder.start()
        recorder.record(message())
        assert recorder.flush_blocking(0)
        assert threading.active_count() == before
        health = recorder.health()
        assert (health.running, health.accepted) == (False, 0)
        assert health.rejected == {"disabled": 1}
        assert recorder.close() == 0
        assert store.handed == []


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds that no event tells of; a minute at most."""
    waiting = threading.Event()
    for _ in range(60_000):
        if condition():
            return
        waiting.wait(0.001)
    raise AssertionError("it never came true")
