"""What analytics measures about itself, read back after real work."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from copilot_analytics import Analytics, AnalyticsConfig
from copilot_analytics.batch import Batch
from copilot_analytics.errors import QuestionError, StoreUnavailableError
from copilot_analytics.events import EventType
from copilot_analytics.exporting import ExportRequest
from copilot_analytics.histogram import value_of
from copilot_analytics.metrics import METRICS, MetricKind, MetricName, Reading, Series
from copilot_analytics.queries import ExportFormat
from copilot_analytics.rollups import Rollup
from copilot_analytics.stores import MemoryStore

QUIET = AnalyticsConfig(flush_interval=3600.0)


@pytest.fixture
def analytics() -> Iterator[Analytics]:
    analytics = Analytics("memory://", config=QUIET)
    yield analytics
    analytics.close()


def track(analytics: Analytics, executions: int, errors: int = 0) -> None:
    for _ in range(executions):
        analytics.service.track_command_execution("ada", "add", True, 12.0)
    for _ in range(errors):
        analytics.service.track_error("ada", "Timeout", "it took too long")


def counters(reading: Reading) -> dict[MetricName, int]:
    """The wholes."""
    return {name: count for (name, label), count in reading.counters.items() if label is None}


def test_events_errors_and_what_was_lost_are_counted(analytics: Analytics) -> None:
    track(analytics, 5, errors=2)
    analytics.service.track_event(EventType.MESSAGE_SENT, "ada", timestamp=1)
    assert analytics.metrics.read().gauges[MetricName.EVENTS_PENDING, None] == 8
    assert analytics.recorder.flush_blocking(30)

    reading = analytics.metrics.read()

    assert counters(reading) == {
        MetricName.EVENTS_TRACKED: 8,
        MetricName.ERRORS: 2,
        MetricName.EVENTS_DROPPED: 1,
    }
    assert reading.counters[MetricName.EVENTS_DROPPED, "too_old"] == 1
    assert reading.gauges == {
        (MetricName.EVENTS_PENDING, None): 0,
        (MetricName.EVENTS_SPOOLED, None): 0,
    }


def test_what_was_never_accepted_is_lost_as_well(analytics: Analytics) -> None:
    track(analytics, 1)
    analytics.close()
    track(analytics, 3)

    reading = analytics.metrics.read()

    assert counters(reading)[MetricName.EVENTS_TRACKED] == 1
    assert reading.counters[MetricName.EVENTS_DROPPED, "closed"] == 3


def test_where_analytics_is_off_nothing_is_lost() -> None:
    analytics = Analytics("memory://", config=AnalyticsConfig(enabled=False))
    track(analytics, 2)
    analytics.close()

    assert set(analytics.metrics.read().counters.values()) == {0}


def test_every_attempt_to_write_is_timed_also_one_that_fails() -> None:
    class Failing(MemoryStore):
        failures = 1

        def write(self, batch: Batch) -> None:
            if self.failures:
                self.failures -= 1
                raise StoreUnavailableError(self.url, "it is away", "wait")
            super().write(batch)

    analytics = Analytics(Failing(), config=QUIET)
    track(analytics, 1)
    assert analytics.recorder.flush_blocking(30)
    analytics.close()

    assert analytics.metrics.read().durations[MetricName.FLUSH_LATENCY, None].count == 2


def test_questions_are_timed_by_their_names_and_together(analytics: Analytics) -> None:
    async def ask() -> None:
        days = analytics.service.range()
        await analytics.service.dashboard(days)
        await analytics.service.dashboard(days)
        await analytics.service.export(ExportRequest(days, ExportFormat.JSON))
        # Not what a user asks.
        await analytics.service.generations(days)
        await analytics.service.recorder_health()
        with pytest.raises(QuestionError):
            await analytics.service.dashboard(days, top=0)

    asyncio.run(ask())

    durations = analytics.metrics.read().durations
    queries = {
        label: each.count
        for (name, label), each in durations.items()
        if name is MetricName.QUERY_LATENCY
    }
    assert queries == {None: 3, "dashboard": 2, "export": 1}
    parts = durations[MetricName.QUERY_LATENCY, "dashboard"]
    parts += durations[MetricName.QUERY_LATENCY, "export"]
    assert durations[MetricName.QUERY_LATENCY, None] == parts


def test_a_question_that_the_store_does_not_answer_is_timed() -> None:
    class Away(MemoryStore):
        def totals(self, *args: object, **kwargs: object) -> dict[str, Rollup]:
            raise StoreUnavailableError(self.url, "it is away", "wait")

    analytics = Analytics(Away(), config=QUIET)
    with pytest.raises(StoreUnavailableError):
        asyncio.run(analytics.service.dashboard(analytics.service.range()))
    analytics.close()

    assert analytics.metrics.read().durations[MetricName.QUERY_LATENCY, None].count == 1


def test_a_question_s_time_includes_the_wait_for_a_thread() -> None:
    """Four threads answer; the fifth question's own answer takes no time."""
    release = threading.Event()

    class Slow(MemoryStore):
        def totals(self, *args: Any, **kwargs: Any) -> dict[str, Rollup]:
            release.wait(30)
            return super().totals(*args, **kwargs)

    analytics = Analytics(Slow(), config=QUIET)

    async def ask() -> None:
        days = analytics.service.range()
        asked = [asyncio.ensure_future(analytics.service.dashboard(days)) for _ in range(5)]
        await asyncio.sleep(0)  # all are asked now
        await asyncio.sleep(0.02)  # what the store takes; the fifth one waits as long
        release.set()
        await asyncio.gather(*asked)

    asyncio.run(ask())
    analytics.close()

    durations = analytics.metrics.read().durations[MetricName.QUERY_LATENCY, "dashboard"]
    assert durations.count == 5
    assert min(map(value_of, durations.buckets)) >= 19


