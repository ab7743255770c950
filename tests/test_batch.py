from __future__ import annotations

import pytest

from copilot_analytics.aggregation import aggregate
from copilot_analytics.batch import Batch
from copilot_analytics.rollups import Rollup, RollupKey, RollupKind
from copilot_analytics.store_samples import sample_events
from copilot_analytics.supplements import RollupSupplement


def test_batch_knows_its_ends_and_counts_once() -> None:
    batch = Batch("writer", sample_events(9)[2:7])
    assert (batch.first, batch.last) == (3, 7)
    assert batch.deltas == aggregate(batch.events)
    assert batch.deltas is batch.deltas


def test_after_leaves_what_comes_after() -> None:
    batch = Batch("writer", sample_events(9)[2:7])
    assert batch.after(0) is batch
    assert batch.after(2) is batch
    rest = batch.after(4)
    assert rest is not None
    assert (rest.writer, rest.events) == ("writer", batch.events[2:])
    assert rest.deltas == aggregate(batch.events[2:])
    assert batch.after(7) is None
    assert batch.after(99) is None


def test_after_a_gap_leaves_what_is_new() -> None:
    events = sample_events(9)
    rest = Batch("writer", [events[0], events[5]]).after(3)
    assert rest is not None
    assert rest.events == [events[5]]


def test_batch_pauses_while_it_counts() -> None:
    pauses: list[int] = []
    batch = Batch("writer", sample_events(9), pause=lambda: pauses.append(1))
    assert batch.deltas == aggregate(batch.events)
    assert len(pauses) > 1


def test_halves_are_the_whole() -> None:
    events = sample_events(5)

    first, second = Batch("writer", events).halves()

    assert [*first.events, *second.events] == events
    assert (first.writer, first.last, second.first) == ("writer", 2, 3)


def _supplements(*sequences: int) -> list[RollupSupplement]:
    key = RollupKey(RollupKind.COMMAND, "search", "2025-11-22")
    rollup = Rollup({"executions": 1}, 5, 5)
    return [RollupSupplement(sequence=n, key=key, rollup=rollup) for n in sequences]


def test_supplements_are_cut_like_events() -> None:
    """By their numbers, wherever these lie between those of the events."""
    events = sample_events(9)[2:7]
    batch = Batch("writer", events, supplements=_supplements(2, 10, 11))

    assert (batch.first, batch.last) == (2, 11)
    rest = batch.after(6)
    assert rest is not None
    assert (rest.first, rest.last) == (7, 11)
    assert [one.sequence for one in rest.supplements] == [10, 11]
    first, second = batch.halves()
    assert (first.first, first.last, second.first, second.last) == (2, 5, 6, 11)
    first.deltas.add(second.deltas)
    assert first.deltas == batch.deltas


def test_supplements_alone_are_a_batch() -> None:
    batch = Batch("writer", [], supplements=_supplements(4, 5))

    assert (batch.first, batch.last) == (4, 5)
    (total,) = batch.deltas.rollups.values()
    assert total == Rollup({"executions": 2}, 5, 5)
    assert batch.deltas.unbacked == set(batch.deltas.rollups)
    assert batch.after(5) is None


def test_a_batch_of_one_has_no_halves() -> None:
    with pytest.raises(ValueError, match="no halves"):
        Batch("writer", sample_events(1)).halves()
