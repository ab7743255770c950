"""Fragmented messages, put together again without holding up or keeping what passes by."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from typing import Generic, Self, TypeVar

__all__ = ["Assembly", "AsyncFragments", "Fragments"]

MAX_MESSAGE_LENGTH = 2**20
"""Longer messages are not put together: it is what `websockets` accepts from a client by default.

Code points of text, bytes of binary messages.
"""

T = TypeVar("T")


class Assembly:
    """The fragments of one message so far; beyond the limit they are let go."""

    __slots__ = ("_length", "_parts")

    def __init__(self) -> None:
        self._parts: list[str | bytes] = []
        self._length = 0

    def add(self, fragment: object) -> None:
        """Note a fragment; one that is neither text nor bytes makes the message unreadable."""
        if isinstance(fragment, (bytearray, memoryview)):
            fragment = bytes(fragment)
        if not isinstance(fragment, (str, bytes)):
            self._length = MAX_MESSAGE_LENGTH + 1
        elif self._length <= MAX_MESSAGE_LENGTH:
            self._length += len(fragment)
            self._parts.append(fragment)
        if self._length > MAX_MESSAGE_LENGTH:
            self._parts.clear()

    def message(self) -> str | bytes | None:
        """Return the whole message; None if there was none, or it was too long or unreadable."""
        if not self._parts:
            return None
        if isinstance(self._parts[0], str):
            return "".join(part for part in self._parts if isinstance(part, str))
        return b"".join(part for part in self._parts if isinstance(part, bytes))


class Fragments(Generic[T]):
    """An iterable's fragments, noted as they pass.

    A plain iterator and no generator, so that the iterable below is asked, and let go, exactly when
    it would be without this. It goes on where it is however often `iter` is called, as `send` does.
    """

    __slots__ = ("_assembly", "_iterator", "_source")

    def __init__(self, source: Iterable[T], assembly: Assembly) -> None:
        self._source = source
        self._assembly = assembly
        self._iterator: Iterator[T] | None = None

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> T:
        if self._iterator is None:
            self._iterator = iter(self._source)
        fragment = next(self._iterator)
        self._assembly.add(fragment)
        return fragment


class AsyncFragments(Generic[T]):
    """An asynchronous iterable's fragments, noted as they pass; see `Fragments`."""

    __slots__ = ("_assembly", "_iterator", "_source")

    def __init__(self, source: AsyncIterable[T], assembly: Assembly) -> None:
        self._source = source
        self._assembly = assembly
        self._iterator: AsyncIterator[T] | None = None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        if self._iterator is None:
            self._iterator = aiter(self._source)
        fragment = await anext(self._iterator)
        self._assembly.add(fragment)
        return fragment
