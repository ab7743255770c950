"""The answers' cache; with `remote.py` the only module that knows aiocache.

aiocache's own decorator is not used: its keys are made of `str(args)`, which gave one tenant's
answers to another, it cannot hold None, and equal misses all go to the store. Here a key is the
question, its normalised arguments and whose eyes the answer is for; an entry is a value beside its
end of life, so that None is a value; and equal questions that are asked at once are asked once.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

from aiocache import SimpleMemoryCache
from aiocache.base import BaseCache

from copilot_analytics.typing import Clock

from .remote import RemoteAnswers

__all__ = ["Answer", "AnswerCache", "CacheKey", "CacheStatistics"]

_T = TypeVar("_T")
_T_co = TypeVar("_T_co", covariant=True)

MAX_ENTRIES = 1_000
MAX_WEIGHT = 50_000
"""Rows held in all: a row is about 0.5 KB, so that this is about 25 MB."""


@dataclass(frozen=True, slots=True)
class CacheKey:
    """What an answer depends on.

    Attributes:
        question: the question's name.
        arguments: its arguments, defaults filled in, in a fixed order.
        scope: whose eyes the answer is for: None for those who may see all, else a user's id.
        generations: the states of the past that the answer was made from.
    """

    question: str
    arguments: tuple[str | float | None, ...]
    scope: str | None
    generations: tuple[int, ...] = ()

    def text(self) -> str:
        """Return the key for a cache: equal for equal keys only, short, and without ids."""
        parts = [self.question, self.scope, self.generations, self.arguments]
        # JSON tells null from "null", 1 from "1", and where each part ends.
        digest = hashlib.sha256(json.dumps(parts).encode()).hexdigest()
        return f"{self.question}:{digest}"


@dataclass(frozen=True, slots=True)
class CacheStatistics:
    """What the cache did since it was made.

    Attributes:
        hits: answers taken from it.
        misses: answers that had to be asked for.
        joined: answers that an equal question, under way already, was waited for.
        entries: answers held now.
        failures: how often a cache that is shared with other processes could not be used.
    """

    hits: int
    misses: int
    joined: int
    entries: int
    failures: int = 0


@dataclass(frozen=True, slots=True)
class Answer(Generic[_T_co]):
    """An answer and its end of life.

    Attributes:
        value: the answer; it may be None.
        expires_at: until when it may be given again, epoch ms.
    """

    value: _T_co
    expires_at: int


@dataclass(frozen=True, slots=True)
class _Size:
    weight: int
    expires_at: int


class AnswerCache:
    """Holds answers for a while; bounded, and asks once for what many ask at once.

    Belongs to one event loop at a time. Answers must be immutable: all who ask get the same one.

    Args:
        clock: tells when an answer has expired.
        backend: where answers are held; not owned. It has to keep Python objects as they are.
        max_entries: at most so many answers are held, the least recently used go first.
        max_weight: and so many rows, by the weights given.
        remote: where answers are shared with other processes; owned.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        backend: BaseCache | None = None,
        max_entries: int = MAX_ENTRIES,
        max_weight: int = MAX_WEIGHT,
        remote: RemoteAnswers | None = None,
    ) -> None:
        self._clock = clock
        # Nothing waits in memory, so that a time-out would only cost a task per look-up.
        self._backend = SimpleMemoryCache(timeout=None) if backend is None else backend
        self._max_entries = max_entries
        self._max_weight = max_weight
        self._remote = remote
        self._entries: OrderedDict[str, _Size] = OrderedDict()
        self._weight = 0
        self._flights: dict[str, asyncio.Task[Any]] = {}
        self._hits = self._misses = self._joined = 0

    @property
    def statistics(self) -> CacheStatistics:
        """What it did so far."""
        now = self._clock.now_ms()
        held = sum(size.expires_at > now for size in self._entries.values())
        failures = 0 if self._remote is None else self._remote.failures
        return CacheStatistics(self._hits, self._misses, self._joined, held, failures)

    async def get(
        self,
        key: CacheKey,
        ask: Callable[[], Awaitable[_T]],
        *,
        ttl_ms: int,
        weight: int = 1,
    ) -> Answer[_T]:
        """Return the answer to `key`, asking for it where none is held.

        Asking goes on when whoever asked is cancelled, since others may wait for the same answer.
        An exception reaches everyone who waits, and is not held.

        Args:
            key: what the answer depends on.
            ask: asks; called at most once at a time for equal keys.
            ttl_ms: how long the answer may be given again.
            weight: about how many rows it has.
        """
        text = key.text()
        entry = await self._held(text)
        if entry is not None:
            self._hits += 1
            return cast("Answer[_T]", entry)
        flight = self._flights.get(text)
        # A flight of an event loop that has ended will never land.
        if flight is None or flight.get_loop() is not asyncio.get_running_loop():
            flight = asyncio.create_task(self._fly(key.question, text, ask, ttl_ms, weight))
            self._flights[text] = flight
            flight.add_done_callback(self._land(text))
        else:
            self._joined += 1
        return cast("Answer[_T]", await asyncio.shield(flight))

    async def _held(self, text: str) -> Answer[object] | None:
        entry = await self._backend.get(text)
        if not isinstance(entry, Answer):
            self._forget(text)
            return None
        if entry.expires_at <= self._clock.now_ms():
            return None
        if text in self._entries:
            self._entries.move_to_end(text)
        return entry

    async def _fly(
        self,
        question: str,
        text: str,
        ask: Callable[[], Awaitable[_T]],
        ttl_ms: int,
        weight: int,
    ) -> Answer[_T]:
        # The answer is as old as its question.
        asked_at = self._clock.now_ms()
        entry = await self._shared(question, text, asked_at + ttl_ms)
        if entry is None:
            self._misses += 1
            asked_at = self._clock.now_ms()
            entry = Answer(await ask(), asked_at + ttl_ms)
            if self._remote is not None and weight <= self._max_weight:
                self._remote.put(question, text, entry.value, entry.expires_at, ttl_ms)
        else:
            self._hits += 1
        if weight <= self._max_weight:
            left_ms = max(1, entry.expires_at - self._clock.now_ms())
            await self._backend.set(text, entry, ttl=left_ms / 1000)
            await self._remember(text, _Size(weight, entry.expires_at))
        return cast("Answer[_T]", entry)

    async def _shared(self, question: str, text: str, at_most: int) -> Answer[object] | None:
        """Return the answer that another process has shared, if it may still be given."""
        if self._remote is None:
            return None
        found = await self._remote.get(question, text)
        # Another machine's clock may be ahead: nothing lives longer here than it would by itself.
        if found is None or found[1] <= self._clock.now_ms():
            return None
        return Answer(found[0], min(found[1], at_most))

    async def aclose(self) -> None:
        """Close the connections to the shared cache, if there is one."""
        if self._remote is not None:
            await self._remote.aclose()

    def _land(self, text: str) -> Callable[[asyncio.Task[Any]], None]:
        def landed(flight: asyncio.Task[Any]) -> None:
            if self._flights.get(text) is flight:
                del self._flights[text]
            if not flight.cancelled():
                # Marks it as seen: whoever waited may have been cancelled.
                flight.exception()

        return landed

    async def _remember(self, text: str, size: _Size) -> None:
        self._forget(text)
        self._entries[text] = size
        self._weight += size.weight
        while len(self._entries) > self._max_entries or self._weight > self._max_weight:
            oldest = next(iter(self._entries))
            self._forget(oldest)
            await self._backend.delete(oldest)

    def _forget(self, text: str) -> None:
        size = self._entries.pop(text, None)
        if size is not None:
            self._weight -= size.weight
