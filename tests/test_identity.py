from __future__ import annotations

import hashlib
import hmac
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copilot_analytics.identity import (
    Pseudonymiser,
    ReconnectDetector,
    anonymous_id,
    is_pseudonym,
)
from copilot_analytics.ids import new_id

KEY = "a key of at least thirty-two bytes"
NOW = 1_750_000_000_000
MINUTE_MS = 60_000


def test_pseudonym_is_the_documented_keyed_hash() -> None:
    digest = hmac.new(KEY.encode(), b"j@example.org", hashlib.sha256).hexdigest()
    assert Pseudonymiser(KEY).stored("j@example.org") == f"p1-{digest[:32]}"


def test_pseudonyms_of_another_key_or_user_differ() -> None:
    first = Pseudonymiser(KEY)
    assert first.stored("u") == Pseudonymiser(KEY).stored("u")
    assert len({first.stored("u"), first.stored("v"), Pseudonymiser(KEY + "2").stored("u")}) == 3


@given(st.text(st.characters()))
def test_every_id_has_a_pseudonym_that_tells_nothing_of_it(user_id: str) -> None:
    stored = Pseudonymiser(KEY).stored(user_id)
    if user_id.startswith("anonymous:"):
        stored = stored.removeprefix("anonymous:")
    assert len(stored) == 35
    assert stored.startswith("p1-")


def test_a_pseudonym_that_somebody_claims_is_pseudonymised() -> None:
    """Or whoever may choose an id could choose to be somebody else."""
    pseudonymiser = Pseudonymiser(KEY)
    victim = pseudonymiser.stored("victim")
    assert pseudonymiser.stored(victim) != victim


def test_anonymous_ids_stay() -> None:
    user_id = anonymous_id(new_id())
    assert user_id.startswith("anonymous:")
    assert Pseudonymiser(KEY).stored(user_id) == user_id
    assert Pseudonymiser().stored(user_id) == user_id


def test_what_only_claims_to_be_anonymous_is_pseudonymised_behind_the_prefix() -> None:
    stored = Pseudonymiser(KEY).stored("anonymous:j@example.org")
    assert stored == "anonymous:" + Pseudonymiser(KEY).stored("j@example.org")


def test_without_a_key_ids_are_only_bounded() -> None:
    pseudonymiser = Pseudonymiser()
    assert pseudonymiser.stored("user-1") == "user-1"
    assert pseudonymiser.stored("a\nb") == "a\ufffdb"
    assert len(pseudonymiser.stored("é" * 1_000).encode()) <= 256


def test_address_without_a_key_is_one_warning_without_it(caplog: pytest.LogCaptureFixture) -> None:
    pseudonymiser = Pseudonymiser()
    with caplog.at_level(logging.WARNING, "copilot_analytics"):
        for user_id in ("user-1", "john@example.org", "jane@example.org"):
            assert pseudonymiser.stored(user_id) == user_id
        Pseudonymiser(KEY).stored("john@example.org")
    assert len(caplog.messages) == 1
    assert "COPILOT_ANALYTICS_PSEUDONYMISE_KEY" in caplog.text
    assert "example.org" not in caplog.text


@pytest.mark.parametrize("code", [None, 1006, 1011, 1012, 1013])
def test_user_who_lost_a_connection_comes_back_once(code: int | None) -> None:
    reconnects = ReconnectDetector()
    reconnects.closed("user", code, NOW)
    assert not reconnects.opened("another", NOW + 1)
    assert reconnects.opened("user", NOW + 1)
    assert not reconnects.opened("user", NOW + 2), "a second socket is no reconnect"


@pytest.mark.parametrize("code", [1000, 1001, 1005, 1008, 3000, 4401])
def test_user_who_left_does_not_come_back(code: int) -> None:
    reconnects = ReconnectDetector()
    reconnects.closed("user", code, NOW)
    assert not reconnects.opened("user", NOW + 1)


@pytest.mark.parametrize(("later", "expected"), [(0, True), (300_000, True), (300_001, False)])
def test_user_comes_back_within_five_minutes(later: int, expected: bool) -> None:
    reconnects = ReconnectDetector()
    reconnects.closed("user", 1006, NOW)
    assert reconnects.opened("user", NOW + later) is expected


def test_a_loss_that_lies_in_the_future_is_no_reconnect() -> None:
    """Back-dated connections run beside live ones."""
    reconnects = ReconnectDetector()
    reconnects.closed("user", 1006, NOW)
    assert not reconnects.opened("user", NOW - 1)


def test_the_latest_loss_counts_and_memory_is_bounded() -> None:
    reconnects = ReconnectDetector(window_ms=MINUTE_MS, capacity=2)
    reconnects.closed("a", 1006, NOW)
    reconnects.closed("b", 1006, NOW)
    reconnects.closed("a", 1006, NOW + MINUTE_MS)
    reconnects.closed("c", 1006, NOW + MINUTE_MS)
    assert [user for user in "abc" if reconnects.opened(user, NOW + MINUTE_MS)] == ["a", "c"]


def test_nobody_signed_in_is_not_remembered() -> None:
    reconnects = ReconnectDetector(capacity=1)
    reconnects.closed("user", 1006, NOW)
    reconnects.closed(anonymous_id(new_id()), 1006, NOW)
    assert reconnects.opened("user", NOW)


@pytest.mark.parametrize(
    ("user_id", "is_one"),
    [
        (Pseudonymiser("k" * 32).stored("ada"), True),
        ("ada", False),
        ("", False),
        ("p1-", False),
        ("p1-" + "g" * 32, False),
        ("p1-" + "a" * 31, False),
        ("a" * 32, False),
    ],
)
def test_pseudonyms_are_told_by_their_form(user_id: str, is_one: bool) -> None:
    assert is_pseudonym(user_id) is is_one
