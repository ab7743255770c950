"""The only broad `except` of the project: a failure of ours is a log line and a counter."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from types import TracebackType
from typing import Self

from ._forking import renew_in_children

__all__ = ["Attempt", "Guard"]

_LOG_INTERVAL_SECONDS = 60.0


class Guard:
    """Keeps exceptions of analytics away from the host.

    Use `with guard("place"):` around work that must not fail. An `Exception` inside is counted by
    place and logged at most once a minute a place, by its type only (its arguments may hold user
    data); `CancelledError` and other `BaseException`s pass. With `strict=True` (tests) it is
    counted and re-raised. Thread-safe, re-entrant, usable after a fork.

    Attributes:
        strict: re-raise instead of swallowing.
    """

    def __init__(self, *, strict: bool = False) -> None:
        self.strict = strict
        self._errors: Counter[str] = Counter()
        self._logged: dict[str, float] = {}
        # Re-entrant: a signal handler may fail as well while its thread is in here.
        self._lock = threading.RLock()
        self._log = logging.getLogger("copilot_analytics.guard")
        renew_in_children(self)

    @property
    def errors(self) -> dict[str, int]:
        """How many exceptions were caught, by place."""
        with self._lock:
            return dict(self._errors)

    def __call__(self, place: str) -> Attempt:
        """Return a context manager for one piece of work at `place`."""
        return Attempt(self, place, reraise=self.strict)

    def attempt(self, place: str) -> Attempt:
        """Return one that never re-raises, not even in strict mode, for threads of our own.

        Nobody could catch what they raise, and what they still have to do would be left undone.
        """
        return Attempt(self, place, reraise=False)

    def caught(self, place: str, exc: Exception) -> None:
        """Count an exception that a hot path caught by itself, and log it if it is due."""
        now = time.monotonic()
        with self._lock:
            self._errors[place] += 1
            count = self._errors[place]
            due = now - self._logged.get(place, -_LOG_INTERVAL_SECONDS) >= _LOG_INTERVAL_SECONDS
            if due:
                self._logged[place] = now
        if due:
            self._log.error(
                "analytics failed in %s with %s (%d so far); the host goes on",
                place,
                type(exc).__qualname__,
                count,
            )

    def renew_in_child(self) -> None:
        """Start anew in a forked child: another thread may have held the lock."""
        self._lock = threading.RLock()
        self._errors.clear()
        self._logged.clear()


class Attempt:
    """One guarded piece of work.

    Attributes:
        error: what it raised; None if nothing, or before it ended.
    """

    __slots__ = ("_guard", "_place", "_reraise", "error")

    def __init__(self, guard: Guard, place: str, *, reraise: bool) -> None:
        self._guard = guard
        self._place = place
        self._reraise = reraise
        self.error: Exception | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        if not isinstance(exc, Exception):
            return False
        self.error = exc
        self._guard.caught(self._place, exc)
        return not self._reraise
