from __future__ import annotations

import os
import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copilot_analytics.ids import (
    MAX_TIMESTAMP,
    EventIds,
    derived_id,
    new_id,
    short_id,
    timestamp_of,
)

CROCKFORD = set("0123456789ABCDEFGHJKMNPQRSTVWXYZ")
TIMESTAMPS = st.integers(0, MAX_TIMESTAMP)


@given(TIMESTAMPS)
def test_ids_have_26_crockford_characters_and_hold_their_time(timestamp: int) -> None:
    for identifier in (EventIds().next(timestamp), new_id(timestamp)):
        assert len(identifier) == 26
        assert set(identifier) <= CROCKFORD
        assert timestamp_of(identifier) == timestamp


@given(st.lists(st.integers(1_750_000_000_000, 1_750_000_003_000), max_size=200))
def test_event_ids_sort_by_time_then_by_making(timestamps: list[int]) -> None:
    """Also where times go back and forth between connections."""
    ids = EventIds()
    made = [(timestamp, number, ids.next(timestamp)) for number, timestamp in enumerate(timestamps)]
    assert [identifier for *_, identifier in sorted(made)] == sorted(
        identifier for *_, identifier in made
    )


@given(st.integers(0, (1 << 30) - 1), st.integers(1, 3_000))
def test_event_ids_of_one_millisecond_rise_from_any_counter(first: int, number: int) -> None:
    ids = EventIds(first=min(first, (1 << 30) - number))
    made = [ids.next(1_750_000_000_000) for _ in range(number)]
    assert made == sorted(set(made))


def test_event_ids_stay_unique_and_shaped_when_the_counter_wraps() -> None:
    ids = EventIds(first=(1 << 30) - 3)
    made = [ids.next(1_750_000_000_000) for _ in range(6)]
    assert len(set(made)) == 6
    assert all(len(identifier) == 26 for identifier in made)
    assert made[:3] == sorted(made[:3])
    assert made[3:] == sorted(made[3:])
    assert made[3] < made[0], "only ids on either side of the wrap are out of order"
    assert timestamp_of(made[3]) == 1_750_000_000_000


def test_event_ids_of_processes_that_started_alike_are_unique() -> None:
    factories = [EventIds() for _ in range(50)]
    made = [ids.next(1_750_000_000_000) for ids in factories for _ in range(20)]
    assert len(set(made)) == len(made)


def test_event_ids_do_not_depend_on_the_seed_of_random() -> None:
    """An application that seeds `random` in each of its workers must not make equal ids."""
    made = set()
    for _ in range(2):
        random.seed(7)
        made.add(EventIds().next(1_750_000_000_000))
    assert len(made) == 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_event_ids_of_a_forked_child_differ_from_its_parents() -> None:
    ids = EventIds()
    ids.next(1_750_000_000_000)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:  # pragma: no cover (in the child)
        os.write(writer, ids.next(1_750_000_000_000).encode())
        os._exit(0)
    os.waitpid(child, 0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        assert pipe.read() != ids.next(1_750_000_000_000)


@pytest.mark.parametrize("timestamp", [-1, MAX_TIMESTAMP + 1])
def test_ids_refuse_times_they_cannot_hold(timestamp: int) -> None:
    with pytest.raises(ValueError, match="an id holds times of"):
        EventIds().next(timestamp)
    with pytest.raises(ValueError, match="an id holds times of"):
        new_id(timestamp)


def test_short_ids_have_12_crockford_characters_and_are_unique() -> None:
    made = {short_id() for _ in range(1000)}

    assert len(made) == 1000
    assert all(re.fullmatch("[0-9A-HJKMNP-TV-Z]{12}", identifier) for identifier in made)


def test_new_ids_are_unique() -> None:
    assert len({new_id() for _ in range(1_000)}) == 1_000


@pytest.mark.parametrize(
    "identifier", ["", "0" * 25, "0" * 27, "0" * 25 + "U", "0" * 25 + "a", "Z" * 26]
)
def test_timestamp_of_refuses_what_is_no_id(identifier: str) -> None:
    with pytest.raises(ValueError, match="an id"):
        timestamp_of(identifier)


def test_derived_ids_follow_from_time_and_content() -> None:
    """The same for the same, in the form of all ids; in order of time."""
    one = derived_id(1_000, b"a")
    assert one == derived_id(1_000, b"a")
    assert len({one, derived_id(1_000, b"b"), derived_id(1_001, b"a")}) == 3
    assert one < derived_id(1_001, b"a")
    assert timestamp_of(one) == 1_000
    with pytest.raises(ValueError, match="ms"):
        derived_id(-1, b"")
