"""Who waits until so many events are settled: stored, or dropped for good."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import Future

__all__ = ["Waiters", "resolve"]


class Waiters:
    """Those who wait, each for a number of events. Whoever uses it holds a lock."""

    def __init__(self) -> None:
        self._waiting: list[tuple[float, Future[bool]]] = []

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def add(self, target: float, waiting: Future[bool]) -> None:
        """Have somebody wait until so many events are settled."""
        # Those who gave up are not kept: an outage may be long, and many may ask.
        self._waiting = [waiter for waiter in self._waiting if not waiter[1].done()]
        self._waiting.append((target, waiting))

    def reached(self, settled: float) -> list[Future[bool]]:
        """Return those who need wait no longer, and forget them."""
        ready = [waiting for target, waiting in self._waiting if target <= settled]
        self._waiting = [waiter for waiter in self._waiting if waiter[0] > settled]
        return ready


def resolve(ready: Iterable[Future[bool]], result: bool) -> None:
    """Tell those who waited what came of it; outside of locks, for they may do anything then."""
    for waiting in ready:
        if waiting.set_running_or_notify_cancel():
            waiting.set_result(result)
