from __future__ import annotations

from copilot_analytics.writer import Writer


def test_numbers_rise_from_1() -> None:
    writer = Writer()

    assert [writer.next_sequence() for _ in range(3)] == [1, 2, 3]


def test_writers_differ() -> None:
    assert len({Writer().id for _ in range(100)}) == 100


def test_a_forked_child_is_another_writer_and_numbers_anew() -> None:
    writer = Writer()
    parent = writer.id
    writer.next_sequence()

    writer.renew_in_child()

    assert writer.id != parent
    assert writer.next_sequence() == 1
