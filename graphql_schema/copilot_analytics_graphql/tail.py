"""The live tail of events: this process's at once, other processes' from the store.

The recorder's thread hands over what it has admitted by one append a batch. On the event loop a
task matches it, a slice at a time, and puts it into the queues of those who follow; each queue is
bounded, and whoever is too slow for theirs is told how many they missed. What other processes have
recorded is looked for in the store, once for all who follow, as long as anybody does.
"""

from __future__ import annotations

import asyncio
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Generic, Protocol, TypeVar

from copilot_analytics._guard import Guard
from copilot_analytics.event_log import EventFilter
from copilot_analytics.events import AnalyticsEvent
from copilot_analytics.redaction import bound_id
from copilot_analytics.stores.base import EventSelection
from copilot_analytics.typing import Clock

__all__ = ["EventTail", "Following", "TailSource"]

_T = TypeVar("_T")

QUEUE_EVENTS = 1_000
"""What waits for one who follows; beyond, the oldest are left out, and counted."""

HANDED_EVENTS = 20_000
"""What waits for the event loop in all, should it be held up: about 10 MB."""

POLL_SECONDS = 1.0

LOOK_BACK_MS = 30_000
"""How late the events of other processes may come into the store: spools wait 5 s for a batch."""

LOOK_AHEAD_MS = 60_000
"""How far the clocks of other processes may be ahead."""

READ_EVENTS = 5_000
"""What one look into the store reads at most: some 10 ms in SQLite."""

_SLICE = 64
"""Events that are matched before others have the event loop."""


class TailSource(Protocol):
    """Where events come from: `copilot_analytics.service.AnalyticsService`."""

    def listen(self, listener: Callable[[Sequence[AnalyticsEvent]], None]) -> Callable[[], None]:
        """Have somebody told of what this process records; return what ends that."""
        ...

    async def newest_events(
        self, selection: EventSelection, *, limit: int
    ) -> Sequence[AnalyticsEvent]:
        """Return the newest events of a selection, oldest of them first; of any process."""
        ...


class Following(Generic[_T]):
    """One who follows: `async for` gives what comes, until `close`.

    Cancelling the wait for the next is safe: nothing is lost.
    """

    def __init__(
        self,
        tell: Callable[[AnalyticsEvent, int], _T],
        since_ms: int,
        leave: Callable[[Following[_T]], None],
    ) -> None:
        self._tell = tell
        self._leave = leave
        self._told: deque[_Told[_T]] = deque()
        self._missed = 0
        self._ready = asyncio.Event()
        self._error: Exception | None = None
        self.since_ms = since_ms

    def offer(self, told: Sequence[_Told[_T]], missed: int = 0) -> None:
        """Take what came; the oldest that waits goes where there is no room."""
        self._told += told
        self._missed += missed
        while len(self._told) > QUEUE_EVENTS:
            self._told.popleft()
            self._missed += 1
        if self._told:
            self._ready.set()

    def fail(self, error: Exception) -> None:
        """Raise an error in who follows, once they have taken what waits."""
        self._error = error
        self._ready.set()

    def __aiter__(self) -> Following[_T]:
        return self

    async def __anext__(self) -> _T:
        while not self._told:
            if self._error is not None:
                raise self._error
            self._ready.clear()
            await self._ready.wait()
        told = self._told.popleft()
        missed, self._missed = self._missed, 0
        # Whoever missed nothing gets the very same as the others, which is rendered once.
        return self._tell(told.event, missed) if missed else told.shared(self._tell)

    def close(self) -> None:
        """Follow no longer; idempotent."""
        self._leave(self)


class _Told(Generic[_T]):
    """An event, and what those who missed nothing before it are told, made once."""

    __slots__ = ("_shared", "event")

    def __init__(self, event: AnalyticsEvent) -> None:
        self.event = event
        self._shared: _T | None = None

    def shared(self, tell: Callable[[AnalyticsEvent, int], _T]) -> _T:
        if self._shared is None:
            self._shared = tell(self.event, 0)
        return self._shared


