"""The Parquet export: events as a table with a typed column for every documented key; pyarrow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

import msgspec

from ..encoding import to_stored_names
from ..errors import MissingDependencyError
from ..events import ALL_METADATA_KEYS, AnalyticsEvent, ValueKind
from .files import Sink

try:
    import pyarrow
    from pyarrow import parquet
except ModuleNotFoundError as error:
    raise MissingDependencyError("pyarrow", "parquet") from error

__all__ = ["SCHEMA", "render_parquet"]

GROUP_PAGES = 100
"""Pages of 1,000 events in a row group, which readers take as a unit."""

_TEXT = pyarrow.string()
_TYPES = {
    ValueKind.COUNT: pyarrow.int64(),
    ValueKind.DURATION: pyarrow.float64(),
    ValueKind.RATIO: pyarrow.float64(),
    ValueKind.AMOUNT: pyarrow.float64(),
    ValueKind.FLAG: pyarrow.bool_(),
    ValueKind.NAME: _TEXT,
    ValueKind.LABEL: _TEXT,
    ValueKind.ID: _TEXT,
    ValueKind.TEXT: _TEXT,
    ValueKind.CLOSE_CODE: pyarrow.int32(),
    ValueKind.END_REASON: _TEXT,
}
_EXTRA = "extra"

SCHEMA = pyarrow.schema(
    [
        pyarrow.field("eventId", _TEXT, nullable=False),
        pyarrow.field("eventType", _TEXT, nullable=False),
        pyarrow.field("userId", _TEXT, nullable=False),
        pyarrow.field("timestamp", pyarrow.timestamp("ms", tz="UTC"), nullable=False),
        pyarrow.field("conversationId", _TEXT),
        pyarrow.field("connectionId", _TEXT),
        *(pyarrow.field(key.stored, _TYPES[key.kind]) for key in ALL_METADATA_KEYS.values()),
        pyarrow.field(_EXTRA, _TEXT),
    ]
)
"""The columns: the event's own, one for every documented metadata key, and JSON of all others."""

_DOCUMENTED = tuple(ALL_METADATA_KEYS)


def render_parquet(pages: Iterator[Sequence[AnalyticsEvent]]) -> Iterator[bytes]:
    """Yield the file, a row group a chunk. Its footer comes last: a part of it is no file."""
    sink = Sink()
    with parquet.ParquetWriter(sink, SCHEMA, compression="zstd") as writer:
        group: list[Any] = []
        for page in pages:
            group.append(_batch(page))
            if len(group) == GROUP_PAGES:
                yield _written(writer, group, sink)
        if group:
            yield _written(writer, group, sink)
    yield sink.take()


def _written(writer: Any, group: list[Any], sink: Sink) -> bytes:
    table = pyarrow.Table.from_batches(group, SCHEMA)
    group.clear()
    writer.write_table(table, row_group_size=table.num_rows)
    return sink.take()


def _batch(page: Sequence[AnalyticsEvent]) -> Any:
    rows = [event.metadata for event in page]
    present = set(chain.from_iterable(rows))
    columns = [
        [event.event_id for event in page],
        [event.event_type.value for event in page],
        [event.user_id for event in page],
        [event.timestamp for event in page],
        [event.conversation_id for event in page],
        [event.connection_id for event in page],
        *([row.get(name) for row in rows] if name in present else None for name in _DOCUMENTED),
        [_extra(row) for row in rows] if present.difference(_DOCUMENTED) else None,
    ]
    arrays = [
        pyarrow.nulls(len(page), field.type)
        if column is None
        else pyarrow.array(column, field.type)
        for column, field in zip(columns, SCHEMA, strict=True)
    ]
    return pyarrow.record_batch(arrays, schema=SCHEMA)


def _extra(row: dict[str, Any]) -> str | None:
    own = {name: value for name, value in row.items() if name not in ALL_METADATA_KEYS}
    return msgspec.json.encode(to_stored_names(own)).decode() if own else None
