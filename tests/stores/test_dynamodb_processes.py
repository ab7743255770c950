"""Processes that record for one table on bad days, with the spool in between, and their deaths."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import pytest

from copilot_analytics.periods import DateRange, day_of
from copilot_analytics.store_samples import assert_holds
from copilot_analytics.stores._dynamodb_client import DynamoDBClient
from copilot_analytics.stores._dynamodb_provisioning import create
from copilot_analytics.stores.dynamodb import DynamoDBStore

from .dynamodb_engines import Engine
from .faulty_proxy import Answer, Drop, Fault, FaultyProxy, Lose, Part, Rates, Seen
from .spooling_process import kept_events

SCRIPT = Path(__file__).with_name("spooling_process.py")

BAD_DAY = Rates(
    {
        Drop(): 0.2,
        Lose(): 0.02,
        Part(): 0.1,
        Answer.throttling(): 0.05,
        Answer.conflict(): 0.02,
        Answer.failure(): 0.02,
    },
    seed=3,
)

KILLS: Sequence[tuple[int, ...]] = ((0,), (1,), (0, 1), (1,), (0,), (0, 1))
"""Who dies, one time after the other; where both do, each may become the other writer."""

EVENTS = 5_000
"""Of each."""


class Deadly(FaultyProxy):
    """Kills processes while a request of one of them is on its way."""

    def __init__(self, upstream: str) -> None:
        super().__init__(upstream)
        self.killed = threading.Event()
        self._left = 0
        self._victims: list[subprocess.Popen[str]] = []

    def kill(self, victims: list[subprocess.Popen[str]], *, after: int) -> None:
        """Kill some processes at once, after so many requests of anybody."""
        self.killed.clear()
        self._victims = victims
        self._left = after

    def fault_of(self, seen: Seen) -> Fault:
        fault = super().fault_of(seen)
        self._left -= 1
        if self._left == 0:
            for victim in self._victims:
                victim.kill()
            self.killed.set()
        return fault


class Processes:
    """Starts one after the other in each place, with batches of other sizes; ends what is left."""

    def __init__(self, proxy: FaultyProxy, table: str, folder: Path) -> None:
        self._log = folder / "log"
        self._url = f"dynamodb://{table}?endpoint={proxy.url}"
        self._folder = folder
        self._random = random.Random(11)
        self._started: list[subprocess.Popen[str]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._started:
            process.kill()
            process.communicate()

    def kept(self, place: int) -> Path:
        """Return where the processes in a place keep what they spooled."""
        return self._folder / f"kept-{place}"

    def start(self, place: int, *, target: int) -> subprocess.Popen[str]:
        """Start one, which records until those in its place have spooled so many events."""
        number = self._random.random()
        batch = self._random.choice([200, 333, 500, 1_000])
        arguments = (self._url, self._folder / "spool", self.kept(place), target, batch, number)
        with self._log.open("a") as log:
            process = subprocess.Popen(
                [sys.executable, str(SCRIPT), *map(str, arguments)],
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self._started.append(process)
        return process

    def give_up_count(self) -> int:
        """How often a write was given up for a while."""
        return self._log.read_text().count("events wait in the spool meanwhile")


def recording(process: subprocess.Popen[str]) -> None:
    """Wait until it has begun."""
    assert process.stdout
    assert process.stdout.readline() == "recording\n"


def finish(process: subprocess.Popen[str]) -> None:
    """Have it store everything, and end."""
    output, _ = process.communicate("close\n", timeout=300)
    assert output == "0 0 0 {} {}\n"


def new_table(engine: Engine) -> str:
    client = DynamoDBClient(engine.new_table_name(), endpoint_url=engine.endpoint_url)
    create(client)
    client.close()
    return client.table


def assert_counted_once(engine: Engine, table: str, kept: Sequence[Path], count: int) -> None:
    events = [event for folder in kept for event in kept_events(folder)]
    assert len({event.event_id for event in events}) == len(events) == count
    times = [event.timestamp for event in events]
    days = DateRange.of(day_of(min(times)), day_of(max(times)), now_ms=max(times))
    with DynamoDBStore(table, endpoint_url=engine.endpoint_url) as store:
        assert_holds(store, events, days)


def test_whatever_was_spooled_is_counted_once(engine: Engine, tmp_path: Path) -> None:
    """Two processes, each killed four times, which go on with other batches."""
    if not engine.atomic_add:
        pytest.skip(f"{engine.name} loses concurrent updates")
    table = new_table(engine)
    rng = random.Random(23)
    with (
        Deadly(engine.endpoint_url) as proxy,
        Processes(proxy, table, tmp_path) as processes,
    ):
        proxy.rates = BAD_DAY
        lives = [0, 0]
        deaths = [sum(place in victims for victims in KILLS) for place in (0, 1)]
        assert min(deaths) >= 4

        def born(place: int) -> subprocess.Popen[str]:
            lives[place] += 1
            target = EVENTS * lives[place] // (deaths[place] + 1)
            return processes.start(place, target=target)

        running = [born(0), born(1)]
        for process in running:
            recording(process)
        for victims in KILLS:
            proxy.kill([running[place] for place in victims], after=rng.randrange(50, 300))
            assert proxy.killed.wait(120)
            for place in victims:
                running[place].communicate()
                running[place] = born(place)
            for place in victims:
                recording(running[place])
        for process in running:
            finish(process)
        assert processes.give_up_count() > 0
        assert proxy.met.keys() == {"Pass", "Drop", "Lose", "Part", "Answer"}
    assert_counted_once(engine, table, [processes.kept(0), processes.kept(1)], 2 * EVENTS)


def test_bad_days_count_everything_once(engine: Engine, tmp_path: Path) -> None:
    """For one process, so that engines which lose concurrent updates show it, too."""
    table = new_table(engine)
    with (
        FaultyProxy(engine.endpoint_url) as proxy,
        Processes(proxy, table, tmp_path) as processes,
    ):
        proxy.rates = BAD_DAY
        process = processes.start(0, target=400)
        recording(process)
        finish(process)
        assert proxy.met["Drop"] > 0
    assert_counted_once(engine, table, [processes.kept(0)], 400)
