"""Sessions: what a cookie says, for how long, and what it never says; and codes."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copilot_analytics.errors import ConfigurationError
from copilot_analytics.testing import FakeClock
from copilot_analytics_graphql import Credentials, Principal, SignInCodes
from copilot_analytics_graphql.dashboard.sessions import COOKIE, Sessions

NOW_MS = 1_750_000_000_000
HOUR_MS = 3_600_000
KEY = "k" * 32
ROOT = Principal("root", "admin")


def scope_of(value: str) -> dict[str, Any]:
    cookie = f"theme=dark; {COOKIE}={value}; other=1".encode()
    return {"type": "http", "headers": [(b"cookie", cookie)]}


def known(sessions: Sessions, value: str) -> Principal | None:
    return asyncio.run(sessions.authenticate(Credentials(scope_of(value))))


def test_a_cookie_says_who_it_is_in_every_process_with_the_key() -> None:
    value, principal = Sessions(FakeClock(NOW_MS), KEY).begin(ROOT)
    found = known(Sessions(FakeClock(NOW_MS), KEY), value)

    assert principal == replace(ROOT, expires_at=NOW_MS + 8 * HOUR_MS)
    assert found == principal
    assert known(Sessions(FakeClock(NOW_MS), "x" * 32), value) is None
    assert known(Sessions(FakeClock(NOW_MS)), value) is None


def test_a_session_ends_by_itself_and_with_its_token() -> None:
    clock = FakeClock(NOW_MS)
    sessions = Sessions(clock, KEY, hours=1)
    long, _ = sessions.begin(ROOT)
    short, _ = sessions.begin(replace(ROOT, expires_at=NOW_MS + 1_000))

    clock.advance(999)
    assert known(sessions, short) == replace(ROOT, expires_at=NOW_MS + 1_000)
    clock.advance(1)
    assert known(sessions, short) is None
    clock.advance(HOUR_MS - 1_001)
    assert known(sessions, long) is not None
    clock.advance(1)
    assert known(sessions, long) is None


def test_a_session_that_was_ended_is_over_for_its_copies_too() -> None:
    sessions = Sessions(FakeClock(NOW_MS), KEY)
    value, _ = sessions.begin(ROOT)
    another, _ = sessions.begin(ROOT)

    assert sessions.end(scope_of(value))
    assert not sessions.end(scope_of(value))
    assert known(sessions, value) is None
    assert known(sessions, another) is not None


def test_revoking_a_token_ends_its_sessions() -> None:
    valid = True

    async def still_valid() -> bool:
        return valid

    sessions = Sessions(FakeClock(NOW_MS), KEY)
    value, _ = sessions.begin(replace(ROOT, still_valid=still_valid))
    found = known(sessions, value)
    assert found is not None
    ask = found.still_valid  # as open sockets do
    assert ask is not None

    async def asked() -> bool:
        return await ask()

    assert asyncio.run(asked())
    valid = False
    assert not asyncio.run(asked())
    assert known(sessions, value) is None


@given(st.data())
def test_a_cookie_that_is_changed_anywhere_is_nobody_s(data: st.DataObject) -> None:
    sessions = Sessions(FakeClock(NOW_MS), KEY)
    value, _ = sessions.begin(ROOT)
    place = data.draw(st.integers(0, len(value) - 1))
    letter = data.draw(st.sampled_from("abzAZ09-_."))
    changed = f"{value[:place]}{letter}{value[place + 1 :]}"

    assert (known(sessions, changed) is not None) == (changed == value)


@pytest.mark.parametrize("value", ["", ".", "a.b", "%00", "é", '"', "x" * 100_000, "a" * 50 + "."])
def test_odd_cookies_are_nobody_s(value: str) -> None:
    assert known(Sessions(FakeClock(NOW_MS), KEY), value) is None


def test_nothing_of_a_token_is_in_a_cookie_of_anybody() -> None:
    sessions = Sessions(FakeClock(NOW_MS), KEY)
    one, _ = sessions.begin(ROOT)
    two, _ = sessions.begin(ROOT)

    assert one != two
    assert KEY not in one


@pytest.mark.parametrize(
    ("options", "setting"),
    [({"key": "short"}, "session_key"), ({"hours": 0}, "session_hours"), ({"hours": 1e6}, "hours")],
)
def test_what_cannot_be_used_is_refused(options: dict[str, Any], setting: str) -> None:
    with pytest.raises(ConfigurationError, match=setting):
        Sessions(FakeClock(NOW_MS), **options)


def test_a_code_signs_in_once_within_ten_minutes() -> None:
    clock = FakeClock(NOW_MS)
    codes = SignInCodes(clock)
    used, late = codes.issue(ROOT), codes.issue(ROOT)

    assert codes.redeem(used) == ROOT
    assert codes.redeem(used) is None
    clock.advance(10 * 60_000)
    assert codes.redeem(late) is None
    assert codes.redeem("") is None
    assert codes.redeem("\udcff") is None


def test_codes_are_bounded() -> None:
    codes = SignInCodes(FakeClock(NOW_MS))
    issued = [codes.issue(ROOT) for _ in range(101)]

    assert codes.redeem(issued[0]) is None
    assert codes.redeem(issued[1]) == ROOT
