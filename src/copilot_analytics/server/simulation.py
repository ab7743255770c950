"""Simulated users: a back-dated month under a simulated clock, and live ones over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass

import websockets.asyncio.client
from websockets.exceptions import ConnectionClosed

from ..analytics import Analytics
from ..ids import new_id
from ..periods import DAY_MS, HOUR_MS
from ..tracking import ConnectionTracker
from .sample_copilot import CopilotCrashError, Ending, Request, sample_requests
from .tally import Tally

__all__ = ["Population", "live_session", "past_days", "trickle_of_sessions"]

_TRICKLE_SECONDS = 3.0
"""The mean time between two sessions of a trickle."""


@dataclass(frozen=True, slots=True)
class Population:
    """The simulated users.

    Attributes:
        size: how many there are.
        seed: makes runs alike.
    """

    size: int
    seed: int = 20260101

    def name(self, number: int) -> str:
        """Return a user's id."""
        return f"user-{number:04d}"

    def visitors(self, source: random.Random) -> list[str]:
        """Return who comes on one day, about a third of them, each once or twice."""
        return [
            self.name(number)
            for number in range(self.size)
            for _ in range(source.choices((0, 1, 2), (60, 30, 10))[0])
        ]


class _SimulatedClock:
    """A clock that moves only when it is told to."""

    def __init__(self, now_ms: int) -> None:
        self._now_ms = float(now_ms)

    def now_ms(self) -> int:
        return int(self._now_ms)

    def monotonic_ms(self) -> float:
        return self._now_ms

    def advance(self, ms: float) -> None:
        self._now_ms += ms


async def past_days(
    analytics: Analytics, population: Population, days: int
) -> AsyncIterator[Tally]:
    """Record `days` days that end yesterday; yield each day's tally once it is stored.

    The sample copilot's own frames go through adapter, tracker and recorder, as live ones do; only
    the clock is simulated. The event loop is given back after every session.
    """
    source = random.Random(population.seed)
    midnight = analytics.clock.now_ms() // DAY_MS * DAY_MS
    for day in range(-days, 0):
        tally = Tally()
        for user in population.visitors(source):
            # Working hours, around noon; a session never crosses midnight.
            hour = min(max(source.gauss(13, 3), 1), 22)
            clock = _SimulatedClock(midnight + day * DAY_MS + int(hour * HOUR_MS))
            tally.add(_past_session(analytics, clock, user, source))
            await asyncio.sleep(0)
        await analytics.recorder.flush()
        yield tally


def _past_session(
    analytics: Analytics, clock: _SimulatedClock, user: str, source: random.Random
) -> Tally:
    tally = Tally(connections=1, users={user})
    tracker = analytics.open_connection(
        resolve_user=lambda: user, connection_id=new_id(), clock=clock
    )
    tracker.opened()
    conversation = f"conversation-{source.randrange(1 << 30):08x}"
    code = 1000
    for request in sample_requests(source, source.randint(2, 9)):
        clock.advance(source.uniform(2_000, 40_000))
        code = _past_turn(tracker, clock, request, conversation, tally)
    clock.advance(source.uniform(100, 5_000))
    tracker.closed(code)
    return tally


def _past_turn(
    tracker: ConnectionTracker,
    clock: _SimulatedClock,
    request: Request,
    conversation: str,
    tally: Tally,
) -> int:
    script = request.script(conversation)
    tally.add(script.tally)
    tracker.client_frame(_message(request, conversation))
    for step in script.steps:
        clock.advance(step.delay_ms)
        frame = json.dumps(step.frame)
        if not tracker.is_content(frame):
            tracker.server_frame(frame)
    if script.ending is Ending.HANDLER_RAISES:
        tracker.failed(CopilotCrashError(script.failure))
        return 1011
    return 1001 if script.ending is Ending.CLIENT_LEAVES else 1000


def _message(request: Request, conversation: str) -> str:
    return json.dumps(
        {
            "action": "message",
            "message": request.text(),
            "conversationId": conversation,
            "streaming": True,
        }
    )


async def live_session(url: str, user: str, source: random.Random) -> Tally:
    """Talk to the copilot at a `ws://` URL as one user for one session; return what was done.

    Raises:
        OSError: nobody listens there.
    """
    tally = Tally(connections=1, users={user})
    conversation = f"conversation-{source.randrange(1 << 30):08x}"
    async with websockets.asyncio.client.connect(f"{url}?user={user}") as socket:
        for request in sample_requests(source, source.randint(2, 5)):
            script = request.script(conversation)
            await socket.send(_message(request, conversation))
            for _ in script.steps:
                await socket.recv()
            tally.add(script.tally)
            if script.ending is Ending.HANDLER_RAISES:
                with contextlib.suppress(ConnectionClosed):
                    await socket.recv()
            elif script.ending is Ending.CLIENT_LEAVES:
                await socket.close(1001)
    return tally


async def trickle_of_sessions(url: str, population: Population) -> None:
    """Let one user after the other talk to the copilot until cancelled or the server is gone."""
    source = random.Random()
    with contextlib.suppress(OSError, ConnectionClosed):
        while True:
            await asyncio.sleep(source.expovariate(1 / _TRICKLE_SECONDS))
            user = population.name(source.randrange(population.size))
            await live_session(url, user, source)
