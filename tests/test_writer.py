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


def test_a_kept_writer_goes_on_after_its_numbers() -> None:
    writer = Writer()

    writer.assume("KEPT", 100)

    assert writer.id == "KEPT"
    assert writer.next_sequence() == 101
    assert list(writer.next_sequences(3)) == [102, 103, 104]
    assert writer.last == 104
