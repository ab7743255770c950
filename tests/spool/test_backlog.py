from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from copilot_analytics.events import AnalyticsEvent
from copilot_analytics.spool.backlog import Backlog
from copilot_analytics.spool.frames import encode_frame
from copilot_analytics.spool.journal import Journal
from copilot_analytics.store_samples import sample_events

EVENTS = sample_events(100)


def backlog_of(folder: Path, *, memory_events: int = 0, segment_bytes: int = 3_000) -> Backlog:
    journal = Journal(folder, max_bytes=1 << 30, segment_bytes=segment_bytes)
    return Backlog(journal, memory_events=memory_events)


def append_all(backlog: Backlog, *, by: int = 10) -> None:
    for first in range(0, len(EVENTS), by):
        backlog.append(EVENTS[first : first + by])


def take_all(backlog: Backlog, limit: int) -> list[list[AnalyticsEvent]]:
    portions = []
    while (portion := backlog.take(limit)) is not None:
        portions.append(portion.events)
        backlog.confirm(portion)
    return portions


@pytest.mark.parametrize("memory_events", [0, 35, 1000])
@pytest.mark.parametrize("limit", [1, 10, 25, 1000])
def test_portions_are_whole_frames_in_order_wherever_they_come_from(
    tmp_path: Path, memory_events: int, limit: int
) -> None:
    backlog = backlog_of(tmp_path, memory_events=memory_events)
    append_all(backlog)
    assert backlog.waiting == 100

    portions = take_all(backlog, limit)

    assert [event for portion in portions for event in portion] == EVENTS
    assert max(map(len, portions)) == max(limit // 10 * 10, 10) if limit < 1000 else 100
    assert (backlog.waiting, backlog.exhausted, backlog.size) == (0, True, 0)
    assert list(tmp_path.iterdir()) == []
    backlog.close()


def test_memory_holds_no_more_than_its_bound(tmp_path: Path) -> None:
    """What is beyond it is in the files only, and lost with them."""
    backlog = backlog_of(tmp_path, memory_events=35)
    append_all(backlog)
    for path in tmp_path.iterdir():
        path.unlink()

    assert sum(map(len, take_all(backlog, 1000))) == 30
    backlog.close()


def test_what_is_taken_makes_room_in_memory(tmp_path: Path) -> None:
    backlog = backlog_of(tmp_path, memory_events=35)
    for _ in range(3):
        append_all(backlog)
        assert [event for portion in take_all(backlog, 20) for event in portion] == EVENTS
    backlog.append(EVENTS[:30])
    for path in tmp_path.iterdir():
        path.unlink()

    assert take_all(backlog, 1000) == [EVENTS[:30]]
    backlog.close()


def test_nothing_is_deleted_before_it_is_confirmed(tmp_path: Path) -> None:
    backlog = backlog_of(tmp_path)
    append_all(backlog)
    while backlog.take(1000) is not None:
        pass
    backlog.close()

    again = backlog_of(tmp_path)

    assert [event for portion in take_all(again, 15) for event in portion] == EVENTS
    again.close()


def test_what_was_lost_is_told_once_it_is_passed(tmp_path: Path) -> None:
    backlog = backlog_of(tmp_path, segment_bytes=1 << 30)
    append_all(backlog)
    (segment,) = tmp_path.iterdir()
    content = bytearray(segment.read_bytes())
    content[-1] ^= 1
    segment.write_bytes(content)

    portion = backlog.take(1000)

    assert portion is not None
    assert portion.events == EVENTS[:90]
    assert backlog.take(1000) is None
    assert backlog.confirm(portion) == (10, 1)
    backlog.close()


def test_only_damage_is_a_portion_without_events(tmp_path: Path) -> None:
    backlog = backlog_of(tmp_path)
    backlog.append(EVENTS[:5])
    (segment,) = tmp_path.iterdir()
    segment.write_bytes(bytes(segment.stat().st_size))

    portion = backlog.take(10)

    assert portion is not None
    assert portion.events == []
    assert backlog.confirm(portion).lost == 5
    assert list(tmp_path.iterdir()) == []
    backlog.close()


def test_what_cannot_be_read_now_is_told_after_what_could(tmp_path: Path) -> None:
    backlog = backlog_of(tmp_path)
    append_all(backlog)
    second = sorted(tmp_path.iterdir())[1]
    moved = second.rename(tmp_path / "moved")
    second.symlink_to(second)

    first = backlog.take(1000)
    assert first is not None
    assert 0 < len(first.events) < 100
    with pytest.raises(OSError, match=os.strerror(errno.ELOOP)):
        backlog.take(1000)

    moved.replace(second)
    rest = backlog.take(1000)
    assert rest is not None
    assert [*first.events, *rest.events] == EVENTS
    backlog.close()


def test_a_whole_frame_of_something_else_is_lost_alone(tmp_path: Path) -> None:
    """As a later release may have written it."""
    journal = Journal(tmp_path, max_bytes=1 << 30)
    strange: list[Any] = ["something", "else"]
    journal.append(encode_frame(EVENTS[:5]), 5)
    journal.append(encode_frame(strange), 2)
    journal.append(encode_frame(EVENTS[5:]), 95)
    backlog = Backlog(journal)

    portion = backlog.take(1000)

    assert portion is not None
    assert portion.events == EVENTS
    assert backlog.confirm(portion).lost == 2
    backlog.close()
