"""Waiting for other threads, on an event loop or outside of one, for a bounded time."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future

__all__ = ["in_daemon", "resolved", "result", "result_blocking"]


def resolved(value: bool) -> Future[bool]:
    """Return a future that is done."""
    future: Future[bool] = Future()
    future.set_result(value)
    return future


def in_daemon(call: Callable[[], object], name: str) -> Future[bool]:
    """Run a call that never raises in a thread that does not keep the process from ending."""
    future: Future[bool] = Future()

    def run() -> None:
        call()
        if future.set_running_or_notify_cancel():
            future.set_result(True)

    threading.Thread(target=run, name=name, daemon=True).start()
    return future


async def result(future: Future[bool], timeout: float | None) -> bool:
    """Return the result of a future, without blocking the loop; False after the time-out.

    Args:
        future: what to wait for; cancelled with its waiter and by the time-out.
        timeout: how long to wait, in seconds; None means for ever.
    """
    if future.done():
        return future.result()
    try:
        async with asyncio.timeout(timeout):
            return await asyncio.wrap_future(future)
    except TimeoutError:
        return False


def result_blocking(future: Future[bool], timeout: float | None) -> bool:
    """Return the result of a future; False after the time-out, in seconds, which cancels it."""
    try:
        return future.result(timeout)
    except TimeoutError:
        future.cancel()
        return False