@dataclass(slots=True, eq=False)
class _Feed(Generic[_T]):
    """Those who follow the same events."""

    filter: EventFilter
    followers: list[Following[_T]] = field(default_factory=list)
    matched: list[_Told[_T]] = field(default_factory=list)


class EventTail(Generic[_T]):
    """Tells those who follow of events, in the order in which they become known.

    Of one process that is the order in which it recorded them. What other processes have stored
    later than 30 s after it happened, such as an outage's backlog, is not told. Belongs to one
    event loop at a time; nothing runs while nobody follows.

    Args:
        source: where events come from.
        clock: tells now.
        guard: counts failures to look into the store.
        tell: makes what is told: of an event, and of how many were left out just before it.
    """

    def __init__(
        self,
        source: TailSource,
        clock: Clock,
        guard: Guard,
        tell: Callable[[AnalyticsEvent, int], _T],
    ) -> None:
        self._source = source
        self._clock = clock
        self._guard = guard
        self._tell = tell
        self._running: _Running[_T] | None = None

    def follow(self, filter: EventFilter) -> Following[_T]:
        """Return what tells of the events from now on that a filter means; close it.

        Args:
            filter: which events; users by their stored ids.
        """
        if filter.conversation_id is not None:
            filter = replace(filter, conversation_id=bound_id(filter.conversation_id))
        loop = asyncio.get_running_loop()
        running = self._running
        if running is None or running.ended or running.loop is not loop:
            running = _Running(self._source, self._clock, self._guard, loop)
            self._running = running
        following = Following(self._tell, self._clock.now_ms(), running.leave)
        running.join(filter, following)
        return following


