"""The events of some days, page by page, and as NDJSON."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from ..event_log import EventPosition
from ..events import AnalyticsEvent
from ..ndjson import encode_event
from ..stores.base import EventSelection, Store

__all__ = ["Advance", "event_pages", "render_lines"]

Advance = Callable[[int], None]
"""Is told of events that have been read: how many more."""

PAGE_EVENTS = 1_000
"""Some 250 KB as NDJSON, and what DynamoDB reads at once."""


def event_pages(
    store: Store,
    selection: EventSelection,
    *,
    after: EventPosition | None = None,
    advance: Advance | None = None,
) -> Iterator[Sequence[AnalyticsEvent]]:
    """Yield the events of a selection, oldest first, ties by id; no page is empty.

    Nothing is held between pages: no connection, no transaction. What is stored meanwhile is there
    if it belongs after what has been read.

    Args:
        store: where they are; not owned.
        selection: which events.
        after: only those after this place.
        advance: is told of each page.
    """
    while True:
        page = store.events(selection, after=after, limit=PAGE_EVENTS, newest_first=False)
        if page:
            if advance is not None:
                advance(len(page))
            yield page
        if len(page) < PAGE_EVENTS:
            return
        after = EventPosition(page[-1].timestamp, page[-1].event_id)


def render_lines(pages: Iterator[Sequence[AnalyticsEvent]]) -> Iterator[bytes]:
    """Yield events as NDJSON, a page a chunk."""
    for page in pages:
        yield b"".join(map(encode_event, page))
