"""Fragments are put together as they pass, within a bound."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from copilot_analytics_plugins._fragments import (
    MAX_MESSAGE_LENGTH,
    Assembly,
    AsyncFragments,
    Fragments,
)


@pytest.mark.parametrize(
    ("fragments", "message"),
    [
        ([], None),
        (["a"], "a"),
        (["a", "", "b"], "ab"),
        ([b"a", bytearray(b"b"), memoryview(b"c")], b"abc"),
        (["a", 1], None),
        ([object(), "a"], None),
        (["x" * MAX_MESSAGE_LENGTH], "x" * MAX_MESSAGE_LENGTH),
        (["x" * MAX_MESSAGE_LENGTH, "y"], None),
        (["x" * MAX_MESSAGE_LENGTH, "y", "z"], None),
    ],
)
def test_message_is_its_fragments(fragments: list[object], message: str | bytes | None) -> None:
    assembly = Assembly()
    for fragment in fragments:
        assembly.add(fragment)
    assert assembly.message() == message


def test_iterating_goes_on_where_it_is() -> None:
    assembly = Assembly()
    fragments = Fragments(["a", "b", "c"], assembly)
    assert next(iter(fragments)) == "a"
    assert list(fragments) == ["b", "c"]
    assert assembly.message() == "abc"


def test_asynchronous_iterating_goes_on_where_it_is() -> None:
    async def arriving() -> AsyncIterator[str]:
        for text in ("a", "b", "c"):
            yield text

    async def main() -> list[str]:
        first = await anext(aiter(fragments))
        return [first, *[text async for text in fragments]]

    assembly = Assembly()
    fragments = AsyncFragments(arriving(), assembly)
    assert asyncio.run(main()) == ["a", "b", "c"]
    assert assembly.message() == "abc"
