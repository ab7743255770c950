"""Answers one path of the API: the same access, limits and caches as GraphQL's endpoint."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import unquote_to_bytes

import msgspec

from copilot_analytics._guard import Guard
from copilot_analytics.errors import QuestionError
from copilot_analytics.periods import DateRange
from copilot_analytics.typing import Receive, Scope, Send

from ..access import Credentials, Principal
from ..failures import mask
from ..headers import headers_of
from ..questions import CachedQuestions
from ..rates import TooOftenError
from ..responses import Freshness, HeldResponses
from ..shared import Shared
from .operations import Operation, Question, Rule
from .parameters import Parameter, read_query
from .problems import ProblemError, explain
from .replies import Reply, Sendable, accepts_gzip, problem_reply

__all__ = ["Endpoint", "OperationEndpoint", "Replies", "ReplyKey", "days_of", "read_values"]

_OPEN = b"no-store"

_CLOSED = b"private, max-age=5"
"""As soon as late writes show in answers, see `questions.GENERATION_TTL_MS`."""

_encode = msgspec.json.Encoder().encode


class ReplyKey(NamedTuple):
    """What a reply depends on: the question as it was asked, and whose eyes it is for."""

    operation: str
    name: str
    query: bytes
    scope: str | None
    compressed: bool

    @property
    def size(self) -> int:
        """About how many bytes it takes."""
        return len(self.name) + len(self.query)


Replies = HeldResponses[ReplyKey, Reply]
"""Holds the replies of all paths."""


class Endpoint(ABC):
    """One path: lets in whom the gatekeeper knows, and never answers with a traceback.

    Args:
        shared: what it shares with the endpoints beside it.
    """

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        # Never strict: what fails here is told to the client, by a reference.
        self._guard = Guard()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        headers = headers_of(scope["headers"])
        origins = self._shared.origins
        if scope["method"] == "OPTIONS":
            more = origins.preflight_headers(headers) or ((b"allow", b"GET, HEAD, OPTIONS"),)
            await send({"type": "http.response.start", "status": 204, "headers": tuple(more)})
            await send({"type": "http.response.body"})
            return
        reply: Sendable
        try:
            principal = await self._admit(scope, headers)
            reply = await self._reply(scope, headers, principal)
        except (ProblemError, TooOftenError) as exc:
            reply = problem_reply(explain(exc))
        more = tuple(origins.response_headers(headers))
        attempt = self._guard.attempt("rest reply")
        with attempt:
            await reply.send(scope, receive, send, headers, more)
        if attempt.error is not None:
            # Too late to say so; the server breaks off what is not whole.
            mask(attempt.error)

    async def _admit(self, scope: Scope, headers: Mapping[bytes, bytes]) -> Principal:
        if scope["method"] not in ("GET", "HEAD"):
            raise ProblemError(
                405,
                "METHOD_NOT_ALLOWED",
                "Everything here is asked for by GET.",
                (b"allow", b"GET, HEAD, OPTIONS"),
            )
        if not self._shared.origins.welcomes_get(headers):
            raise ProblemError(403, "FORBIDDEN", "Pages of other origins may not ask.")
        gatekeeper = self._shared.gatekeeper
        principal = await gatekeeper.admit(Credentials(scope))
        if principal is None:
            raise ProblemError(
                401,
                "UNAUTHENTICATED",
                "Nobody is let in without credentials: send Authorization: Bearer <token>.",
                (b"www-authenticate", b"Bearer"),
            )
        gatekeeper.charge(principal)
        return principal

    @abstractmethod
    async def _reply(
        self, scope: Scope, headers: Mapping[bytes, bytes], principal: Principal
    ) -> Sendable:
        """Return what is sent to somebody who has been let in.

        Raises:
            ProblemError: nothing but the problem.
        """


class OperationEndpoint(Endpoint):
    """Answers one question of the API.

    Args:
        operation: the question.
        shared: what it shares with the endpoints beside it.
        replies: holds replies, those of other questions too.
        time_limit: how long an answer may take, in seconds; a read that is abandoned ends in its
            thread.
    """

    def __init__(
        self, operation: Operation, shared: Shared, replies: Replies, *, time_limit: float
    ) -> None:
        super().__init__(shared)
        self._operation = operation
        self._parameters = {parameter.name: parameter for parameter in operation.parameters}
        self._replies = replies
        self._time_limit = time_limit

    async def _reply(
        self, scope: Scope, headers: Mapping[bytes, bytes], principal: Principal
    ) -> Reply:
        if self._operation.rule is Rule.ADMIN and not principal.sees_all:
            raise ProblemError(
                403, "FORBIDDEN", "Only an admin may ask this; a user may ask for users/{their id}."
            )
        names = scope.get("path_params") or {}
        key = ReplyKey(
            self._operation.name,
            next(iter(names.values()), ""),
            scope.get("query_string", b""),
            None if principal.sees_all else principal.id,
            accepts_gzip(headers),
        )
        held = self._replies.held(key)
        if held is not None:
            return held
        values = read_values(scope, self._parameters)
        return await self._replies.get(
            key, lambda freshness: self._attempt(key, values, principal, freshness)
        )

    async def _attempt(
        self,
        key: ReplyKey,
        values: Mapping[str, object],
        principal: Principal,
        freshness: Freshness,
    ) -> Reply:
        attempt = self._guard.attempt("rest operation")
        with attempt:
            try:
                async with asyncio.timeout(self._time_limit):
                    return await self._answer(key, values, principal, freshness)
            except TimeoutError:
                return problem_reply(
                    ProblemError(
                        503,
                        "TIMEOUT",
                        f"The answer took longer than {self._time_limit:g} s: ask for fewer days.",
                    )
                )
            except (ProblemError, QuestionError) as exc:
                return problem_reply(explain(exc))
        return problem_reply(explain(attempt.error or RuntimeError()))

    async def _answer(
        self,
        key: ReplyKey,
        values: Mapping[str, object],
        principal: Principal,
        freshness: Freshness,
    ) -> Reply:
        source = self._shared.source
        now_ms = source.clock.now_ms()
        range = days_of(values, now_ms)
        questions = CachedQuestions(
            source.service, self._shared.answers, source.clock, principal, freshness
        )
        closed = range.end_ms <= now_ms
        # Before the data that it dates.
        generation = str(await questions.generation(range)) if closed else None
        answer = await self._operation.answer(Question(principal, source, questions, range, values))
        return await Reply.of(
            _encode(answer),
            generation=generation,
            cache_control=_CLOSED if closed else _OPEN,
            compressed=key.compressed,
        )


def days_of(values: Mapping[str, Any], now_ms: int) -> DateRange:
    """Return the days that a request is about.

    Raises:
        QuestionError: they are no range.
    """
    return DateRange.of(values["startDate"], values["endDate"], now_ms=now_ms)


def read_values(scope: Scope, parameters: Mapping[str, Parameter[Any]]) -> Mapping[str, object]:
    """Return the value of each parameter of a request, by its name.

    Raises:
        ProblemError: one cannot be used, or there is one that is not known.
    """
    in_query = [name for name, each in parameters.items() if each.place == "query"]
    given = read_query(scope.get("query_string", b""), in_query)
    names: Mapping[str, str] = scope.get("path_params") or {}
    if names:
        _check_path(scope)
    return {name: each.value({**given, **names}) for name, each in parameters.items()}


def _check_path(scope: Scope) -> None:
    # A server replaces what it cannot decode, and two names would become one.
    try:
        unquote_to_bytes(scope.get("raw_path") or b"").decode()
    except UnicodeDecodeError:
        raise ProblemError(
            400, "BAD_USER_INPUT", "The path is no UTF-8: percent-encode the bytes of UTF-8."
        ) from None
