"""The `Analytics` objects that are in use, for code that is not handed one."""

from __future__ import annotations

from typing import Protocol
from weakref import WeakSet

from ._guard import Guard
from .errors import ConfigurationError
from .events import Observation
from .typing import Clock

__all__ = ["LiveAnalytics", "forget", "live", "only", "register"]


class _Config(Protocol):
    @property
    def enabled(self) -> bool: ...


class _Recorder(Protocol):
    def record(self, observation: Observation) -> None: ...


class LiveAnalytics(Protocol):
    """What the explicit API needs of an `Analytics`."""

    @property
    def clock(self) -> Clock:
        """Tells the time."""
        ...

    @property
    def config(self) -> _Config:
        """Says whether analytics is switched on."""
        ...

    @property
    def guard(self) -> Guard:
        """Keeps failures away from the host."""
        ...

    @property
    def recorder(self) -> _Recorder:
        """Takes observations."""
        ...

    def stored_user_id(self, user_id: str) -> str:
        """Return the stored form of a user's id."""
        ...


_live: WeakSet[LiveAnalytics] = WeakSet()


def register(analytics: LiveAnalytics) -> None:
    """Note that an `Analytics` is in use; it is held weakly."""
    _live.add(analytics)


def forget(analytics: LiveAnalytics) -> None:
    """Note that an `Analytics` was closed; nothing if it was not in use."""
    _live.discard(analytics)


def live() -> tuple[LiveAnalytics, ...]:
    """Return all that are in use."""
    return tuple(_live)


def only() -> LiveAnalytics:
    """Return the one that is in use.

    Raises:
        ConfigurationError: there is none, or more than one.
    """
    found = live()
    if len(found) == 1:
        return found[0]
    if found:
        raise ConfigurationError(
            "analytics", None, f"there are {len(found)} in use here, say which: analytics=…"
        )
    raise ConfigurationError("analytics", None, "make one first: Analytics(…)")
