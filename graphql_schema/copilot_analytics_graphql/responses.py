"""Whole responses, given again to whoever asks the same with the same eyes.

graphql-core takes about 5 µs a leaf, so that a dashboard made of cached answers still costs
milliseconds. Here the encoded response of a query is held for as long as every answer in it may be
given again, and equal queries that are asked at once are run once.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, Protocol, Self, TypeVar

import msgspec

from copilot_analytics.typing import Clock

from .access import Principal
from .cache import CacheStatistics
from .requests import GraphQLRequest

__all__ = ["Freshness", "HeldResponses", "Outcome", "ResponseCache", "ResponseKey"]

MAX_BYTES = 16 * 1024 * 1024
"""Held in all, requests and responses together."""

MAX_ENTRY_BYTES = 1024 * 1024
"""What is larger is not held: an export, not a dashboard."""


class _Key(Protocol):
    """What a response depends on; equal for equal requests with the same rights only."""

    def __hash__(self) -> int: ...

    @property
    def size(self) -> int:
        """About how many bytes it takes."""
        ...


class _Response(Protocol):
    """Something whose encoded form is held."""

    @property
    def body(self) -> bytes: ...

    @property
    def holdable(self) -> bool:
        """Whether it may be given again, for as long as its answers may."""
        ...


_K = TypeVar("_K", bound=_Key)
_R = TypeVar("_R", bound=_Response)

_encode_sorted = msgspec.json.Encoder(order="deterministic").encode


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an operation came to.

    Attributes:
        body: the response as JSON: `data`, `errors`; without `data` where it was not run.
        errors: its errors.
        ran: whether it was run, and the body has `data`.
        status: the HTTP status of a response that may tell: 200, 400, 403, 500 or 503.
    """

    body: bytes
    errors: tuple[Mapping[str, Any], ...]
    ran: bool
    status: int

    @property
    def holdable(self) -> bool:
        """Whether it may be given again: it was run, and nothing failed."""
        return self.ran and not self.errors

    @classmethod
    def of(cls, payload: Mapping[str, Any], status: int = 200) -> Self:
        """Return the outcome of a response that is not encoded yet."""
        errors = tuple(payload.get("errors", ()))
        return cls(msgspec.json.encode(payload), errors, "data" in payload, status)


class Freshness:
    """For how long a response may be given again; the answers that it is made of say so.

    Attributes:
        until: the end of its life, epoch ms; None while nothing has been said: it may not.
    """

    __slots__ = ("_spoiled", "_until")

    def __init__(self) -> None:
        self._until: int | None = None
        self._spoiled = False

    @property
    def until(self) -> int | None:
        """When the first of its answers ends; None if one may not be given again, or none is in."""
        return None if self._spoiled else self._until

    def limit(self, expires_at: int) -> None:
        """Say that an answer in it ends then, epoch ms."""
        if self._until is None or expires_at < self._until:
            self._until = expires_at

    def spoil(self) -> None:
        """Say that an answer in it is about now, and now only."""
        self._spoiled = True


class ResponseKey(NamedTuple):
    """What a response depends on: the operation, its variables, and whose eyes it is for."""

    query: str
    operation_name: str | None
    variables: bytes
    scope: str | None

    @classmethod
    def of(cls, request: GraphQLRequest, principal: Principal) -> Self:
        """Return the key of a request; equal for equal requests with the same rights only."""
        return cls(
            request.query,
            request.operation_name,
            _encode_sorted(request.variables) if request.variables else b"",
            None if principal.sees_all else principal.id,
        )

    @property
    def size(self) -> int:
        """About how many bytes it takes."""
        return len(self.query) + len(self.variables)


@dataclass(frozen=True, slots=True)
class _Entry(Generic[_R]):
    response: _R
    expires_at: int
    size: int


class HeldResponses(Generic[_K, _R]):
    """Holds responses; bounded, and makes each once for all who ask at once.

    Belongs to one event loop at a time.

    Args:
        clock: tells when a response has ended.
        max_bytes: the least recently used go beyond so many.
    """

    def __init__(self, clock: Clock, *, max_bytes: int = MAX_BYTES) -> None:
        self._clock = clock
        self._max_bytes = max_bytes
        self._bytes = 0
        self._entries: OrderedDict[_K, _Entry[_R]] = OrderedDict()
        self._flights: dict[_K, asyncio.Task[_R]] = {}
        self._hits = self._misses = self._joined = 0

    @property
    def statistics(self) -> CacheStatistics:
        """What it did so far."""
        now = self._clock.now_ms()
        held = sum(entry.expires_at > now for entry in self._entries.values())
        return CacheStatistics(self._hits, self._misses, self._joined, held)

    def held(self, key: _K) -> _R | None:
        """Return the response, if it is held and may be given again."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        if entry.expires_at <= self._clock.now_ms():
            self._forget(key)
            return None
        self._entries.move_to_end(key)
        self._hits += 1
        return entry.response

    async def get(self, key: _K, respond: Callable[[Freshness], Awaitable[_R]]) -> _R:
        """Return the response, by joining whoever makes it already, or making it.

        It is made to the end also when whoever asked is cancelled: others may wait for it.

        Args:
            key: what it depends on.
            respond: makes it, and says in the `Freshness` how long it may be given again.
        """
        flight = self._flights.get(key)
        # A flight of an event loop that has ended will never land.
        if flight is None or flight.get_loop() is not asyncio.get_running_loop():
            self._misses += 1
            flight = asyncio.create_task(self._fly(key, respond))
            self._flights[key] = flight
            flight.add_done_callback(lambda landed: self._land(key, landed))
        else:
            self._joined += 1
        return await asyncio.shield(flight)

    async def _fly(self, key: _K, respond: Callable[[Freshness], Awaitable[_R]]) -> _R:
        freshness = Freshness()
        response = await respond(freshness)
        until = freshness.until
        if until is not None and response.holdable:
            self._keep(key, _Entry(response, until, key.size + len(response.body)))
        return response

    def _land(self, key: _K, flight: asyncio.Task[_R]) -> None:
        if self._flights.get(key) is flight:
            del self._flights[key]
        if not flight.cancelled():
            # Marks it as seen: whoever waited may have been cancelled.
            flight.exception()

    def _keep(self, key: _K, entry: _Entry[_R]) -> None:
        self._forget(key)
        if entry.size > MAX_ENTRY_BYTES:
            return
        self._entries[key] = entry
        self._bytes += entry.size
        while self._bytes > self._max_bytes:
            self._forget(next(iter(self._entries)))

    def _forget(self, key: _K) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._bytes -= entry.size


class ResponseCache(HeldResponses[ResponseKey, Outcome]):
    """Holds GraphQL's responses; each endpoint has one of its own."""
