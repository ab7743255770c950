"""Details of rollups in SQLite: packed, added to and summed without a counter changed."""

from __future__ import annotations

import sqlite3
from collections import Counter
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from copilot_analytics.histogram import MAX_BUCKET, ZERO_BUCKET
from copilot_analytics.rollups import RollupKind
from copilot_analytics.store_samples import (
    DAYS,
    NOW_MS,
    assert_holds,
    batches_of,
    sample_events,
)
from copilot_analytics.stores._sqlite_details import add_to_details, decode_details, sum_details
from copilot_analytics.stores.sqlite import SQLiteStore
from copilot_analytics.testing import FakeClock

NAMES = st.one_of(
    st.builds(
        "{}{}".format,
        st.sampled_from(["x.", "t.", "s.", "k.", "c.", "close.", "error."]),
        st.integers(ZERO_BUCKET - 3, MAX_BUCKET + 3),
    ),
    st.sampled_from(["x.", "x.-0", "x.007", "x.+3", "x.٣", "e.MESSAGE_SENT", "command.x.5", ""]),
    st.text(max_size=8),
)
COUNTERS = st.dictionaries(NAMES, st.integers(1, 1 << 50), max_size=40)


@given(st.lists(COUNTERS, max_size=6))
def test_counters_are_added_and_summed_by_name(parts: list[dict[str, int]]) -> None:
    expected: Counter[str] = Counter()
    stored = None
    for counters in parts:
        expected.update(counters)
        stored = add_to_details(stored, counters)
    assert decode_details(stored or add_to_details(None, {})) == dict(expected)
    assert sum_details(add_to_details(None, counters) for counters in parts) == dict(expected)


@given(COUNTERS, COUNTERS)
def test_values_of_earlier_schemas_are_read_and_added_to(
    earlier: dict[str, int], more: dict[str, int]
) -> None:
    stored = msgspec.msgpack.encode(earlier)
    expected = dict(Counter(earlier) + Counter(more))
    assert decode_details(stored) == earlier
    assert decode_details(add_to_details(stored, more)) == expected
    assert sum_details([stored, add_to_details(None, more)]) == expected


def test_a_histogram_takes_little_more_than_its_counts() -> None:
    buckets = {f"x.{bucket}": 100 for bucket in range(ZERO_BUCKET, MAX_BUCKET + 1)}
    assert len(add_to_details(None, buckets)) < len(buckets) + 20


@pytest.mark.parametrize(
    "stored", [b"", b"\x92\x80", b"\x92\x80\xc0", b"\xc1", b"\x93\x80\x80\x80"]
)
def test_damaged_values_are_refused(stored: bytes) -> None:
    with pytest.raises(msgspec.MsgspecError):
        decode_details(stored)


def test_a_file_of_an_earlier_schema_keeps_its_counts(tmp_path: Path) -> None:
    """Read as it is, and written on."""
    path = tmp_path / "analytics.db"
    events = sample_events(400)
    first, *rest = batches_of(events, 200)
    with SQLiteStore(path, clock=FakeClock(NOW_MS)) as store:
        store.write(first)
        before = store.totals(RollupKind.ACTIVITY, DAYS, detail=True)
    with sqlite3.connect(path) as file:
        for rowid, stored in file.execute("SELECT rowid, counters FROM details").fetchall():
            value = msgspec.msgpack.encode(decode_details(stored))
            file.execute("UPDATE details SET counters = ? WHERE rowid = ?", (value, rowid))
        file.execute("PRAGMA user_version = 2")
    file.close()
    with SQLiteStore(path, clock=FakeClock(NOW_MS)) as store:
        assert store.totals(RollupKind.ACTIVITY, DAYS, detail=True) == before
        for batch in rest:
            store.write(batch)
        assert_holds(store, events)
