"""Who is on the other end, as frameworks and requests say it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from copilot_analytics_plugins._identity import header_value, query_value, signed_in_user


class Nameless:
    is_authenticated = True

    @property
    def identity(self) -> str:
        raise NotImplementedError


def user(**attributes: Any) -> dict[str, Any]:
    return {"user": SimpleNamespace(**attributes)}


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        ({}, None),
        ({"user": None}, None),
        (user(), None),
        (user(is_authenticated=False, identity="ada"), None),
        (user(is_authenticated=True, identity="ada", display_name="Ada"), "ada"),
        (user(is_authenticated=True, identity=7), "7"),
        (user(is_authenticated=True, identity="", display_name="Ada"), "Ada"),
        (user(is_authenticated=True), None),
        ({"user": Nameless()}, None),
    ],
)
def test_signed_in_user(scope: dict[str, Any], expected: str | None) -> None:
    assert signed_in_user(scope) == expected


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([], None),
        ([(b"x-user", b"ada")], "ada"),
        ([(b"X-USER", b" ada ")], "ada"),
        ([(b"x-user", b""), (b"x-user", b"bob")], "bob"),
        ([(b"x-user", b"  ")], None),
        ([(b"x-users", b"ada")], None),
        ([(b"x-user", "ä".encode("latin-1"))], "ä"),
    ],
)
def test_header_value(headers: list[tuple[bytes, bytes]], expected: str | None) -> None:
    assert header_value(headers, "X-User") == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", None),
        ("user=ada", "ada"),
        ("a=1&user=&user=bob", "bob"),
        ("user=%C3%A4+b", "ä b"),
        ("users=ada", None),
        ("user", None),
    ],
)
def test_query_value(query: str, expected: str | None) -> None:
    assert query_value(query, "user") == expected
