"""`copilot-analytics events`: single events, the last ones or as they come."""

from __future__ import annotations

import sys
import time
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from typing import Annotated

import typer
from rich.console import Console

from ..event_log import EventFilter, EventLog, EventPosition
from ..events import AnalyticsEvent, EventType
from ..ndjson import encode_event
from ..periods import DateRange, day_of, parse_day
from ..redaction import clean_text
from ..typing import Clock
from .options import (
    DaysOption,
    FromOption,
    StoreOption,
    ToOption,
    open_configured,
    range_of,
)
from .tables import nothing
from .telling import console, second

__all__ = ["show_events"]

_PAGE = 1000

_OVERLAP_MS = 60_000
"""What is read again while following: events of several processes come out of order."""


def show_events(
    store: StoreOption = None,
    start: FromOption = None,
    end: ToOption = None,
    days: DaysOption = None,
    event_type: Annotated[
        EventType | None, typer.Option("--type", case_sensitive=False, help="Only this type.")
    ] = None,
    user: Annotated[
        str | None,
        typer.Option("--user", metavar="ID", help="Only this user, as the copilot knows them."),
    ] = None,
    conversation: Annotated[
        str | None, typer.Option("--conversation", metavar="ID", help="Only this conversation.")
    ] = None,
    command: Annotated[
        str | None, typer.Option("--command", metavar="NAME", help="Only of this command.")
    ] = None,
    error_type: Annotated[
        str | None, typer.Option("--error-type", metavar="TYPE", help="Only of this error type.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many, the newest.")] = 20,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Then go on with new ones, until Ctrl-C.")
    ] = False,
    every: Annotated[
        float, typer.Option("--every", min=0.1, help="Seconds between looks, with --follow.")
    ] = 1.0,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print NDJSON, one event a line, for programs.")
    ] = False,
) -> None:
    """Show the last events, oldest first; or follow them as they come.

    An event that reaches the store more than a minute late is not followed.
    """
    range = range_of(start, end, days)
    with open_configured(store) as opened:
        filter = EventFilter(
            event_type=event_type,
            user_id=None if user is None else opened.stored_user_id(user),
            conversation_id=conversation,
            command=command,
            error_type=error_type,
        )
        log = EventLog(opened.store)
        out = console()
        tail = _Tail(log, filter, opened.clock)
        if follow:
            tail.skip()
        last = list(_newest(log, filter, range, limit))
        last.reverse()
        if not last and not follow and not as_json:
            out.print(nothing("such events", range))
        tail.note(last)
        _show(out, last, as_json=as_json)
        while follow:
            time.sleep(every)
            _show(out, tail.read(), as_json=as_json)


def _newest(
    log: EventLog, filter: EventFilter, range: DateRange, limit: int
) -> Iterator[AnalyticsEvent]:
    after: EventPosition | None = None
    while limit:
        page = log.events(filter, range, first=min(limit, _PAGE), after=after)
        yield from page.events
        limit -= len(page.events)
        if page.end is None:
            return
        after = page.end


class _Tail:
    """Reads what has come since, each event once.

    Args:
        log: where from.
        filter: which events.
        clock: tells now.
    """

    _KEPT = 100_000
    """Ids that are remembered: those of a minute, at a rate that nobody could read."""

    def __init__(self, log: EventLog, filter: EventFilter, clock: Clock) -> None:
        self._log = log
        self._filter = filter
        self._clock = clock
        self._known: OrderedDict[str, None] = OrderedDict()

    def note(self, events: Iterable[AnalyticsEvent]) -> None:
        """Remember events that were shown already."""
        self._known.update((event.event_id, None) for event in events)

    def skip(self) -> None:
        """Pass over what is there by now."""
        for _ in self.read():
            pass

    def read(self) -> Iterator[AnalyticsEvent]:
        """Yield what is new, in order of time."""
        now_ms = self._clock.now_ms()
        since_ms = now_ms - _OVERLAP_MS
        range = DateRange(
            parse_day("start", day_of(since_ms)), parse_day("end", day_of(now_ms + _OVERLAP_MS))
        )
        after: EventPosition | None = EventPosition(since_ms, "")
        while after is not None:
            page = self._log.events(
                self._filter, range, first=_PAGE, after=after, newest_first=False
            )
            for event in page.events:
                if event.event_id not in self._known:
                    self._known[event.event_id] = None
                    yield event
            after = page.end
        while len(self._known) > self._KEPT:
            self._known.popitem(last=False)


def _show(out: Console, events: Iterable[AnalyticsEvent], *, as_json: bool) -> None:
    for event in events:
        if as_json:
            sys.stdout.write(encode_event(event).decode())
        else:
            out.print(_line(event), soft_wrap=True)
    sys.stdout.flush()


def _line(event: AnalyticsEvent) -> str:
    metadata = " ".join(f"{name}={value}" for name, value in event.metadata.items())
    text = f"{second(event.timestamp)}  {event.event_type:<23}  {event.user_id}  {metadata}"
    return clean_text(text.rstrip())
