"""How long the endpoint waits for clients: one timer for all of them.

A timer a request, as `asyncio.timeout` sets one, costs as much as looking a held response up.
"""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

__all__ = ["Patience"]


class Patience:
    """Ends waits that take too long, looking after them once a second while there are any.

    `with patience.wait():` around awaits of the running task raises TimeoutError in it between
    `seconds` and a second more. A cancellation from elsewhere goes its way. Waits may not be
    nested. May be used from several event loops.

    Args:
        seconds: how long a wait may take.
    """

    TICK_SECONDS = 1.0

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._waits: dict[asyncio.AbstractEventLoop, dict[_Wait, float]] = {}

    def wait(self) -> _Wait:
        """Return a context manager for one wait."""
        return _Wait(self)

    def _begin(self, wait: _Wait) -> None:
        loop = wait.loop
        waits = self._waits.get(loop)
        if waits is None:
            waits = self._waits[loop] = {}
            loop.call_later(self.TICK_SECONDS, self._tick, loop)
        waits[wait] = loop.time() + self._seconds

    def _end(self, wait: _Wait) -> None:
        self._waits.get(wait.loop, {}).pop(wait, None)

    def _tick(self, loop: asyncio.AbstractEventLoop) -> None:
        waits = self._waits[loop]
        if not waits:
            del self._waits[loop]
            return
        now = loop.time()
        for wait, due in list(waits.items()):
            if due <= now:
                del waits[wait]
                wait.expire()
        loop.call_later(self.TICK_SECONDS, self._tick, loop)


class _Wait:
    """One wait of one task."""

    __slots__ = ("_expired", "_patience", "_task", "loop")

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._expired = False
        self.loop = asyncio.get_running_loop()
        self._task = asyncio.current_task(self.loop)

    def expire(self) -> None:
        self._expired = True
        if self._task is not None:
            self._task.cancel()

    def __enter__(self) -> Self:
        self._patience._begin(self)
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._patience._end(self)
        # As `asyncio.timeout` does: the cancellation is ours if nobody else has asked for one.
        if (
            self._expired
            and self._task is not None
            and self._task.uncancel() <= 0
            and exc_type is asyncio.CancelledError
        ):
            raise TimeoutError from exc
