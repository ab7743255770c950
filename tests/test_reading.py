from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from copilot_analytics.batch import Batch
from copilot_analytics.errors import QuestionError, StoreUnavailableError
from copilot_analytics.events import AnalyticsEvent, EventType
from copilot_analytics.exporting import ExportRequest
from copilot_analytics.ids import new_id
from copilot_analytics.periods import DAY_MS, DateRange
from copilot_analytics.queries import ExportFormat, Interval, Metric
from copilot_analytics.reading import Questions
from copilot_analytics.rollups import Rollup, RollupKind
from copilot_analytics.stores import MemoryStore, SQLiteStore
from copilot_analytics.testing import FakeClock

NOON = 1_773_576_000_000  # 2026-03-15T12:00Z


def asking(store: MemoryStore | SQLiteStore) -> Questions:
    return Questions(store, FakeClock(NOON), stored_user_id=lambda user_id: f"stored-{user_id}")


@pytest.fixture
def questions(tmp_path: Path) -> Iterator[Questions]:
    with SQLiteStore(tmp_path / "reading.db", clock=FakeClock(NOON)) as store:
        store.write(
            Batch(
                "writer",
                [
                    AnalyticsEvent(
                        event_id=new_id(NOON),
                        event_type=EventType.ACTION_EXECUTED,
                        user_id="stored-ada",
                        timestamp=NOON - DAY_MS,
                        conversation_id=None,
                        connection_id=None,
                        metadata={"command_name": "add"},
                        writer="writer",
                        sequence=1,
                    )
                ],
            )
        )
        asked = asking(store)
        yield asked
        asked.close_readers()


def test_ranges_end_today_and_start_29_days_before(questions: Questions) -> None:
    assert str(questions.range()) == "2026-02-14..2026-03-15"
    assert str(questions.range("2026-03-01")) == "2026-03-01..2026-03-15"
    assert str(questions.range("2026-03-01", "2026-03-02")) == "2026-03-01..2026-03-02"


@pytest.mark.parametrize(
    ("start", "end", "remedy"),
    [
        ("2026-03-02", "2026-03-01", "swap them"),
        ("2026-3-1", None, "YYYY-MM-DD"),
        ("2026-02-30", None, "YYYY-MM-DD"),
        ("2024-01-01", "2026-03-01", "at most 400"),
    ],
)
def test_ranges_that_make_no_sense_are_refused(
    questions: Questions, start: str, end: str | None, remedy: str
) -> None:
    with pytest.raises(QuestionError, match=remedy):
        questions.range(start, end)


def test_every_question_is_answered_from_the_store(questions: Questions) -> None:
    async def ask() -> None:
        days = questions.range()
        assert (await questions.dashboard(days, top=1)).summary.totals.executions == 1
        assert (await questions.command_stats("add", days)).executions == 1
        assert [c.name for c in (await questions.popular_commands(days, first=1)).rows] == ["add"]
        assert (await questions.error_patterns(days, error_type="Timeout", first=1)).rows == ()
        series = await questions.time_series(
            Metric.EXECUTIONS, days, interval=Interval.DAY, command="add"
        )
        assert sum(value or 0 for value in series.values) == 1
        export = await questions.export(ExportRequest(days, ExportFormat.JSON))
        assert b'"add"' in b"".join([chunk async for chunk in export.chunks])
        assert await questions.generations(days) == 1

    asyncio.run(ask())


def test_a_user_is_asked_for_by_the_id_the_application_knows(questions: Questions) -> None:
    activity = asyncio.run(questions.user_activity("ada", questions.range()))

    assert (activity.user_id, activity.executions) == ("stored-ada", 1)


def test_a_bad_question_raises_where_it_is_awaited(questions: Questions) -> None:
    with pytest.raises(QuestionError, match="from 1 to 1000"):
        asyncio.run(questions.popular_commands(questions.range(), first=0))


class _SlowStore(MemoryStore):
    """Answers once it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = threading.Event()
        self.answering = threading.Event()

    def totals(self, kind: RollupKind, *args: object, **kwargs: object) -> dict[str, Rollup]:
        self.asked.set()
        self.answering.wait(30)
        return {}


def test_a_slow_store_blocks_neither_the_loop_nor_its_default_executor() -> None:
    store = _SlowStore()
    questions = asking(store)

    async def ask() -> None:
        answer = asyncio.create_task(questions.popular_commands(questions.range()))
        assert await asyncio.to_thread(store.asked.wait, 30)
        assert not answer.done()
        store.answering.set()
        assert (await answer).rows == ()

    asyncio.run(ask())
    questions.close_readers()


def test_a_cancelled_question_leaves_the_others_alone() -> None:
    store = _SlowStore()
    questions = asking(store)

    async def ask() -> None:
        answer = asyncio.create_task(questions.popular_commands(questions.range()))
        assert await asyncio.to_thread(store.asked.wait, 30)
        answer.cancel()
        with pytest.raises(asyncio.CancelledError):
            await answer
        assert await questions.generations(questions.range()) == 0
        store.answering.set()

    asyncio.run(ask())
    questions.close_readers()


def test_a_store_that_cannot_be_read_raises_where_it_is_awaited(tmp_path: Path) -> None:
    questions = asking(SQLiteStore(tmp_path / "no such folder" / "reading.db"))
    days = DateRange.of(now_ms=NOON)

    with pytest.raises(StoreUnavailableError, match="create its directory"):
        asyncio.run(questions.dashboard(days))
    questions.close_readers()


def test_questions_work_on_one_loop_after_the_other(questions: Questions) -> None:
    for _ in range(2):
        assert asyncio.run(questions.generations(questions.range())) == 1


def test_questions_after_the_readers_are_closed_are_refused(questions: Questions) -> None:
    questions.close_readers()
    questions.close_readers()

    with pytest.raises(RuntimeError, match="after shutdown"):
        asyncio.run(questions.generations(questions.range()))