class _Running(Generic[_T]):
    """The tail as long as anybody follows, on one event loop."""

    def __init__(
        self, source: TailSource, clock: Clock, guard: Guard, loop: asyncio.AbstractEventLoop
    ) -> None:
        self.loop = loop
        self.ended = False
        self._source = source
        self._clock = clock
        self._guard = guard
        # By whose events they are about, so that an event meets only feeds that may mean it.
        self._feeds: dict[str | None, dict[EventFilter, _Feed[_T]]] = {}
        self._where: dict[Following[_T], _Feed[_T]] = {}
        self._handed = _Handed(loop)
        self._seen: OrderedDict[str, int] = OrderedDict()
        self._stop_listening = source.listen(self._handed.put)
        self._tasks = [loop.create_task(self._hear()), loop.create_task(self._look())]

    def join(self, filter: EventFilter, following: Following[_T]) -> None:
        feeds = self._feeds.setdefault(filter.user_id, {})
        feed = feeds.setdefault(filter, _Feed(filter))
        feed.followers.append(following)
        self._where[following] = feed

    def leave(self, following: Following[_T]) -> None:
        feed = self._where.pop(following, None)
        if feed is None:
            return
        feed.followers.remove(following)
        if not feed.followers:
            feeds = self._feeds[feed.filter.user_id]
            del feeds[feed.filter]
            if not feeds:
                del self._feeds[feed.filter.user_id]
        if not self._where:
            self._end()

    def _end(self) -> None:
        self.ended = True
        self._stop_listening()
        for task in self._tasks:
            task.cancel()

    async def _hear(self) -> None:
        """Tell of what this process has recorded."""
        while True:
            batches, lost = await self._handed.take()
            if lost:
                for following in self._where:
                    following.offer((), missed=lost)
            for events in batches:
                await self._tell_of(events)

    async def _look(self) -> None:
        """Tell of what other processes have stored."""
        while True:
            await asyncio.sleep(POLL_SECONDS)
            events: Sequence[AnalyticsEvent] = ()
            attempt = self._guard.attempt("graphql eventRecorded")
            with attempt:
                try:
                    events = await self._source.newest_events(self._selection(), limit=READ_EVENTS)
                except asyncio.CancelledError:
                    if self.ended:
                        raise
                    # Not this task: the read, because the analytics has been closed.
                    raise RuntimeError from None
            if isinstance(attempt.error, RuntimeError):
                for following in self._where:
                    following.fail(attempt.error)
                return
            if attempt.error is None:
                await self._tell_of(self._unseen(events), since=True)

    def _selection(self) -> EventSelection:
        filters = [feed.filter for feed in self._where.values()]
        types, users = ({f.event_type for f in filters}, {f.user_id for f in filters})
        now = self._clock.now_ms()
        oldest = min((following.since_ms for following in self._where), default=now)
        return EventSelection(
            start_ms=max(oldest + 1, now - LOOK_BACK_MS),
            end_ms=now + LOOK_AHEAD_MS,
            event_type=types.pop() if len(types) == 1 else None,
            user_id=users.pop() if len(users) == 1 else None,
        )

    def _unseen(self, events: Sequence[AnalyticsEvent]) -> list[AnalyticsEvent]:
        """Return those of other processes that have not been told of."""
        seen, here = self._seen, self._handed.writers
        old = self._clock.now_ms() - LOOK_BACK_MS - LOOK_AHEAD_MS
        while seen and next(iter(seen.values())) < old:
            seen.popitem(last=False)
        unseen = [e for e in events if e.writer not in here and e.event_id not in seen]
        if len(events) == READ_EVENTS and unseen[:1] == events[:1]:
            # There was more than is read at once: nobody knows how much.
            for following in self._where:
                following.offer((), missed=1)
        seen.update((event.event_id, event.timestamp) for event in unseen)
        return unseen

    async def _tell_of(self, events: Sequence[AnalyticsEvent], *, since: bool = False) -> None:
        for first in range(0, len(events), _SLICE):
            for feed in self._match(events[first : first + _SLICE]):
                for following in feed.followers:
                    following.offer(
                        [t for t in feed.matched if t.event.timestamp > following.since_ms]
                        if since
                        else feed.matched
                    )
                feed.matched = []
            await asyncio.sleep(0)

    def _match(self, events: Iterable[AnalyticsEvent]) -> list[_Feed[_T]]:
        """Note in each feed which of some events it means; return those that mean any."""
        matching: dict[_Feed[_T], None] = {}
        for event in events:
            told: _Told[_T] | None = None
            for user in (None, event.user_id):
                for filter, feed in self._feeds.get(user, {}).items():
                    if filter.means(event):
                        told = told or _Told(event)
                        feed.matched.append(told)
                        matching[feed] = None
        return list(matching)


class _Handed:
    """What the recorder's thread has handed to an event loop, within bounds.

    Attributes:
        writers: whose events were: those of this process.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._lock = threading.Lock()
        self._batches: deque[Sequence[AnalyticsEvent]] = deque()
        self._count = 0
        self._lost = 0
        self._ready = asyncio.Event()
        self.writers: set[str] = set()

    def put(self, events: Sequence[AnalyticsEvent]) -> None:
        """Hand events over; called in the recorder's thread."""
        # They come here before the store has them: so that none is told of twice.
        self.writers.add(events[0].writer)
        with self._lock:
            told = bool(self._batches)
            self._batches.append(events)
            self._count += len(events)
            while self._count > HANDED_EVENTS and len(self._batches) > 1:
                lost = len(self._batches.popleft())
                self._count -= lost
                self._lost += lost
        if not told and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._ready.set)

    async def take(self) -> tuple[list[Sequence[AnalyticsEvent]], int]:
        """Wait for events; return them by batches, and how many were lost before them."""
        await self._ready.wait()
        self._ready.clear()
        with self._lock:
            batches, lost = list(self._batches), self._lost
            self._batches.clear()
            self._count = self._lost = 0
        return batches, lost
