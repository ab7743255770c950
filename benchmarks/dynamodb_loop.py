"""How late the event loop's timers come while a copilot's events go to DynamoDB.

A timer of 1 ms, and how late it fires: with nothing recorded, at 50 and at 500 events/s, in turn,
with the settings of a copilot, so through the spool and in a write every 5 s. The engine, dynoxide,
has a process of its own; where there are few cores its share of the time shows as well.

    python benchmarks/dynamodb_loop.py [rounds=9] [seconds=10]
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path

from _engine import engine
from _observations import observations
from _report import Result

from copilot_analytics import Analytics, AnalyticsConfig
from copilot_analytics.stores._dynamodb_client import DynamoDBClient
from copilot_analytics.stores._dynamodb_provisioning import create

TABLE = "benchmark-loop"
USERS = 50
TICK = 0.02
TIMER = 0.001
RATES = (0, 50, 500)
BOUND_MS = 3.0
"""How much later than with nothing recorded the 99th percentile may be at 50 events/s."""


async def _record(analytics: Analytics, rate: int, end: float) -> None:
    now = analytics.clock.now_ms()
    seen = observations(1_000_000, users=USERS, start_ms=now, end_ms=now + 60_000)
    while time.monotonic() < end:
        for observation in islice(seen, int(rate * TICK)):
            analytics.recorder.record(observation)
        await asyncio.sleep(TICK)


async def _lags(analytics: Analytics, rate: int, seconds: float) -> list[float]:
    """Return how late each firing of the timer was, in milliseconds."""
    end = time.monotonic() + seconds
    recording = asyncio.create_task(_record(analytics, rate, end))
    lags = []
    while (due := time.monotonic() + TIMER) < end:
        await asyncio.sleep(TIMER)
        lags.append((time.monotonic() - due) * 1000)
    await recording
    return lags


async def _run(url: str, rate: int, seconds: float, folder: Path) -> list[float]:
    """Return the lags of one run, and have everything stored before the next."""
    config = AnalyticsConfig(spool_dir=str(folder))
    async with Analytics(url, config=config) as analytics:
        lags = await _lags(analytics, rate, seconds)
        assert await analytics.flush(60)
        assert not analytics.recorder.health().dropped
    return lags


def _p99(lags: list[float]) -> float:
    return statistics.quantiles(lags, n=100)[-1]


def _measure(url: str, rounds: int, seconds: float) -> dict[int, list[float]]:
    found: dict[int, list[float]] = {rate: [] for rate in RATES}
    for _ in range(rounds):
        for rate, percentiles in found.items():
            with tempfile.TemporaryDirectory() as folder:
                percentiles.append(_p99(asyncio.run(_run(url, rate, seconds, Path(folder)))))
    return found


def main(rounds: str = "9", seconds: str = "10") -> int:
    """Print the percentiles."""
    result = Result()
    with engine() as endpoint:
        client = DynamoDBClient(TABLE, endpoint_url=endpoint)
        create(client)
        client.close()
        stored = _measure(f"dynamodb://{TABLE}?endpoint={endpoint}", int(rounds), float(seconds))
    idle = statistics.median(stored[0])
    result.line("p99 of a 1 ms timer's lag, nothing recorded (median)", idle, "ms")
    for rate in RATES[1:]:
        late = statistics.median(stored[rate]) - idle
        bound = BOUND_MS if rate == RATES[1] else None
        result.line(f"at {rate} events/s, later by", late, "ms", bound)
        low, high = min(stored[rate]), max(stored[rate])
        print(f"{'':<58} p99 {low:.3f} to {high:.3f} ms in interleaved runs")
    return result.missed


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
