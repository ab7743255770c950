from __future__ import annotations

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copilot_analytics.histogram import (
    MAX_BUCKET,
    MAX_MS,
    MIN_MS,
    ZERO_BUCKET,
    bucket,
    merged,
    quantile,
    value_of,
)

durations = st.floats(min_value=0.0, max_value=MAX_MS)


@given(st.floats(min_value=0.0011, max_value=MAX_MS))
def test_bucket_is_the_logarithm_rounded_up(ms: float) -> None:
    exact = math.log(ms) / math.log(1.04)
    assert bucket(ms) == pytest.approx(math.ceil(exact), abs=0 if exact % 1 > 1e-9 else 1)


@pytest.mark.parametrize("ms", [0.0, MIN_MS, MIN_MS / 2, 0, -1.0, math.nan])
def test_bucket_of_no_time_is_the_zero_bucket(ms: float) -> None:
    assert bucket(ms) == ZERO_BUCKET


@pytest.mark.parametrize(
    ("ms", "expected"),
    [(0.00101, -175), (0.5, -17), (1.0, 0), (1.0001, 1), (1.04, 1), (10, 59), (1_000.0, 177)],
)
def test_buckets_are_those_of_the_stored_format(ms: float, expected: int) -> None:
    """Stored histograms are read for years: a bucket may never move."""
    assert bucket(ms) == expected


@pytest.mark.parametrize("ms", [MAX_MS, MAX_MS * 10, math.inf])
def test_bucket_of_more_than_a_day_is_the_last(ms: float) -> None:
    assert bucket(ms) == MAX_BUCKET


@given(durations)
def test_value_is_within_two_percent_of_every_duration_of_its_bucket(ms: float) -> None:
    assert value_of(bucket(ms)) == pytest.approx(ms, rel=0.02, abs=MIN_MS)


def test_bucket_of_a_value_is_its_own() -> None:
    buckets = range(ZERO_BUCKET + 2, MAX_BUCKET + 1)
    assert [bucket(value_of(index)) for index in buckets] == list(buckets)


@given(
    st.lists(durations, min_size=1, max_size=200),
    st.sampled_from([0.0, 0.01, 0.5, 0.9, 0.95, 0.99, 1.0]),
)
def test_quantile_is_within_two_percent_of_the_exact_nearest_rank(
    samples: list[float], q: float
) -> None:
    percent = round(q * 100)
    rank = max(1, -(-percent * len(samples) // 100))
    exact = sorted(samples)[rank - 1]
    assert quantile(Counter(map(bucket, samples)), q) == pytest.approx(exact, rel=0.02, abs=MIN_MS)


def test_quantile_rank_does_not_suffer_from_binary_fractions() -> None:
    """0.07 of 100 is the 7th, though 0.07 * 100 is more than 7 in floats."""
    samples = [1.1**rank for rank in range(1, 101)]
    assert quantile(Counter(map(bucket, samples)), 0.07) == pytest.approx(samples[6], rel=0.02)


@given(st.lists(durations, min_size=1), st.lists(durations))
def test_quantile_of_merged_counts_is_that_of_all_durations(
    one: list[float], other: list[float]
) -> None:
    merged = Counter(map(bucket, one)) + Counter(map(bucket, other))
    assert quantile(merged, 0.5) == quantile(Counter(map(bucket, one + other)), 0.5)


@pytest.mark.parametrize("counts", [{}, {3: 0}])
def test_quantile_without_durations_is_none(counts: dict[int, int]) -> None:
    assert quantile(counts, 0.5) is None


@given(st.lists(durations, min_size=1), st.integers(1, 30))
def test_merged_bins_hold_every_duration_and_leave_no_gap(
    samples: list[float], at_most: int
) -> None:
    bins = merged(Counter(map(bucket, samples)), at_most)

    assert len(bins) <= at_most
    assert [up_to for _, up_to, _ in bins[:-1]] == [above for above, _, _ in bins[1:]]
    assert bins[0][2] > 0
    assert bins[-1][2] > 0
    for above, up_to, count in bins:
        within = [each for each in samples if above < min(each, MAX_MS) <= up_to]
        none = sum(1 for each in samples if each == 0) if above == 0 else 0
        assert len(within) + none == count


def test_no_durations_make_no_bins() -> None:
    assert merged({3: 0}, 24) == []
