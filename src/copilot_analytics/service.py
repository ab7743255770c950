"""The service: what the application says about itself, and every question about what happened."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from ._guard import Guard
from ._listening import Listener
from ._measurements import Measurements
from .errors import StoreError, StoreUnavailableError
from .event_log import EventFilter, EventLog, EventPage, EventPosition
from .events import AnalyticsEvent, EventType, Observation
from .periods import DateRange
from .queries import RecorderHealth
from .reading import Questions
from .recorder import Recorder
from .redaction import bound_id
from .stores.base import Erasure, EventSelection, Store
from .tracking import OpenConnections
from .typing import Clock

__all__ = ["AnalyticsService"]

_T = TypeVar("_T")

_FLUSH_SECONDS = 5.0
"""How long an erasure waits for what is recorded but not stored; most writes take 50 ms."""


class AnalyticsService(Questions):
    """Tracks what no socket shows, and answers the questions.

    The `track_…` methods return at once and may be called from any thread. They never raise and
    drop what they cannot use, counted in `recorder_health()`; in strict mode they say what is
    wrong. None takes the text of a message, and error messages are stored normalised only.

    Made by `Analytics`, see `Analytics.service`.

    Args:
        store: where the rollups are; not owned.
        recorder: takes what is tracked; not owned.
        clock: tells now.
        guard: keeps failures of ours away from the host.
        stored_user_id: maps a user's id to the one that is stored (a pseudonym, if configured).
        open_connections: knows which connections are open; None where this process tracks none.
        rollup_retention_days: how many days of rollups are kept.
        measurements: note how long answers take; None keeps them to itself.
    """

    def __init__(
        self,
        store: Store,
        recorder: Recorder,
        *,
        clock: Clock,
        guard: Guard,
        stored_user_id: Callable[[str], str],
        open_connections: OpenConnections | None = None,
        rollup_retention_days: int = 800,
        measurements: Measurements | None = None,
    ) -> None:
        super().__init__(
            store,
            clock,
            stored_user_id=stored_user_id,
            rollup_retention_days=rollup_retention_days,
            measurements=measurements,
        )
        self._store = store
        self._log = EventLog(store)
        self._recorder = recorder
        self._guard = guard
        self._open = open_connections or OpenConnections()

    def track_event(
        self,
        event_type: EventType | str,
        user_id: str,
        *,
        conversation_id: str | None = None,
        connection_id: str | None = None,
        metadata: Mapping[str, object] | None = None,
        timestamp: int | None = None,
    ) -> None:
        """Track an event of any type.

        Args:
            event_type: one of `EventType`, or its name.
            user_id: whose it is, as the application knows them.
            conversation_id: the thread of messages, if known.
            connection_id: the socket, if any.
            metadata: by the names of `METADATA_KEYS`; others are left out and counted.
            timestamp: when it happened, epoch milliseconds; None means now.

        Raises:
            ValueError: there is no such event type; in strict mode only.
            TypeError: an argument is of the wrong type; in strict mode only.
        """
        with self._guard("service.track_event"):
            self._track(
                _event_type(event_type),
                user_id,
                conversation_id,
                dict(_checked("metadata", metadata or {}, Mapping)),
                connection_id,
                timestamp,
            )

    def track_command_execution(
        self,
        user_id: str,
        command_name: str,
        success: bool,
        execution_time: float | None = None,
        conversation_id: str | None = None,
    ) -> None:
        """Track a command that ran.

        Args:
            user_id: for whom, as the application knows them.
            command_name: which command.
            success: whether it did what was asked.
            execution_time: how long it took, in milliseconds, if known.
            conversation_id: the thread of messages, if known.

        Raises:
            TypeError: an argument is of the wrong type; in strict mode only.
        """
        with self._guard("service.track_command_execution"):
            metadata: dict[str, object] = {
                "command_name": _checked("command_name", command_name, str),
                "success": _checked("success", success, bool),
            }
            if execution_time is not None:
                metadata["execution_ms"] = _checked("execution_time", execution_time, (int, float))
            event_type = EventType.ACTION_EXECUTED if success else EventType.ACTION_FAILED
            self._track(event_type, user_id, conversation_id, metadata)

    def track_error(
        self,
        user_id: str,
        error_type: str,
        message: str = "",
        conversation_id: str | None = None,
        metadata: Mapping[str, object] | None = None,
    ) -> None:
        """Track an error.

        Args:
            user_id: who met it, as the application knows them.
            error_type: its class or code.
            message: what it says; personal data is taken out before anything else sees it.
            conversation_id: the thread of messages, if known.
            metadata: more, by the names of `METADATA_KEYS[EventType.ERROR_OCCURRED]`.

        Raises:
            TypeError: an argument is of the wrong type; in strict mode only.
        """
        with self._guard("service.track_error"):
            self._track(
                EventType.ERROR_OCCURRED,
                user_id,
                conversation_id,
                {
                    **_checked("metadata", metadata or {}, Mapping),
                    "error_type": _checked("error_type", error_type, str),
                    "error_message": _checked("message", message, str),
                },
            )

    async def events(
        self,
        filter: EventFilter,
        range: DateRange,
        *,
        first: int = 50,
        after: EventPosition | None = None,
        stored: bool = False,
    ) -> EventPage:
        """Return single events, newest first; see `EventLog.events`.

        A filter's `user_id` is the id that the application knows; with `stored` the one that
        answers show: a pseudonym, where those are configured.
        """
        if filter.user_id is not None and not stored:
            filter = replace(filter, user_id=self._stored_user_id(filter.user_id))
        return await self._ask(self._log.events, filter, range, first=first, after=after)

    async def conversation(
        self,
        conversation_id: str,
        user_id: str,
        range: DateRange,
        *,
        first: int = 200,
        after: EventPosition | None = None,
        stored: bool = False,
    ) -> EventPage:
        """Return what happened in a user's conversation, oldest first; see `events` for ids."""
        if not stored:
            user_id = self._stored_user_id(user_id)
        return await self._ask(
            self._log.conversation, conversation_id, user_id, range, first=first, after=after
        )

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Have somebody told of what this process records; see `Recorder.listen`."""
        return self._recorder.listen(listener)

    async def newest_events(
        self, selection: EventSelection, *, limit: int
    ) -> Sequence[AnalyticsEvent]:
        """Return the newest events of a selection, oldest of them first; of any process.

        Args:
            selection: which events.
            limit: how many at most.
        """
        found = await self._in_thread(self._store.events, selection, limit=limit)
        return found[::-1]

    async def erase_user(self, user_id: str) -> Erasure:
        """Remove a user from the store, see `Store.erase_user`; idempotent.

        What this process has recorded of them is stored first. What other processes have recorded
        and not stored yet, and what the user does from now on, stays: repeat it for those.

        Cancelling it abandons its answer; the erasure itself goes on in its thread.

        Args:
            user_id: the id that the application knows, or the one that answers show. Where
                pseudonyms are configured, both are erased: what was stored under the pseudonym, and
                what was stored under the id itself before.

        Raises:
            StoreUnavailableError: not everything recorded could be stored in 5 s, and nothing was
                erased; or the store says so.
            StoreError: the store cannot erase.
        """
        if not await self._recorder.flush(_FLUSH_SECONDS):
            raise StoreUnavailableError(
                self._store.url,
                "events that may be the user's wait to be stored",
                "erase again when the recorder's pending events are fewer",
            )
        erased = Erasure()
        for stored_id in dict.fromkeys((self._stored_user_id(user_id), bound_id(user_id))):
            erased += await self._in_thread(self._store.erase_user, stored_id)
        return erased

    def open_connections(self) -> int | None:
        """Return how many connections this process tracks now; None where it never tracked any."""
        return self._open.count

    async def recorder_health(self) -> RecorderHealth:
        """Return how the recorder is doing, with the store's own figures where it can be read."""
        health = self._recorder.health()
        return replace(health, store_statistics=await self._in_thread(self._statistics))

    def _statistics(self) -> dict[str, int]:
        try:
            return dict(self._store.statistics())
        except StoreError:
            return {}

    def _track(
        self,
        event_type: EventType,
        user_id: str,
        conversation_id: str | None,
        metadata: dict[str, object],
        connection_id: str | None = None,
        timestamp: int | None = None,
    ) -> None:
        self._recorder.record(
            Observation(
                event_type,
                self._stored_user_id(_checked("user_id", user_id, str)),
                self._clock.now_ms() if timestamp is None else timestamp,
                conversation_id,
                connection_id,
                metadata,
            )
        )


def _event_type(value: EventType | str) -> EventType:
    try:
        return EventType(value)
    except ValueError:
        raise ValueError(
            f"{value!r} is no event type: give one of {', '.join(EventType)}"
        ) from None


def _checked(argument: str, value: _T, kind: type | tuple[type, ...]) -> _T:
    if not isinstance(value, kind):
        kinds = kind if isinstance(kind, tuple) else (kind,)
        raise TypeError(
            f"{argument} is a {type(value).__qualname__}: "
            f"give {' or '.join(one.__qualname__ for one in kinds)}"
        )
    return value