def test_readers_read_independently_and_lose_nothing(analytics: Analytics) -> None:
    first = second = Reading()
    seen = [0, 0]
    for round_ in range(4):
        track(analytics, 3, errors=1)
        assert analytics.recorder.flush_blocking(30)
        reading = analytics.metrics.read()
        seen[0] += counters(reading.since(first))[MetricName.ERRORS]
        first = reading
        if round_ % 2:
            delta = reading.since(second)
            seen[1] += counters(delta)[MetricName.ERRORS]
            assert delta.durations[MetricName.FLUSH_LATENCY, None].count == 2
            assert sum(delta.durations[MetricName.FLUSH_LATENCY, None].buckets.values()) == 2
            second = reading

    assert seen == [4, 4]
    assert counters(first) == counters(second) == {**counters(first), MetricName.ERRORS: 4}


def test_listeners_hear_each_duration_until_they_end(analytics: Analytics) -> None:
    heard: list[Series] = []
    threads: set[str] = set()

    def listener(series: Series, ms: float) -> None:
        assert ms >= 0
        threads.add(threading.current_thread().name)
        heard.append(series)
        raise ValueError("a listener's own failure")

    end = analytics.metrics.listen(listener)
    track(analytics, 1)
    assert analytics.recorder.flush_blocking(30)
    asyncio.run(analytics.service.dashboard(analytics.service.today()))
    end()
    asyncio.run(analytics.service.dashboard(analytics.service.today()))

    assert heard == [(MetricName.FLUSH_LATENCY, None), (MetricName.QUERY_LATENCY, "dashboard")]
    assert threading.main_thread().name not in threads
    assert analytics.guard.errors == {"metrics.listener": 2}


