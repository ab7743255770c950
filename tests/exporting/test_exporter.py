from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Sequence

import pytest

from copilot_analytics.answers import Answers
from copilot_analytics.batch import Batch
from copilot_analytics.errors import StoreUnavailableError
from copilot_analytics.events import AnalyticsEvent
from copilot_analytics.exporting import ExportRequest, parse_position
from copilot_analytics.ndjson import encode_event
from copilot_analytics.periods import DateRange
from copilot_analytics.queries import ExportFormat, ExportSection
from copilot_analytics.store_samples import NOW_MS, sample_events
from copilot_analytics.stores import MemoryStore
from copilot_analytics.stores.base import EventSelection
from copilot_analytics.testing import FakeClock

from .exports import DAYS, busy, exported, exporter, stored

F, S = ExportFormat, ExportSection
TODAY = DateRange(DAYS.end, DAYS.end)


def in_order(events: Sequence[AnalyticsEvent]) -> list[AnalyticsEvent]:
    return sorted(events, key=lambda event: (event.timestamp, event.event_id))


def test_commands_and_patterns_are_complete_and_as_the_questions_answer() -> None:
    """More than a page of each, in the order of the lists."""
    store = stored(busy(1_500, 2_500))
    answers = Answers(store, FakeClock(NOW_MS))
    commands = answers.popular_commands(TODAY, first=1_000)
    errors = answers.error_patterns(TODAY, first=1_000)

    document = json.loads(exported(store, ExportRequest(TODAY, F.JSON)))

    names = [row["name"] for row in document["commands"]]
    patterns = [row["fingerprint"] for row in document["errors"]]
    assert (len(names), len(set(names))) == (1_500, 1_500)
    assert (len(patterns), len(set(patterns))) == (2_500, 2_500)
    assert names[:1_000] == [row.name for row in commands.rows]
    assert patterns[:1_000] == [row.fingerprint for row in errors.rows]
    assert document["errors"][999]["affectedUsers"] == errors.rows[999].affected_users.count
    assert document["summary"]["executions"]["value"] == 1_500
    for section, shown in ((S.COMMANDS, names), (S.ERRORS, patterns)):
        table = exported(store, ExportRequest(TODAY, F.CSV, section)).decode()
        assert [row[0] for row in csv.reader(io.StringIO(table))][1:] == shown


def test_the_archive_holds_both_tables_as_they_are_alone() -> None:
    store = stored(busy(20, 30))

    archive = zipfile.ZipFile(io.BytesIO(exported(store, ExportRequest(TODAY, F.CSV))))

    for section in S:
        alone = ExportRequest(TODAY, F.CSV, section)
        assert archive.read(alone.filename) == exported(store, alone)


def test_an_empty_store_gives_whole_empty_files() -> None:
    store = stored([])

    assert json.loads(exported(store, ExportRequest(DAYS, F.JSON)))["commands"] == []
    table = exported(store, ExportRequest(DAYS, F.CSV, S.COMMANDS))
    assert table.decode().splitlines() == [
        "name,executions,successes,failures,successRate,averageMs,lastExecuted"
    ]
    assert exported(store, ExportRequest(DAYS, F.NDJSON)) == b""


def test_ndjson_is_every_event_of_the_days_oldest_first() -> None:
    events = in_order(sample_events(2_500))
    store = stored(sorted(events, key=lambda event: event.sequence))
    day = DateRange(DAYS.start, DAYS.start)

    assert exported(store, ExportRequest(DAYS, F.NDJSON)) == b"".join(map(encode_event, events))
    lines = exported(store, ExportRequest(day, F.NDJSON)).splitlines()
    within = [event for event in events if event.timestamp < day.end_ms]
    assert 0 < len(within) < len(events)
    assert [json.loads(line)["eventId"] for line in lines] == [event.event_id for event in within]


def test_ndjson_goes_on_after_the_last_whole_line_of_a_download_that_broke_off() -> None:
    store = stored(sample_events(2_500))
    whole = exported(store, ExportRequest(DAYS, F.NDJSON))
    for kept in (1, len(whole) // 3, len(whole) - 1, len(whole)):
        complete = whole[: whole.rfind(b"\n", 0, kept) + 1]
        after = None
        if complete:
            last = json.loads(complete.splitlines()[-1])
            after = parse_position(f"{last['timestamp']}:{last['eventId']}")

        rest = exported(store, ExportRequest(DAYS, F.NDJSON, after=after))

        assert complete + rest == whole


def test_events_end_at_now_however_fast_more_are_stored() -> None:
    events = in_order(sample_events(50))
    now_ms = events[20].timestamp

    file = exporter(stored(events), now_ms).export(ExportRequest(DAYS, F.NDJSON))

    assert b"".join(file.chunks) == b"".join(map(encode_event, events[:21]))


def test_progress_is_told_page_by_page() -> None:
    told = list[int]()
    exporting = exporter(stored(sample_events(2_500)))

    file = exporting.export(ExportRequest(DAYS, F.NDJSON), advance=told.append)
    chunks = list(file.chunks)

    assert (len(told), sum(told)) == (len(chunks), 2_500)


class Breaking(MemoryStore):
    """A store that goes away after some reads of events."""

    reads = 1

    def events(
        self,
        selection: EventSelection,
        *,
        after: tuple[int, str] | None = None,
        limit: int,
        newest_first: bool = True,
    ) -> Sequence[AnalyticsEvent]:
        if not self.reads:
            raise StoreUnavailableError(self.url, "it is away", "wait")
        self.reads -= 1
        return super().events(selection, after=after, limit=limit, newest_first=newest_first)


@pytest.mark.parametrize("reads", [0, 1])
def test_what_can_be_told_before_the_first_byte_is_told_then(reads: int) -> None:
    store = Breaking(clock=FakeClock(NOW_MS))
    store.write(Batch("writer", sample_events(2_500)))
    store.reads = reads
    request = ExportRequest(DAYS, F.NDJSON)

    if not reads:
        with pytest.raises(StoreUnavailableError):
            exporter(store).export(request)
        return
    chunks = exporter(store).export(request).chunks
    assert next(chunks)
    with pytest.raises(StoreUnavailableError):
        next(chunks)
