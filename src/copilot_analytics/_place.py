"""Where the code that runs now is: on whose connection, inside of what."""

from __future__ import annotations

import logging
import time
from contextvars import ContextVar, Token
from types import TracebackType

from ._live import LiveAnalytics, live, only
from .errors import ConfigurationError
from .tracking import Activity, CommandRun, ConnectionTracker, StepsRun, StreamRun

__all__ = ["Place", "bind", "current_place", "enter", "find", "leave", "miss"]

Place = tuple[Activity, CommandRun | StreamRun | StepsRun | None]
"""On whose connection, and inside of what."""

_place: ContextVar[Place | None] = ContextVar("copilot_analytics_place", default=None)

_LOG_INTERVAL_SECONDS = 60.0

_log = logging.getLogger("copilot_analytics.current")


class bind:  # reads as the function it is used as
    """Makes a connection the current one: `with bind(tracker):` around its handler.

    Entered and never left, it holds until the task ends.

    Args:
        tracker: the connection's tracker.
    """

    __slots__ = ("_token", "_tracker")

    def __init__(self, tracker: ConnectionTracker) -> None:
        self._tracker = tracker
        self._token: Token[Place | None] | None = None

    def __enter__(self) -> None:
        self._token = _place.set((self._tracker, None))

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        leave(self._token)


def current_place() -> Place | None:
    """Return where the code that runs now is; None outside of any connection or piece of work."""
    return _place.get()


def enter(place: Place) -> Token[Place | None]:
    """Be somewhere from now on, until `leave`."""
    return _place.set(place)


def find(caller: str, user_id: str | None, analytics: LiveAnalytics | None) -> Activity | None:
    """Return what a call belongs to; None, logged now and then, if that cannot be told."""
    place = _place.get()
    if place is not None and analytics is None:
        if user_id is None:
            return place[0]
        with place[0].guard("current.find"):
            return place[0].apart(user_id)
        return None
    if user_id is None:
        miss(caller, "called outside a tracked connection and without a user_id")
        return None
    try:
        analytics = analytics or only()
    except ConfigurationError:
        miss(caller, "called without analytics=, where not exactly one Analytics is in use")
        return None
    if not analytics.config.enabled:
        return None
    with analytics.guard("current.find"):
        return Activity(
            analytics.recorder.record,
            clock=analytics.clock,
            user_id=analytics.stored_user_id(user_id),
            stored_user_id=analytics.stored_user_id,
            guard=analytics.guard,
        )
    return None


def leave(token: Token[Place | None] | None) -> None:
    """Be again where one was before `enter`."""
    if token is not None:
        try:
            _place.reset(token)
        except ValueError:
            # Left in another context than entered (a generator's, say): nothing was set here.
            return


class _Misses:
    """Calls that nothing could be done with: logged at most once a minute."""

    def __init__(self) -> None:
        self._due = 0.0

    def note(self, caller: str, problem: str) -> None:
        found = live()
        if found and not any(analytics.config.enabled for analytics in found):
            return  # switched off: that is no mistake
        now = time.monotonic()
        if now >= self._due:
            self._due = now + _LOG_INTERVAL_SECONDS
            _log.warning("%s was %s: nothing is recorded", caller, problem)


_misses = _Misses()
miss = _misses.note
