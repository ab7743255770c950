"""Cursors: good for one list of one principal, and for nothing else."""

from __future__ import annotations

import base64
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from copilot_analytics.errors import ConfigurationError, QuestionError
from copilot_analytics_graphql.access import Principal
from copilot_analytics_graphql.cursors import Cursors

KEY = "a key that is at least 32 bytes long"
ADA = Principal("ada", "user")


class Place(NamedTuple):
    timestamp: int
    event_id: str


PLACE = Place(1_764_072_000_000, "01KAXE7S00Z5ZC7S4J7K5B4X2V")


def test_a_cursor_leads_back_to_its_place() -> None:
    cursors = Cursors(KEY).of_list("events", ["MESSAGE_SENT", None], ADA)
    assert cursors.place(cursors.cursor(PLACE), Place) == PLACE
    assert cursors.place(None, Place) is None


def test_processes_with_one_key_agree_and_others_do_not() -> None:
    cursor = Cursors(KEY).of_list("events", [], ADA).cursor(PLACE)
    assert Cursors(KEY).of_list("events", [], ADA).place(cursor, Place) == PLACE
    for other in (Cursors(), Cursors(KEY + "!")):
        with pytest.raises(QuestionError):
            other.of_list("events", [], ADA).place(cursor, Place)


@pytest.mark.parametrize(
    ("name", "arguments", "principal"),
    [
        ("users", ["x"], ADA),
        ("events", ["y"], ADA),
        ("events", ["x", None], ADA),
        ("events", ["x"], Principal("bob", "user")),
        ("events", ["x"], Principal("ada", "admin")),
    ],
)
def test_a_cursor_is_refused_elsewhere(
    name: str, arguments: list[object], principal: Principal
) -> None:
    cursors = Cursors(KEY)
    cursor = cursors.of_list("events", ["x"], ADA).cursor(PLACE)
    with pytest.raises(QuestionError, match="endCursor of a page of this very list"):
        cursors.of_list(name, arguments, principal).place(cursor, Place)


@pytest.mark.parametrize("length", [0, 1, 15, 16, 17, 2_001])
def test_what_is_no_cursor_is_refused(length: int) -> None:
    with pytest.raises(QuestionError):
        Cursors(KEY).of_list("events", [], ADA).place("A" * length, Place)


@given(st.text(max_size=60))
@settings(max_examples=100)
def test_no_text_is_a_cursor_by_chance(text: str) -> None:
    with pytest.raises(QuestionError):
        Cursors(KEY).of_list("events", [], ADA).place(text, Place)


def test_a_changed_bit_is_refused() -> None:
    cursors = Cursors(KEY).of_list("events", [], ADA)
    data = base64.urlsafe_b64decode(cursors.cursor(PLACE) + "==")
    for at in range(len(data)):
        changed = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
        with pytest.raises(QuestionError):
            cursors.place(base64.urlsafe_b64encode(changed).rstrip(b"=").decode(), Place)


def test_a_place_of_another_form_is_refused() -> None:
    """As a release whose places were others left it."""
    cursors = Cursors(KEY).of_list("events", [], ADA)
    with pytest.raises(QuestionError):
        cursors.place(cursors.cursor("a name"), Place)


def test_a_short_key_is_refused_without_showing_it() -> None:
    with pytest.raises(ConfigurationError, match="at least 32 random bytes") as caught:
        Cursors("hunter2")
    assert "hunter2" not in str(caught.value)
