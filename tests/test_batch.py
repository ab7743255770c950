from __future__ import annotations

from copilot_analytics.aggregation import aggregate
from copilot_analytics.batch import Batch
from copilot_analytics.store_samples import sample_events


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
