"""Turns on the event loop: many messages at once must not keep a copilot beside us from it."""

from __future__ import annotations

import asyncio
from collections import deque

__all__ = ["Turns"]


class Turns:
    """Lets so many tasks go on in one turn of the event loop, and the others in the next ones.

    Whoever awaits `take()` goes on at once while the turn has room, else later, in the order in
    which they came. Belongs to one event loop at a time.

    Args:
        each: how many in one turn.
    """

    def __init__(self, each: int) -> None:
        self._each = each
        self._loop: asyncio.AbstractEventLoop | None = None
        self._left = each
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def take(self) -> None:
        """Wait for room in a turn."""
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            self._loop, self._left, self._waiting = loop, self._each, deque()
        if self._left == self._each:
            loop.call_soon(self._turn)
        if self._left and not self._waiting:
            self._left -= 1
            return
        waiter = loop.create_future()
        self._waiting.append(waiter)
        await waiter

    def _turn(self) -> None:
        self._left = self._each
        while self._waiting and self._left:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                self._left -= 1
        if self._left < self._each and self._loop is not None:
            self._loop.call_soon(self._turn)
