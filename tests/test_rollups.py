from __future__ import annotations

import pytest

from copilot_analytics.rollups import DISTINCT_KINDS, HEADLINES, Rollup, RollupKey, RollupKind


def test_rollup_add_sums_counters_and_widens_times() -> None:
    rollup = Rollup({"a": 1, "b": 2}, first=50, last=60)
    rollup.add(Rollup({"b": 3, "c": 4}, first=40, last=55))
    assert rollup == Rollup({"a": 1, "b": 5, "c": 4}, first=40, last=60)


@pytest.mark.parametrize("reverse", [False, True])
def test_rollup_add_of_one_without_times_keeps_the_others(reverse: bool) -> None:
    one, other = Rollup({"executions": 1}, first=40, last=60), Rollup({"error.Timeout": 1})
    if reverse:
        one, other = other, one
    one.add(other)
    assert one == Rollup({"executions": 1, "error.Timeout": 1}, first=40, last=60)


def test_rollup_add_leaves_the_other_alone() -> None:
    other = Rollup({"a": 1}, 1, 2)
    rollup = Rollup({})
    rollup.add(other)
    rollup.add(other)
    assert (rollup, other) == (Rollup({"a": 2}, 1, 2), Rollup({"a": 1}, 1, 2))


def test_headlines_fit_the_generic_columns_of_every_store() -> None:
    assert set(HEADLINES) == set(RollupKind)
    assert max(map(len, HEADLINES.values())) <= 12
    assert set(RollupKind) >= DISTINCT_KINDS


def test_rollup_key_is_a_dictionary_key() -> None:
    assert {RollupKey(RollupKind.USER, "u", "2026-11-01"): 1}[
        RollupKey(RollupKind.USER, "u", "2026-11-01")
    ] == 1
