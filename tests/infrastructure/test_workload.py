from __future__ import annotations

import random
import statistics

import pytest

from copilot_analytics.errors import ConfigurationError
from copilot_analytics.infrastructure.workload import Workload, touched

DAY = 86_400


def test_touched_is_what_random_draws_touch() -> None:
    draw = random.Random(1)
    names, share, events = 20, 0.2, 60

    seen = [
        len({draw.randrange(names) for _ in range(events) if draw.random() < share})
        for _ in range(2_000)
    ]
    assert touched(names, share, events) == pytest.approx(statistics.mean(seen), rel=0.02)


@pytest.mark.parametrize(
    ("names", "share", "events", "expected"),
    [(0, 0.5, 100, 0), (20, 0.0, 100, 0), (20, 1.0, 1, 1), (20, 1.0, 1e9, 20), (1, 0.5, 1, 0.5)],
)
def test_touched_at_its_ends(names: int, share: float, events: float, expected: float) -> None:
    assert touched(names, share, events) == pytest.approx(expected)


def test_busy_writer_collects_for_its_interval() -> None:
    workload = Workload(events_per_day=100 * DAY, write_interval=5)

    assert workload.events_per_write == pytest.approx(500)
    assert workload.writes_per_day == pytest.approx(DAY / 5)


def test_quiet_writer_writes_no_more_often_than_events_come() -> None:
    workload = Workload(events_per_day=100)

    assert (workload.events_per_write, workload.writes_per_day) == (1, 100)


def test_write_holds_no_more_than_a_batch() -> None:
    workload = Workload(events_per_day=10_000 * DAY, batch_size=5_000)

    assert workload.events_per_write == 5_000
    assert workload.writes_per_day == pytest.approx(2 * DAY)


def test_more_writers_write_more_often() -> None:
    one, eight = (Workload(events_per_day=100 * DAY, writers=writers) for writers in (1, 8))

    assert eight.writes_per_day == pytest.approx(8 * one.writes_per_day)


def test_nothing_recorded_writes_nothing() -> None:
    assert Workload(events_per_day=0).writes_per_day == 0


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("events_per_day", -1),
        ("events_per_day", float("nan")),
        ("users", -1),
        ("writers", 0),
        ("write_interval", 0.0),
        ("write_interval", float("inf")),
        ("error_share", 1.5),
    ],
)
def test_workload_that_cannot_be_is_refused(field: str, value: float) -> None:
    given = {"events_per_day": 1.0, field: value}

    with pytest.raises(ConfigurationError, match=f"{field} cannot be"):
        Workload(**given)  # type: ignore[arg-type]
