from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from copilot_analytics.events import AnalyticsEvent
from copilot_analytics.spool.frames import HEADER_BYTES, MAGIC, encode_frame
from copilot_analytics.spool.journal import Journal, JournalFullError
from copilot_analytics.store_samples import sample_events

EVENTS = sample_events(60)
PLENTY = 1 << 30


def journal_of(folder: Path, *, max_bytes: int = PLENTY, segment_bytes: int = 2_000) -> Journal:
    return Journal(folder, max_bytes=max_bytes, segment_bytes=segment_bytes)


def append(journal: Journal, events: Sequence[AnalyticsEvent]) -> tuple[int, int]:
    return journal.append(encode_frame(events), len(events))


def read_all(journal: Journal, position: int = 0) -> list[AnalyticsEvent]:
    """Take everything from a position on."""
    events: list[AnalyticsEvent] = []
    while (frame := journal.read(position)) is not None:
        journal.note_taken(frame.start, frame.header.count)
        events += frame.events
        position = frame.end
    return events


def test_what_was_appended_is_read_in_order_by_a_later_process(tmp_path: Path) -> None:
    journal = journal_of(tmp_path)
    for first in range(0, 60, 7):
        append(journal, EVENTS[first : first + 7])
    journal.close()

    again = journal_of(tmp_path)

    assert again.events == 60
    assert read_all(again, again.start) == EVENTS
    assert len(list(tmp_path.iterdir())) > 3, "there are several segments"
    again.close()


def test_released_segments_are_deleted_and_positions_go_on(tmp_path: Path) -> None:
    journal = journal_of(tmp_path)
    ends = [append(journal, EVENTS[first : first + 10])[1] for first in range(0, 50, 10)]
    journal.rotate()
    assert read_all(journal) == EVENTS[:50]

    assert journal.release(ends[-1]) == (0, 0)

    assert (journal.size, list(tmp_path.iterdir())) == (0, [])
    start, end = append(journal, EVENTS[50:])
    assert start == ends[-1]
    assert read_all(journal, start) == EVENTS[50:]
    assert journal.release(end) == (0, 0), "the active segment stays"
    assert journal.size == end - start
    journal.close()


def test_nothing_is_appended_beyond_the_limit(tmp_path: Path) -> None:
    frame = encode_frame(EVENTS[:10])
    journal = journal_of(tmp_path, max_bytes=2 * len(frame) + 10)
    journal.append(frame, 10)
    _, end = journal.append(frame, 10)

    with pytest.raises(JournalFullError, match="limit of"):
        journal.append(frame, 10)

    read_all(journal)
    journal.rotate()
    journal.release(end)
    journal.append(frame, 10)
    journal.close()


@pytest.mark.parametrize("cut", [1, HEADER_BYTES - 1, HEADER_BYTES, HEADER_BYTES + 1, 300])
def test_a_torn_tail_is_passed_over(tmp_path: Path, cut: int) -> None:
    """As a kill in the middle of a write leaves it."""
    journal = journal_of(tmp_path, segment_bytes=PLENTY)
    append(journal, EVENTS[:10])
    append(journal, EVENTS[10:20])
    journal.close()
    (segment,) = tmp_path.iterdir()
    with segment.open("ab") as file:
        file.write(encode_frame(EVENTS[20:30])[:cut])

    again = journal_of(tmp_path)
    append(again, EVENTS[20:])

    assert again.events == 60
    assert read_all(again) == EVENTS
    again.rotate()
    assert again.release(again.end) == (0, 1)
    again.close()


@settings(max_examples=60)
@given(place=st.floats(0, 1, exclude_max=True), change=st.integers(1, 255))
def test_a_changed_byte_costs_one_frame(
    tmp_path_factory: pytest.TempPathFactory, place: float, change: int
) -> None:
    folder = tmp_path_factory.mktemp("spool")
    journal = journal_of(folder, segment_bytes=PLENTY)
    for first in range(0, 60, 5):
        append(journal, EVENTS[first : first + 5])
    (segment,) = folder.iterdir()
    content = bytearray(segment.read_bytes())
    content[int(len(content) * place)] ^= change
    segment.write_bytes(content)

    left = read_all(journal)
    journal.rotate()
    released = journal.release(journal.end)

    assert len(left) == 55
    assert [event for event in EVENTS if event in left] == left
    assert released.lost == 5
    assert released.damages >= 1
    journal.close()


def test_garbage_that_looks_like_frames_is_passed_over(tmp_path: Path) -> None:
    frame = encode_frame(EVENTS[:5])
    garbage = MAGIC * 50 + frame[:-1] + MAGIC
    (tmp_path / f"{0:016x}.frames").write_bytes(garbage + frame + garbage + frame)
    (tmp_path / "no-position.frames").write_bytes(frame)

    journal = journal_of(tmp_path)

    assert journal.events == 10
    assert read_all(journal) == EVENTS[:5] * 2
    journal.close()


def test_a_file_that_is_gone_is_counted_as_lost(tmp_path: Path) -> None:
    journal = journal_of(tmp_path)
    for first in range(0, 60, 10):
        append(journal, EVENTS[first : first + 10])
    journal.close()
    again = journal_of(tmp_path)
    sorted(tmp_path.iterdir())[0].unlink()

    left = read_all(again)

    assert 0 < len(left) < 60
    assert again.release(again.end) == (60 - len(left), 1)
    again.close()


def test_what_cannot_be_read_now_can_be_read_later(tmp_path: Path) -> None:
    append(journal := journal_of(tmp_path), EVENTS)
    (segment,) = tmp_path.iterdir()
    moved = segment.rename(tmp_path / "moved")
    segment.symlink_to(segment)

    with pytest.raises(OSError, match=os.strerror(errno.ELOOP)):
        journal.read(0)

    moved.replace(segment)
    assert read_all(journal) == EVENTS
    journal.close()


def test_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    append(journal := journal_of(tmp_path), EVENTS)
    (segment,) = tmp_path.iterdir()

    assert segment.stat().st_mode & 0o777 == 0o600
    journal.close()


def test_a_frame_that_a_full_disk_cuts_is_taken_back(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    journal = journal_of(tmp_path, segment_bytes=PLENTY)
    _, end = append(journal, EVENTS[:10])
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (end + 100, limits[1]))
    try:
        with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
            append(journal, EVENTS[10:20])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    assert journal.end == end
    append(journal, EVENTS[10:])
    assert read_all(journal) == EVENTS
    journal.rotate()
    assert journal.release(journal.end) == (0, 0)
    journal.close()


def test_empty_files_of_an_earlier_process_do_not_hinder(tmp_path: Path) -> None:
    (tmp_path / f"{0:016x}.frames").touch()

    append(journal := journal_of(tmp_path), EVENTS)

    assert read_all(journal) == EVENTS
    journal.close()
