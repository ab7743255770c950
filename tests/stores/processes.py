"""Processes that write to a store, and what becomes of them; run as a script by the tests.

die PATH PER_TICK       write, killed at the first tick, then in another file at the second …
share PATH WRITER SEED  write one writer's events, every batch twice
fork PATH CHILDREN      write in a thread, fork children that write, close, write on
refuse PATH             open it as nobody and say why not
"""

from __future__ import annotations

import os
import sqlite3
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from copilot_analytics.errors import StoreError
from copilot_analytics.store_samples import NOW_MS, batches_of, sample_events
from copilot_analytics.stores import SQLiteStore
from copilot_analytics.testing import FakeClock

DYING_EVENTS = 8


def store_of(path: str | Path) -> SQLiteStore:
    return SQLiteStore(Path(path), clock=FakeClock(NOW_MS), busy_timeout=60)


def child(work: Callable[[], None]) -> int:
    """Run something in a forked child that never returns here, and return its process id."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            sys.stderr.flush()
            os._exit(code)
    return pid


def exit_code(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def die(folder: str, per_tick: str) -> None:
    """Tick at each statement, or at each so many instructions of SQLite's machine."""
    instructions = int(per_tick)
    ticks = 0

    def write_until_killed() -> None:
        left = ticks
        connect = sqlite3.connect

        def tick(*_: object) -> None:
            nonlocal left
            left -= 1
            if left == 0:
                os._exit(9)

        def connect_mortal(*args: Any, **options: Any) -> sqlite3.Connection:
            connection: sqlite3.Connection = connect(*args, **options)
            if instructions:
                connection.set_progress_handler(tick, instructions)
            else:
                connection.set_trace_callback(tick)
            return connection

        sqlite3.connect = connect_mortal  # type: ignore[assignment]
        with store_of(f"{folder}/{ticks:03}.db") as store:
            for batch in batches_of(sample_events(DYING_EVENTS), DYING_EVENTS // 2):
                store.write(batch)

    code = 9
    while code == 9:
        ticks += 1
        code = exit_code(child(write_until_killed))
    assert code == 0
    sys.stdout.write(str(ticks))


def share(path: str, writer: str, seed: str) -> None:
    with store_of(path) as store:
        for batch in batches_of(sample_events(200, seed=int(seed), writer=writer), 9):
            store.write(batch)
            store.write(batch)


def fork(path: str, children: str) -> None:
    """The parent closes and opens all the while: its last close must not be the children's."""
    store = store_of(path)

    def write(writer: str, seed: int) -> None:
        for batch in batches_of(sample_events(100, seed=seed, writer=writer), 5):
            store.write(batch)
            if batch.first % 3 == 0:
                store.close()
            store.statistics()

    thread = threading.Thread(target=write, args=("parent", 0))
    thread.start()
    pids = [
        child(lambda number=number: write(f"child-{number}", number))  # type: ignore[misc]
        for number in range(1, int(children) + 1)
    ]
    thread.join()
    store.close()
    assert [exit_code(pid) for pid in pids] == [0] * len(pids)


def refuse(path: str) -> None:
    nobody = 65_534
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(nobody)
        os.setuid(nobody)
    try:
        store_of(path).open()
    except StoreError as exc:
        sys.stdout.write(f"{type(exc).__name__} {exc}")


if __name__ == "__main__":
    commands: dict[str, Callable[..., None]] = {
        "die": die,
        "share": share,
        "fork": fork,
        "refuse": refuse,
    }
    commands[sys.argv[1]](*sys.argv[2:])
