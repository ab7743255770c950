from __future__ import annotations

import datetime as dt
import io
import json
import subprocess
import sys
from typing import Any

import pyarrow
from msgspec.structs import replace
from pyarrow import parquet

from copilot_analytics.encoding import to_stored_names
from copilot_analytics.events import ALL_METADATA_KEYS, METADATA_KEYS, AnalyticsEvent, EventType
from copilot_analytics.exporting import ExportRequest
from copilot_analytics.exporting.events import PAGE_EVENTS
from copilot_analytics.exporting.parquet import GROUP_PAGES, SCHEMA, render_parquet
from copilot_analytics.queries import ExportFormat
from copilot_analytics.store_samples import event, numbered, sample_events

from .exports import DAYS, exported, stored

REQUEST = ExportRequest(DAYS, ExportFormat.PARQUET)
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def read(content: bytes) -> Any:
    return parquet.read_table(io.BytesIO(content))


def row_of(one: AnalyticsEvent) -> dict[str, Any]:
    """What a row of the table has to say of an event, nulls left out."""
    row: dict[str, Any] = {
        "eventId": one.event_id,
        "eventType": one.event_type.value,
        "userId": one.user_id,
        "timestamp": EPOCH + dt.timedelta(milliseconds=one.timestamp),
        "conversationId": one.conversation_id,
        "connectionId": one.connection_id,
        **to_stored_names(one.metadata),
    }
    return {name: value for name, value in row.items() if value is not None}


def rows(table: Any) -> list[dict[str, Any]]:
    return [
        {name: value for name, value in row.items() if value is not None}
        for row in table.to_pylist()
    ]


def test_every_event_is_a_row_oldest_first() -> None:
    events = sample_events(2_500)
    events[7] = replace(events[7], conversation_id=None, connection_id=None)

    table = read(exported(stored(events), REQUEST))

    events.sort(key=lambda each: (each.timestamp, each.event_id))
    assert table.schema == SCHEMA
    assert rows(table) == [row_of(each) for each in events]


def test_every_documented_key_has_a_column_of_its_type() -> None:
    columns = {field.name: field.type for field in SCHEMA}

    assert list(columns)[:6] == [
        "eventId",
        "eventType",
        "userId",
        "timestamp",
        "conversationId",
        "connectionId",
    ]
    assert list(columns)[6:-1] == [key.stored for key in ALL_METADATA_KEYS.values()]
    assert columns["timestamp"] == pyarrow.timestamp("ms", tz="UTC")
    assert columns["executionMs"] == pyarrow.float64()
    assert columns["success"] == pyarrow.bool_()
    assert columns["tokenCount"] == pyarrow.int64()


def test_values_of_every_kind_come_back_as_they_are() -> None:
    """Every key of every type at once, with the largest counts, and names of any characters."""
    values: dict[str, Any] = {
        "count": 2**53,
        "duration": 12.345,
        "ratio": 1.0,
        "amount": 0.000_001,
        "flag": False,
        "close_code": 4999,
        "end_reason": "completed",
    }
    events = numbered(
        event(
            event_type,
            "ﷺ 🚀\n'; --",
            **{name: values.get(key.kind.value, f"{name} é,\"'") for name, key in keys.items()},
        )
        for event_type, keys in METADATA_KEYS.items()
    )

    table = read(exported(stored(events), REQUEST))

    assert sorted(rows(table), key=str) == sorted(map(row_of, events), key=str)


def test_keys_of_the_application_are_json_in_one_column() -> None:
    events = numbered(
        [
            event(EventType.MESSAGE_SENT, at=1_764_000_000_000, tenant_name="a", seats=3),
            event(EventType.MESSAGE_SENT, at=1_764_000_000_001),
        ]
    )

    extra = read(exported(stored(events), REQUEST)).column("extra").to_pylist()

    assert json.loads(extra[0]) == {"tenantName": "a", "seats": 3}
    assert extra[1] is None


def test_an_empty_export_is_a_table_without_rows() -> None:
    table = read(exported(stored([]), REQUEST))

    assert (table.num_rows, table.schema) == (0, SCHEMA)


def test_it_is_written_in_row_groups_and_a_chunk_each() -> None:
    page = sample_events(3)

    chunks = list(render_parquet(iter([page] * (2 * GROUP_PAGES + 1))))

    file = parquet.ParquetFile(io.BytesIO(b"".join(chunks)))
    groups = [file.metadata.row_group(n).num_rows for n in range(file.metadata.num_row_groups)]
    assert groups == [3 * GROUP_PAGES, 3 * GROUP_PAGES, 3]
    assert len(chunks) == len(groups) + 1, "the footer is the last"
    assert GROUP_PAGES * PAGE_EVENTS == 100_000


def test_without_the_extra_it_says_what_to_install() -> None:
    code = (
        "import sys; sys.modules['pyarrow'] = None\n"
        "from copilot_analytics.errors import MissingDependencyError\n"
        "from copilot_analytics.exporting import ExportRequest, Exporter\n"
        "from copilot_analytics.answers import Answers\n"
        "from copilot_analytics.periods import DateRange\n"
        "from copilot_analytics.queries import ExportFormat\n"
        "from copilot_analytics.stores import MemoryStore\n"
        "from copilot_analytics.testing import FakeClock\n"
        "store, clock = MemoryStore(), FakeClock(0)\n"
        "request = ExportRequest(DateRange.of(None, None, now_ms=0), ExportFormat.PARQUET)\n"
        "try:\n"
        "    Exporter(Answers(store, clock), store, clock).export(request)\n"
        "except MissingDependencyError as error:\n"
        "    print(error)\n"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert "pip install 'copilot-analytics[parquet]'" in done.stdout
