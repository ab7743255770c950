"""Single events: pages of them, and what happened in one conversation. A bounded read each.

Stores find events by time, type and user. Whatever else is asked for filters what these select, so
that a page may be short, or empty, before the end: it says where the next one goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from .errors import QuestionError
from .events import AnalyticsEvent, EventType
from .periods import DateRange
from .queries import MAX_LIMIT
from .redaction import bound_id
from .stores.base import EventSelection, Store

__all__ = ["EventFilter", "EventLog", "EventPage", "EventPosition"]

MAX_READ_EVENTS = 5_000
"""What one page looks at: some 10 ms in SQLite, and one or two megabytes of a DynamoDB table."""

_CHUNK_EVENTS = 1_000


class EventPosition(NamedTuple):
    """A place in the order of events, which need not be that of an event."""

    timestamp: int
    event_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFilter:
    """Which events; every attribute that is not None has to hold.

    Attributes:
        event_type: of this type.
        user_id: of this user, by their stored id.
        conversation_id: of this conversation, by its id as the application knows it.
        command: that name this command.
        error_type: that name this error type.
        fingerprint: of this error pattern, by its fingerprint.
    """

    event_type: EventType | None = None
    user_id: str | None = None
    conversation_id: str | None = None
    command: str | None = None
    error_type: str | None = None
    fingerprint: str | None = None

    def means(self, event: AnalyticsEvent) -> bool:
        """Say whether any event is meant."""
        return (
            self.event_type in (None, event.event_type)
            and self.user_id in (None, event.user_id)
            and self.matches(event)
        )

    def matches(self, event: AnalyticsEvent) -> bool:
        """Say whether an event that a store selected by type and user is meant."""
        metadata = event.metadata
        return (
            self.conversation_id in (None, event.conversation_id)
            and self.command in (None, metadata.get("command_name"))
            and self.error_type in (None, metadata.get("error_type"))
            and self.fingerprint in (None, metadata.get("fingerprint"))
        )

    @property
    def is_selection(self) -> bool:
        """Whether type and user are all that it asks for."""
        rest = (self.conversation_id, self.command, self.error_type, self.fingerprint)
        return rest == (None,) * len(rest)


@dataclass(frozen=True, slots=True)
class EventPage:
    """Some events, in order.

    Attributes:
        events: what was found; fewer than asked for also where reading ended before the end.
        end: after which place the next page goes on: the last event's, or beyond it where what
            follows was looked at and did not match; None at the end.
    """

    events: tuple[AnalyticsEvent, ...]
    end: EventPosition | None


class EventLog:
    """Reads the events of a store.

    Args:
        store: where they are; not owned.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def events(
        self,
        filter: EventFilter,
        range: DateRange,
        *,
        first: int,
        after: EventPosition | None = None,
        newest_first: bool = True,
    ) -> EventPage:
        """Return the next `first` (1..1000) events, or fewer; looks at 5,000 at most.

        Args:
            filter: which events.
            range: of which days.
            first: how many at most.
            after: only those after this place, in the order asked for.
            newest_first: in falling order of time instead of rising.

        Raises:
            QuestionError: `first` is out of its bounds.
        """
        if not 1 <= first <= MAX_LIMIT:
            raise QuestionError("first", first, f"give a number from 1 to {MAX_LIMIT}")
        if filter.conversation_id is not None:
            filter = replace(filter, conversation_id=bound_id(filter.conversation_id))
        selection = EventSelection(
            start_ms=range.start_ms,
            end_ms=range.end_ms - 1,
            event_type=filter.event_type,
            user_id=filter.user_id,
        )

        def read(place: EventPosition | None, limit: int) -> Sequence[AnalyticsEvent]:
            return self._store.events(
                selection, after=place, limit=limit, newest_first=newest_first
            )

        if filter.is_selection:
            # One more than asked for tells whether there is a next page.
            found = read(after, first + 1)
            return _page(found[:first], more=len(found) > first)
        return _filtered(read, filter.matches, first, after)

    def conversation(
        self,
        conversation_id: str,
        stored_user_id: str,
        range: DateRange,
        *,
        first: int,
        after: EventPosition | None = None,
    ) -> EventPage:
        """Return what happened in one user's conversation, oldest first; bounded as `events`.

        Stores find it among the events of its user: the shorter the range, the sooner.
        """
        filter = EventFilter(user_id=stored_user_id, conversation_id=conversation_id)
        return self.events(filter, range, first=first, after=after, newest_first=False)


def _filtered(
    read: Callable[[EventPosition | None, int], Sequence[AnalyticsEvent]],
    matches: Callable[[AnalyticsEvent], bool],
    first: int,
    after: EventPosition | None,
) -> EventPage:
    found: list[AnalyticsEvent] = []
    looked_at = 0
    while looked_at < MAX_READ_EVENTS:
        events = read(after, _CHUNK_EVENTS)
        for event in events:
            if matches(event):
                if len(found) == first:
                    return _page(found, more=True)
                found.append(event)
        if len(events) < _CHUNK_EVENTS:
            return _page(found, more=False)
        looked_at += len(events)
        after = _position(events[-1])
    return EventPage(tuple(found), after)


def _page(events: Sequence[AnalyticsEvent], *, more: bool) -> EventPage:
    return EventPage(tuple(events), _position(events[-1]) if more else None)


def _position(event: AnalyticsEvent) -> EventPosition:
    return EventPosition(event.timestamp, event.event_id)