def test_bytes_are_told_where_the_store_counts_them() -> None:
    class Counting(MemoryStore):
        bytes_written = 0

        def write(self, batch: Batch) -> None:
            super().write(batch)
            self.bytes_written = (self.bytes_written or 0) + 100 * len(batch.events)

    analytics = Analytics(Counting(), config=QUIET)
    track(analytics, 3)
    analytics.close()

    assert counters(analytics.metrics.read())[MetricName.BYTES_WRITTEN] == 300


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("dynamodb://analytics?region=eu-central-1&shards=4", "analytics"),
        ("sqlite:////var/lib/analytics.db", "sqlite:////var/lib/analytics.db"),
    ],
)
def test_the_dimension_is_the_table_or_the_url_without_options(url: str, name: str) -> None:
    class Named(MemoryStore):
        @property
        def url(self) -> str:
            return url

    analytics = Analytics(Named())
    analytics.close()

    assert analytics.metrics.store == name


def test_every_metric_is_described() -> None:
    assert set(METRICS) == set(MetricName)
    units = {MetricKind.DURATION: {"Milliseconds"}, MetricKind.GAUGE: {"Count"}}
    for name, metric in METRICS.items():
        assert metric.name is name
        assert metric.unit in units.get(metric.kind, {"Count", "Bytes"})
        assert metric.meaning.endswith(".")


class Sink:
    def __init__(self, analytics: Analytics) -> None:
        self.analytics = analytics
        self.seen: list[int] = []

    def close(self, timeout: float) -> None:
        assert 0 <= timeout <= 5
        assert not self.analytics.recorder.health().running
        self.seen.append(self.analytics.recorder.health().stored)

    def renew_in_child(self) -> None:
        pass


@pytest.mark.parametrize("how", ["close", "aclose"])
def test_sinks_are_closed_once_after_the_recorder(analytics: Analytics, how: str) -> None:
    sink, other = Sink(analytics), Sink(analytics)
    analytics.metrics.attach(sink)
    analytics.metrics.attach(sink)
    analytics.metrics.attach(other)
    analytics.metrics.detach(other)
    track(analytics, 4)

    if how == "close":
        analytics.close()
    else:
        asyncio.run(analytics.aclose())

    assert (sink.seen, other.seen) == ([4], [])
    assert analytics.metrics.sinks == ()


def test_a_sink_that_hangs_delays_nobody_beyond_the_time_out(analytics: Analytics) -> None:
    release = threading.Event()

    class Hanging(Sink):
        def close(self, timeout: float) -> None:
            release.wait(30)

    analytics.metrics.attach(Hanging(analytics))

    async def close() -> None:
        try:
            async with asyncio.timeout(20):
                await analytics.aclose(0.05)
        finally:
            release.set()

    asyncio.run(close())


PROGRAM = """
import os, sys
from copilot_analytics import Analytics, AnalyticsConfig
from copilot_analytics.metrics import MetricName
analytics = Analytics("memory://", config=AnalyticsConfig(flush_interval=3600.0))

class Sink:
    def close(self, timeout):
        reading = analytics.metrics.read()
        print(os.getpid() == parent, reading.counters[MetricName.ERRORS, None])
    def renew_in_child(self):
        print("renewed", flush=True)

parent = os.getpid()
analytics.metrics.attach(Sink())
analytics.service.track_error("ada", "Timeout")
"""


def run(program: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", PROGRAM + program],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def test_the_exit_closes_sinks_after_the_recorders_were_drained() -> None:
    assert run("") == ["True 1"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_measures_from_zero() -> None:
    assert run(
        """
assert analytics.recorder.flush_blocking(30)
pid = os.fork()
if pid:
    os.waitpid(pid, 0)
"""
    ) == ["renewed", "False 0", "True 1"]


def test_the_document_lists_every_metric_as_the_code_does() -> None:
    document = Path(__file__).parent.parent / "docs" / "metrics.md"

    rows = [
        f"| `{name}` | {metric.unit} | {f'`{metric.dimension}`' if metric.dimension else 'none'} "
        f"| {metric.kind} | {metric.meaning} |"
        for name, metric in METRICS.items()
    ]

    assert [row for row in document.read_text().splitlines() if row.startswith("| `Analytics")] == (
        rows
    )
