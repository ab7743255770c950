"""The only broad `except` of the project: a failure of ours is a log line and a counter."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from types import TracebackType

__all__ = ["Guard"]

_LOG_INTERVAL_SECONDS = 60.0


class Guard:
    """Keeps exceptions of analytics away from the host.

    Use `with guard("place"):` around work that must not fail. An `Exception` inside is counted by
    place and logged at most once a minute a place, by its type only (its arguments may hold user
    data); `CancelledError` and other `BaseException`s pass. With `strict=True` (tests) it is
    counted and re-raised. Thread-safe, re-entrant.

    Attributes:
        strict: re-raise instead of swallowing.
    """

    def __init__(self, *, strict: bool = False) -> None:
        self.strict = strict
        self._errors: Counter[str] = Counter()
        self._logged: dict[str, float] = {}
        self._lock = threading.Lock()
        self._log = logging.getLogger("copilot_analytics.guard")

    @property
    def errors(self) -> dict[str, int]:
        """How many exceptions were caught, by place."""
        with self._lock:
            return dict(self._errors)

    def __call__(self, place: str) -> _Guarded:
        """Return a context manager for one piece of work at `place`."""
        return _Guarded(self, place)

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


class _Guarded:
    __slots__ = ("_guard", "_place")

    def __init__(self, guard: Guard, place: str) -> None:
        self._guard = guard
        self._place = place

    def __enter__(self) -> None:
        return None

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        if not isinstance(exc, Exception):
            return False
        self._guard.caught(self._place, exc)
        return not self._guard.strict
