"""Recorders with a spool, and the stores at its far end; run as a script by the tests.

record DATABASE FOLDER BATCH COUNT   record COUNT events, telling each on a line, until killed
hold DATABASE FOLDER                 record one event, then wait to be told to close
"""

from __future__ import annotations

import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from copilot_analytics._guard import Guard
from copilot_analytics.admission import Admission
from copilot_analytics.batch import Batch
from copilot_analytics.errors import StoreError, StoreUnavailableError
from copilot_analytics.events import AnalyticsEvent, EventType, Observation
from copilot_analytics.queries import RecorderHealth
from copilot_analytics.recorder import Recorder
from copilot_analytics.spool.spooling import SpoolSettings
from copilot_analytics.stores import MemoryStore, SQLiteStore, Store
from copilot_analytics.typing import SystemClock
from copilot_analytics.writer import Writer

CLOCK = SystemClock()
LATER = 3600.0
"""An interval that never comes."""
SOON = 0.001


class RemoteStore(MemoryStore):
    """A far end that can be away, hang or refuse, and remembers every write that it took.

    Attributes:
        away: set while it cannot be reached.
        let_go: cleared while its writes hang.
        writing: set by each write that came.
        refused: the numbers of messages that it refuses for good.
        written: the batches that it took.
        attempts: how often it was written to.
    """

    remote = True

    def __init__(self) -> None:
        super().__init__()
        self.away = False
        self.let_go = threading.Event()
        self.let_go.set()
        self.writing = threading.Event()
        self.refused: set[int] = set()
        self.written: list[Batch] = []
        self.attempts = 0

    def write(self, batch: Batch) -> None:
        self.attempts += 1
        self.writing.set()
        assert self.let_go.wait(60)
        if self.away:
            raise StoreUnavailableError(self.url, "the store is away", "it is tried again")
        if self.refused.intersection(map(number_of, batch.events)):
            raise StoreError(self.url, "it is bad", "do better")
        super().write(batch)
        self.written.append(batch)

    @property
    def all_events(self) -> list[AnalyticsEvent]:
        return self._events

    @property
    def numbers(self) -> list[int]:
        """Which messages it has, in the order in which they came."""
        return [number_of(event) for event in self._events]


def message(number: int = 0) -> Observation:
    return Observation(
        EventType.MESSAGE_SENT, "ada", CLOCK.now_ms(), metadata={"message_length": number}
    )


def number_of(event: AnalyticsEvent) -> int:
    number = event.metadata["message_length"]
    assert isinstance(number, int)
    return number


def recorder_of(
    store: Store,
    folder: Path | None,
    *,
    max_bytes: int = 1 << 28,
    write_interval: float = LATER,
    writer: Writer | None = None,
    **options: Any,
) -> Recorder:
    return Recorder(
        store,
        Admission(CLOCK, writer or Writer()),
        clock=CLOCK,
        guard=Guard(strict=True),
        spool=SpoolSettings(
            store=store.url, folder=folder, max_bytes=max_bytes, write_interval=write_interval
        ),
        **options,
    )


@contextmanager
def spooling(store: Store, folder: Path | None, **options: Any) -> Iterator[Recorder]:
    """A recorder that is left behind where the store is away, and closed else."""
    others = set(threading.enumerate())
    recorder = recorder_of(store, folder, **options)
    try:
        yield recorder
    finally:
        left_behind = recorder.health().last_error is not None or not can_go_on(store)
        recorder.close(0 if left_behind else 30)
        for thread in set(threading.enumerate()) - others:
            if thread.name.startswith("copilot-analytics"):
                thread.join(60)


def can_go_on(store: Store) -> bool:
    return not isinstance(store, RemoteStore) or (store.let_go.is_set() and not store.away)


def assert_accounted(health: RecorderHealth) -> None:
    settled = health.stored + health.pending + health.spooled + sum(health.dropped.values())
    assert health.accepted + health.recovered == settled, health


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds that no event tells of; a minute at most."""
    waiting = threading.Event()
    for _ in range(60_000):
        if condition():
            return
        waiting.wait(0.001)
    raise AssertionError("it never came true")


def files_in(folder: Path) -> Counter[str]:
    """How many files of each kind lie in a spool."""
    return Counter(path.suffix or path.name for path in folder.rglob("*") if path.is_file())


def say(what: object) -> None:
    sys.stdout.write(f"{what}\n")
    sys.stdout.flush()


def main(command: str, database: str, folder: str, *arguments: str) -> None:
    with SQLiteStore(Path(database)) as store:
        if command == "record":
            batch, count = map(int, arguments)
            recorder = recorder_of(store, Path(folder), batch_size=batch, write_interval=0.02)
            pace = threading.Event()
            for number in range(count):
                recorder.record(message(number))
                say(number)
                pace.wait(0.0002)
        else:
            recorder = recorder_of(store, Path(folder))
            recorder.record(message())
            wait_for(lambda: recorder.health().spooled == 1)
            say("spooled")
            sys.stdin.readline()
        recorder.close(30)


if __name__ == "__main__":
    main(*sys.argv[1:])
