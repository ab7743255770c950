"""Answers that are asked for again and again, once for all who follow them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Hashable
from typing import Any, Generic, TypeVar, cast

from copilot_analytics.errors import StoreError

__all__ = ["Updates"]

_T = TypeVar("_T")


class Updates:
    """Asks for what is followed, and tells whenever the answer is another one.

    Belongs to one event loop at a time; nothing runs while nobody follows.
    """

    def __init__(self) -> None:
        self._polls: dict[Hashable, _Poll[Any]] = {}

    async def follow(
        self, key: Hashable, ask: Callable[[], Awaitable[_T]], every: float
    ) -> AsyncGenerator[_T | StoreError, None]:
        """Yield the answer, then each that differs from the one before; the very same to all.

        Whoever is slow gets the newest answer only. While the store cannot be read, its error is
        told once, as an answer.

        Args:
            key: equal for those who get the same: the question, its arguments, whose eyes they are
                for, and `every`.
            ask: asks; called once for all who follow.
            every: how long to wait before asking again, in seconds.

        Raises:
            Exception: what asking raises; that ends it.
        """
        loop = asyncio.get_running_loop()
        poll: _Poll[_T] | None = self._polls.get(key)
        if poll is None or poll.loop is not loop or poll.ended:
            poll = self._polls[key] = _Poll(ask, every, loop)
        poll.followers += 1
        known = 0
        try:
            while True:
                answer, known = await poll.after(known)
                yield answer
        finally:
            poll.followers -= 1
            if not poll.followers:
                poll.end()
                if self._polls.get(key) is poll:
                    del self._polls[key]


class _Poll(Generic[_T]):
    """One question that is asked again and again."""

    def __init__(
        self,
        ask: Callable[[], Awaitable[_T]],
        every: float,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self.loop = loop
        self.followers = 0
        self._ask = ask
        self._every = every
        self._answer: _T | StoreError | None = None
        self._version = 0
        self._changed = asyncio.Event()
        self._task = loop.create_task(self._run())
        self._task.add_done_callback(self._ended)

    @property
    def ended(self) -> bool:
        """Whether nothing comes any more."""
        return self._task.done()

    async def after(self, known: int) -> tuple[_T | StoreError, int]:
        """Wait for an answer newer than a version; return it and its version.

        Raises:
            Exception: what asking raised.
        """
        while self._version == known:
            if self._task.done():
                # Raises what ended it.
                self._task.result()
            await self._changed.wait()
        return cast("_T | StoreError", self._answer), self._version

    def end(self) -> None:
        """Ask no longer."""
        self._task.cancel()

    async def _run(self) -> None:
        while True:
            answer: _T | StoreError
            try:
                answer = await self._ask()
            except StoreError as exc:
                answer = exc
            if not self._version or not _same(answer, self._answer):
                self._answer = answer
                self._version += 1
                self._wake()
            await asyncio.sleep(self._every)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled():
            # Marks it as seen: nobody may be left to be told.
            task.exception()
        self._wake()

    def _wake(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()


def _same(one: object, other: object) -> bool:
    if isinstance(one, StoreError) and isinstance(other, StoreError):
        return str(one) == str(other)
    return one == other
