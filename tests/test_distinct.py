from __future__ import annotations

import math
import random
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copilot_analytics.distinct import (
    EXACT_BELOW,
    REGISTERS,
    Distinct,
    estimate,
    register_and_rank,
    user_hash,
)
from copilot_analytics.queries import DistinctUsers

hashes = st.sets(st.integers(0, 2**48 - 1), max_size=40)
# Large enough that every other one is beyond the exact set.
sizes = st.integers(0, 900)


def _users(count: int, seed: int = 0) -> list[int]:
    rng = random.Random(seed)
    return [rng.getrandbits(48) for _ in range(count)]


def test_user_hash_is_that_of_the_stored_format() -> None:
    """Stored sets are merged with new ones for years: a hash may never change."""
    assert user_hash("user-1") == 125319889078300
    assert user_hash("") < 2**48
    assert user_hash("\ud800") != user_hash("\ud801")


def test_register_and_rank_split_the_hash() -> None:
    assert register_and_rank(0) == (0, 38)
    assert register_and_rank(2**48 - 1) == (REGISTERS - 1, 1)
    assert register_and_rank(5 << 37 | 1) == (5, 37)
    assert register_and_rank(5 << 37 | 1 << 36) == (5, 1)


def test_distinct_counts_exactly_below_the_bound() -> None:
    users = _users(EXACT_BELOW - 1)
    distinct = Distinct.of(users + users)
    assert distinct.count() == DistinctUsers(EXACT_BELOW - 1, exact=True)
    assert distinct.members == frozenset(users)


def test_distinct_estimates_from_the_bound_on() -> None:
    distinct = Distinct.of(_users(EXACT_BELOW))
    users = distinct.count()
    assert not users.exact
    assert users.count == pytest.approx(EXACT_BELOW, rel=0.07)
    assert distinct.members is None


def test_distinct_is_empty_at_first() -> None:
    assert Distinct().count() == DistinctUsers(0, exact=True)
    assert Distinct.merge([]) == Distinct()
    assert estimate(Distinct().registers) == 0.0


@given(hashes, hashes)
def test_distinct_adds_as_sets_do(one: set[int], other: set[int]) -> None:
    distinct = Distinct.of(one)
    distinct.add(other)
    assert distinct == Distinct.of(one | other)
    assert distinct.count().count == len(one | other)


@given(st.lists(sizes, max_size=5), st.integers(0, 9))
def test_merge_is_the_union_in_any_order(parts: list[int], seed: int) -> None:
    """However users are spread over days, and some days beyond the exact set."""
    rng = random.Random(seed)
    population = _users(1_000)
    days = [rng.sample(population, size) for size in parts]
    merged = Distinct.merge(map(Distinct.of, days))
    everyone = {user for day in days for user in day}
    exact = all(len(day) < EXACT_BELOW for day in days)
    assert merged.members == (frozenset(everyone) if exact else None)
    assert merged == Distinct.merge_bytes([Distinct.of(day).to_bytes() for day in days])
    rng.shuffle(days)
    assert merged == Distinct.merge(map(Distinct.of, days))
    assert merged.registers == Distinct.of(everyone).registers


def test_merge_is_exact_only_if_every_part_is() -> None:
    few, many = Distinct.of(_users(3)), Distinct.of(_users(EXACT_BELOW, seed=1))
    assert Distinct.merge([few, few]).count() == DistinctUsers(3, exact=True)
    assert not Distinct.merge([few, many]).count().exact
    assert not Distinct.merge([many, many]).count().exact
    assert Distinct.merge([many, many]) == many
    halves = [Distinct.of(_users(300, seed)) for seed in (1, 2)]
    assert Distinct.merge(halves).count() == DistinctUsers(600, exact=True)


def test_union_of_many_is_stored_as_a_sketch() -> None:
    union = Distinct.merge([Distinct.of(_users(300, seed)) for seed in (1, 2)])
    stored = Distinct.from_bytes(union.to_bytes())
    assert stored.members is None
    assert stored.registers == union.registers


