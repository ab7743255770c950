"""Who is told of events as soon as they are admitted, before anything is stored."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from ._guard import Guard
from .events import AnalyticsEvent

__all__ = ["Listener", "Listeners"]

Listener = Callable[[Sequence[AnalyticsEvent]], None]
"""Takes events in the recorder's thread: it may neither wait nor keep the thread."""


class Listeners:
    """Tells listeners of events, each of all of them; one that fails is counted, and told on.

    Args:
        guard: keeps the listeners' failures away.
    """

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._lock = threading.Lock()
        # Replaced as a whole, so that whoever tells needs no lock.
        self._listeners: tuple[Listener, ...] = ()

    def add(self, listener: Listener) -> Callable[[], None]:
        """Tell a listener from now on; return what ends that, which is idempotent."""
        with self._lock:
            self._listeners = (*self._listeners, listener)
        return lambda: self._remove(listener)

    def _remove(self, listener: Listener) -> None:
        with self._lock:
            self._listeners = tuple(each for each in self._listeners if each is not listener)

    def tell(self, events: Sequence[AnalyticsEvent]) -> None:
        """Tell everybody of events; nothing happens where nobody listens."""
        for listener in self._listeners:
            with self._guard.attempt("recorder.listener"):
                listener(events)
