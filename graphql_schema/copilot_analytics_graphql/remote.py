"""A Redis that several processes share their answers through.

It may be away or slow at any time, and no answer ever depends on it: it is asked within a short
time, left alone for a while after a failure, and whoever cannot use it asks the store. What it
holds is msgpack of the questions' own types, read strictly: never code, never what another release
or somebody else has put there.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec

from copilot_analytics import queries, rankings, traffic
from copilot_analytics._guard import Guard
from copilot_analytics.errors import ConfigurationError, MissingDependencyError
from copilot_analytics.rankings import Page

from .actions import UserActions

__all__ = ["RemoteAnswers"]

TIMEOUT_SECONDS = 0.1
"""For one look-up; a Redis nearby takes a millisecond."""

PAUSE_SECONDS = 5.0
"""How long it is left alone after a failure: so a query meets at most one time-out."""

_MAX_WRITES = 64
"""Under way at once; beyond, answers are not shared."""

_MAX_BYTES = 1024 * 1024
"""Of one answer."""

_FORMAT = 2
"""Raised when answers of one release must not be read by another, whose types say the same."""

_FORMS: Mapping[str, Any] = {
    "commandStats": queries.CommandStats,
    "commandsStats": tuple[queries.CommandStats, ...],
    "connections": traffic.Compared[traffic.Connections],
    "dashboard": queries.Dashboard,
    "errorPatterns": Page[queries.ErrorPattern],
    "errorTrends": tuple[rankings.ErrorTrend, ...],
    "generations": int,
    "intents": Page[rankings.Intent],
    "popularCommands": Page[queries.PopularCommand],
    "streaming": traffic.Compared[traffic.Streaming],
    "timeSeries": queries.TimeSeries,
    "userActions": UserActions,
    "userActivity": queries.UserActivity,
    "users": Page[rankings.UserSummary],
}
"""The types of the answers that are shared, by question; others are not."""

_DATABASE = "give redis://[user:password@]host[:port][/database], or rediss:// for TLS"


class RemoteAnswers:
    """Answers in a Redis; belongs to one event loop at a time.

    Args:
        url: `redis://[user:password@]host[:port][/database]`, or `rediss://` for TLS.
        namespace: what tells these answers from those of other stores in the same Redis.

    Attributes:
        failures: how often it failed or took too long.

    Raises:
        ConfigurationError: the URL cannot be used.
        MissingDependencyError: the package redis is not installed.
    """

    def __init__(self, url: str, namespace: str) -> None:
        self._options = _options(url)
        digest = hashlib.sha256(namespace.encode("utf-8", "surrogatepass")).hexdigest()[:32]
        self._namespace = f"copilot-analytics:{_FORMAT}:{digest}"
        # Never strict: answers do not depend on it.
        self._guard = Guard()
        self._decoders = {
            question: msgspec.msgpack.Decoder(tuple.__class_getitem__((int, form)))
            for question, form in _FORMS.items()
        }
        self._loop: asyncio.AbstractEventLoop | None = None
        self._client: Any = None
        self._rested_at = 0.0
        self._writes: set[asyncio.Task[None]] = set()
        _backend()

    @property
    def failures(self) -> int:
        """How often it failed or took too long."""
        return sum(self._guard.errors.values())

    async def get(self, question: str, key: str) -> tuple[object, int] | None:
        """Return an answer and its end of life, epoch ms; None where it has none, or is away."""
        decoder = self._decoders.get(question)
        if decoder is None or self._rests():
            return None
        attempt = self._guard.attempt("graphql cache")
        data: bytes | None = None
        with attempt:
            data = await self._connected().get(key)
        self._rest_after(attempt.error)
        if data is not None:
            # What cannot be read is of another release, and replaced in a moment.
            with suppress(msgspec.MsgspecError, ValueError, TypeError):
                expires_at, answer = decoder.decode(data)
                return answer, expires_at
        return None

    def put(self, question: str, key: str, answer: object, expires_at: int, ttl_ms: int) -> None:
        """Have an answer held, without waiting for it."""
        if question not in self._decoders or self._rests() or len(self._writes) >= _MAX_WRITES:
            return
        data = msgspec.msgpack.encode((expires_at, answer))
        if len(data) <= _MAX_BYTES:
            writing = asyncio.create_task(self._write(key, data, ttl_ms))
            self._writes.add(writing)
            writing.add_done_callback(self._writes.discard)

    async def _write(self, key: str, data: bytes, ttl_ms: int) -> None:
        attempt = self._guard.attempt("graphql cache")
        with attempt:
            await self._connected().set(key, data, ttl=ttl_ms / 1000)
        self._rest_after(attempt.error)

    async def aclose(self) -> None:
        """Close the connections; using it again opens new ones."""
        await asyncio.gather(*self._writes, return_exceptions=True)
        client, self._client = self._client, None
        if client is not None:
            # aiocache's own way is one that redis has deprecated.
            await client.client.aclose()

    def _connected(self) -> Any:
        loop = asyncio.get_running_loop()
        if self._client is None or self._loop is not loop:
            # Connections belong to the event loop that opened them.
            cache, serializer = _backend()
            self._loop, self._writes = loop, set()
            self._client = cache(
                namespace=self._namespace,
                serializer=serializer(encoding=None),
                timeout=TIMEOUT_SECONDS,
                create_connection_timeout=TIMEOUT_SECONDS,
                **self._options,
            )
        return self._client

    def _rests(self) -> bool:
        loop = asyncio.get_running_loop()
        return loop is self._loop and loop.time() < self._rested_at

    def _rest_after(self, error: Exception | None) -> None:
        if error is not None:
            self._rested_at = asyncio.get_running_loop().time() + PAUSE_SECONDS


def _backend() -> tuple[Any, Any]:
    try:
        from aiocache.backends.redis import RedisCache
        from aiocache.serializers import NullSerializer
    except ModuleNotFoundError as exc:
        raise MissingDependencyError("redis", "redis") from exc
    return RedisCache, NullSerializer


def _options(url: str) -> dict[str, Any]:
    """Return what a client is made with; the URL, which may hold a password, is never shown."""
    try:
        parts = urlsplit(url)
        host, port, database = parts.hostname, parts.port, int(parts.path.strip("/") or 0)
    except (ValueError, AttributeError):
        raise ConfigurationError("cache_url", "(a secret)", _DATABASE) from None
    if parts.scheme not in ("redis", "rediss") or not host or parts.query or parts.fragment:
        raise ConfigurationError("cache_url", "(a secret)", _DATABASE)
    user = {} if not parts.username else {"username": unquote(parts.username)}
    return {
        "endpoint": host,
        "port": port or 6379,
        "db": database,
        "password": None if parts.password is None else unquote(parts.password),
        "ssl": parts.scheme == "rediss",
        "pool_max_size": _MAX_WRITES + 64,
        "connection_pool_kwargs": {"socket_timeout": TIMEOUT_SECONDS, **user},
    }