@pytest.mark.parametrize("count", [2, EXACT_BELOW])
def test_merge_leaves_its_parts_alone(count: int) -> None:
    part = Distinct.of(_users(count))
    Distinct.merge([part]).add(_users(900, seed=2))
    assert part == Distinct.of(_users(count))


@given(sizes)
def test_registers_follow_from_the_hashes_alone(size: int) -> None:
    expected = bytearray(REGISTERS)
    for register, rank in map(register_and_rank, _users(size)):
        expected[register] = max(expected[register], rank)
    assert Distinct.of(_users(size)).registers == bytes(expected)


@given(sizes)
def test_stored_form_round_trips(size: int) -> None:
    distinct = Distinct.of(_users(size))
    data = distinct.to_bytes()
    assert Distinct.from_bytes(data) == distinct
    assert len(data) == 1 + (8 * size if size < EXACT_BELOW else REGISTERS)


@given(sizes, sizes)
def test_add_says_whether_it_changed_anything(first: int, second: int) -> None:
    distinct = Distinct.of(_users(first))
    before = distinct.to_bytes()
    changed = distinct.add(_users(second, seed=2))
    assert changed is (distinct != Distinct.from_bytes(before))
    assert not distinct.add([*_users(first), *_users(second, seed=2)])


def test_stored_form_is_the_same_on_every_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    stored = b"\x01\x0b\x0a" + bytes(6)
    assert Distinct.of([0x0A0B]).to_bytes() == stored
    # A machine with the other byte order turns what `array` reads and writes.
    monkeypatch.setattr(sys, "byteorder", "little" if sys.byteorder == "big" else "big")
    assert Distinct.of([0x0B0A << 48]).to_bytes() == stored
    assert Distinct.from_bytes(stored) == Distinct.of([0x0B0A << 48])


@given(st.lists(st.integers(EXACT_BELOW, 2_000), min_size=1, max_size=3))
def test_merge_takes_the_highest_rank_of_each_register(counts: list[int]) -> None:
    parts = [Distinct.of(_users(size, seed)) for seed, size in enumerate(counts)]
    highest = map(max, zip(*(part.registers for part in parts), strict=True))
    assert Distinct.merge(parts).registers == bytes(highest)


@pytest.mark.parametrize(
    "data",
    [b"", b"\x01\x00", b"\x02", b"\x02" + bytes(2047), b"\x02" + b"\x27" * 2048, b"\x03abc"],
)
def test_stored_form_of_another_version_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="no stored distinct users"):
        Distinct.from_bytes(data)


@pytest.mark.parametrize("size", [600, 1_000, 10_000, 50_000])
def test_estimate_errs_by_two_percent(size: int) -> None:
    """The root mean square over 40 seeds; 2.3 % in theory, with its own sampling error of 0.26."""
    errors = [
        Distinct.of(_users(size, seed)).count().count / size - 1
        for seed in range(40 if size < 50_000 else 12)
    ]
    assert math.sqrt(sum(error * error for error in errors) / len(errors)) < 0.033
    assert abs(sum(errors) / len(errors)) < 0.015


@pytest.mark.parametrize("rank", [37, 38])
def test_estimate_of_damaged_registers_is_still_a_number(rank: int) -> None:
    assert 1e13 < estimate(bytes([rank]) * REGISTERS) < 1e15
    assert 1e3 < estimate(bytes([0, rank]) * (REGISTERS // 2)) < 1e15


def test_distinct_shows_its_count_and_equals_only_its_kind() -> None:
    assert repr(Distinct.of([1, 2])) == "<Distinct 2>"
    assert repr(Distinct.of(_users(600))).startswith("<Distinct about ")
    assert Distinct() != set()


def test_a_sketch_of_registers_keeps_the_highest_ranks() -> None:
    """As a store has them that adds ranks and takes none away."""
    users = _users(3 * EXACT_BELOW)
    pairs = [register_and_rank(user) for user in users]
    assert Distinct.of_registers(pairs) == Distinct.of(users)
    assert not Distinct.of_registers(()).count().exact
