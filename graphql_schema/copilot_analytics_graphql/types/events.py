"""Single events, as recorded; and what erasing a user removed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import msgspec
import strawberry

from copilot_analytics.encoding import to_stored_names
from copilot_analytics.event_log import EventPage
from copilot_analytics.events import ALL_METADATA_KEYS, METADATA_KEYS, AnalyticsEvent, ValueKind
from copilot_analytics.stores.base import Erasure as StoreErasure

from ..cursors import ListCursors
from ..enums import EventType
from ..scalars import Count, Timestamp
from .pages import Edge, PageInfo

__all__ = ["Conversation", "Erasure", "Event", "EventConnection", "EventMetadata", "ExtraValue"]

_TYPES: Mapping[ValueKind, Any] = {
    ValueKind.COUNT: Count,
    ValueKind.DURATION: float,
    ValueKind.RATIO: float,
    ValueKind.AMOUNT: float,
    ValueKind.FLAG: bool,
    ValueKind.NAME: str,
    ValueKind.LABEL: str,
    ValueKind.ID: strawberry.ID,
    ValueKind.TEXT: str,
    ValueKind.CLOSE_CODE: int,
    ValueKind.END_REASON: str,
}


@strawberry.type(description="A value under a key that the application registered.")
class ExtraValue:
    """One of `extra_keys`."""

    name: str = strawberry.field(description="The key, in camelCase.")
    value: str = strawberry.field(description="The value; a number or flag as JSON writes it.")


def _meaning(name: str) -> str:
    meanings = dict.fromkeys(keys[name].meaning for keys in METADATA_KEYS.values() if name in keys)
    return " Or: ".join(meanings)


def _metadata_type() -> type:
    """Return a type with a field for every documented key: one table says what is stored."""
    annotations: dict[str, Any] = {
        name: _TYPES[key.kind] | None for name, key in ALL_METADATA_KEYS.items()
    }
    fields = {
        name: strawberry.field(default=None, description=_meaning(name)) for name in annotations
    }
    annotations["extra"] = list[ExtraValue]
    fields["extra"] = strawberry.field(
        default_factory=list,
        description="What else the application registered and recorded, by `extra_keys`.",
    )
    return type("EventMetadata", (), {**fields, "__annotations__": annotations})


EventMetadata: Any = strawberry.type(
    _metadata_type(),
    name="EventMetadata",
    description=(
        "What is known of an event; which of these keys it may have depends on its type, the "
        "others are null. Never any text of a message."
    ),
)
"""See `METADATA_KEYS`."""


def _metadata_of(event: AnalyticsEvent) -> Any:
    known = {name: value for name, value in event.metadata.items() if name in ALL_METADATA_KEYS}
    rest = {name: value for name, value in event.metadata.items() if name not in known}
    extra = [
        ExtraValue(
            name=name,
            value=value if isinstance(value, str) else msgspec.json.encode(value).decode(),
        )
        for name, value in to_stored_names(rest).items()
    ]
    return EventMetadata(**known, extra=extra)


@strawberry.type(description="Something that happened, as recorded; without any text of a message.")
class Event:
    """See `AnalyticsEvent`."""

    id: strawberry.ID = strawberry.field(
        description="The event's own id; in order of time where it is recorded."
    )
    event_type: EventType = strawberry.field(description="What happened.")
    user_id: strawberry.ID = strawberry.field(
        description=(
            "Whose it is, by their id as stored: a pseudonym where those are configured; "
            "`anonymous:…`, of its own for each connection, where nobody is signed in."
        )
    )
    timestamp: Timestamp = strawberry.field(description="When it happened.")
    conversation_id: strawberry.ID | None = strawberry.field(
        description="The conversation it belongs to; null where none is known."
    )
    connection_id: strawberry.ID | None = strawberry.field(
        description="The socket it was seen on; null where there was none."
    )
    metadata: object = strawberry.field(
        graphql_type=EventMetadata, description="What else is known of it."
    )

    @classmethod
    def of(cls, event: AnalyticsEvent) -> Self:
        """Return the event."""
        talk, socket = event.conversation_id, event.connection_id
        return cls(
            id=strawberry.ID(event.event_id),
            event_type=event.event_type,
            user_id=strawberry.ID(event.user_id),
            timestamp=Timestamp(event.timestamp),
            conversation_id=None if talk is None else strawberry.ID(talk),
            connection_id=None if socket is None else strawberry.ID(socket),
            metadata=_metadata_of(event),
        )


@strawberry.type(
    description=(
        "A page of events. It may have fewer than asked for, even none, before the end: at most "
        "5,000 events are looked at for it. Go on while `pageInfo.hasNextPage`."
    )
)
class EventConnection:
    """See `event_log.EventPage`."""

    edges: list[Edge[Event]] = strawberry.field(
        description="The page's events, in order; at most `first`."
    )
    page_info: PageInfo = strawberry.field(
        description=(
            "Where the page is. `endCursor` lies beyond the last entry where what follows was "
            "looked at and did not match."
        )
    )

    @classmethod
    def of(cls, page: EventPage, cursors: ListCursors, after: str | None) -> Self:
        """Return a page of the list that follows a cursor."""
        places = [(event.timestamp, event.event_id) for event in page.events]
        end = page.end or (places[-1] if places else None)
        return cls(
            edges=[
                Edge(node=Event.of(event), place=place, cursors=cursors)
                for event, place in zip(page.events, places, strict=True)
            ],
            page_info=PageInfo(
                has_next_page=page.end is not None,
                has_previous_page=after is not None,
                start_cursor=cursors.cursor(places[0]) if places else None,
                end_cursor=None if end is None else cursors.cursor(end),
            ),
        )


@strawberry.type(description="What happened in one conversation of one user, without its text.")
class Conversation:
    """A user's conversation."""

    id: strawberry.ID = strawberry.field(description="The conversation's id, as asked for.")
    user_id: strawberry.ID = strawberry.field(description="Whose it is, by their id as stored.")
    events: EventConnection = strawberry.field(
        description="What happened, oldest first; empty where nothing is known of it."
    )


@strawberry.type(description="What was removed of a user; zeros where nothing was left.")
class Erasure:
    """See `stores.base.Erasure`."""

    user_id: strawberry.ID = strawberry.field(description="Who was erased, by their id as asked.")
    events: Count = strawberry.field(description="Events deleted.")
    rollups: Count = strawberry.field(description="Rows of their own counts deleted, one a day.")
    patterns: Count = strawberry.field(
        description="Error patterns whose list of affected users named them."
    )
    distinct: Count = strawberry.field(
        description=(
            "Sets of distinct users in which a random value took their place; no count changed."
        )
    )

    @classmethod
    def of(cls, user_id: str, erasure: StoreErasure) -> Self:
        """Return what was removed."""
        return cls(
            user_id=strawberry.ID(user_id),
            events=Count(erasure.events),
            rollups=Count(erasure.rollups),
            patterns=Count(erasure.patterns),
            distinct=Count(erasure.distinct),
        )
