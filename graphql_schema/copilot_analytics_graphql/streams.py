"""Runs subscriptions: what is followed, made into responses, each once for all who get the same."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable
from contextlib import aclosing
from inspect import isawaitable
from typing import Any, cast

from graphql import ExecutionResult, GraphQLError
from graphql import Executor as GraphQLExecutor
from graphql.execution import create_source_event_stream, execute_subscription_event

from copilot_analytics._guard import Guard
from copilot_analytics.errors import CopilotAnalyticsError

from .context import Context
from .errors import RefusedError
from .failures import describe_errors, mask
from .operations import Checked
from .requests import GraphQLRequest
from .responses import Outcome, ResponseKey
from .schema import core_schema
from .turns import Turns
from .types import EventRecorded

__all__ = ["Streams"]

_KEPT = 256
"""Responses held for those who still have to get them: they all do so soon."""

_EACH_TURN = 8
"""Messages in one turn of the event loop: one takes 0.1 to 2 ms."""


class Streams:
    """Follows what subscriptions ask for; belongs to one event loop at a time.

    Args:
        guard: counts failures of ours; not strict.
        time_limit: how long one response may take to be made, in seconds.
    """

    def __init__(self, guard: Guard, time_limit: float) -> None:
        self._guard = guard
        self._time_limit = time_limit
        self._turns = Turns(_EACH_TURN)
        self._responses: OrderedDict[
            tuple[ResponseKey, int], tuple[object, asyncio.Task[Outcome]]
        ] = OrderedDict()

    async def run(
        self, checked: Checked, request: GraphQLRequest, context: Callable[[], Context]
    ) -> AsyncGenerator[Outcome, None]:
        """Yield responses until it is closed; the last one has not been run if that failed.

        Args:
            checked: the subscription.
            request: with its variables.
            context: makes the surroundings of one response.
        """
        surroundings = context()
        suggest = surroundings.principal.sees_all
        key = ResponseKey.of(request, surroundings.principal)

        def executor(payload: object, surroundings: Context) -> GraphQLExecutor[Context]:
            built = GraphQLExecutor.build(
                core_schema(),
                checked.prepared.document,
                payload,
                surroundings,
                request.variables or {},
                request.operation_name,
            )
            if isinstance(built, list):
                raise _NotRunError(built)
            return built

        async def respond(payload: object) -> Outcome:
            result = execute_subscription_event(executor(payload, context()))
            if isawaitable(result):
                async with asyncio.timeout(self._time_limit):
                    result = await result
            answer: dict[str, Any] = {"data": result.data}
            if result.errors:
                answer["errors"] = describe_errors(result.errors, suggest=suggest)
            return Outcome.of(answer)

        attempt = self._guard.attempt("graphql subscription")
        with attempt:
            try:
                async with aclosing(await _source(executor(None, surroundings))) as source:
                    last = b""
                    async for payload in source:
                        await self._turns.take()
                        outcome = await self._shared(key, payload, respond)
                        # What tells how things are need not be told twice.
                        if isinstance(payload, EventRecorded) or outcome.body != last:
                            yield outcome
                        last = outcome.body
            except _NotRunError as exc:
                yield _refused(exc.errors, suggest=suggest)
            except CopilotAnalyticsError as exc:
                yield _refused([GraphQLError(str(exc), original_error=exc)], suggest=suggest)
            except TimeoutError:
                yield _refused([self._out_of_time()], suggest=suggest)
        if attempt.error is not None:
            yield Outcome.of({"errors": [mask(attempt.error)]}, 500)

    def _out_of_time(self) -> RefusedError:
        return RefusedError(
            "TIMEOUT", f"A response took longer than {self._time_limit:g} s: ask for fewer fields."
        )

    async def _shared(
        self,
        key: ResponseKey,
        payload: object,
        respond: Callable[[object], Coroutine[Any, Any, Outcome]],
    ) -> Outcome:
        """Return the response to a payload, made once for all who get the same."""
        place = (key, id(payload))
        held = self._responses.get(place)
        # What is held keeps its payload alive, so that no other one has its identity.
        if held is None or held[1].get_loop() is not asyncio.get_running_loop():
            making = asyncio.create_task(respond(payload))
            making.add_done_callback(_mark_as_seen)
            held = self._responses[place] = (payload, making)
            while len(self._responses) > _KEPT:
                self._responses.popitem(last=False)
        return await asyncio.shield(held[1])


class _NotRunError(Exception):
    """A subscription that was refused before anything was followed."""

    def __init__(self, errors: Iterable[GraphQLError]) -> None:
        super().__init__()
        self.errors = tuple(errors)


async def _source(executor: GraphQLExecutor[Context]) -> AsyncGenerator[object, None]:
    """Return what is followed.

    Raises:
        _NotRunError: it may not be.
    """
    source = create_source_event_stream(executor)
    if isawaitable(source):
        source = await source
    if isinstance(source, ExecutionResult):
        raise _NotRunError(source.errors or ())
    return cast("AsyncGenerator[object, None]", source)


def _refused(errors: Iterable[GraphQLError], *, suggest: bool) -> Outcome:
    return Outcome.of({"errors": describe_errors(errors, suggest=suggest)}, 400)


def _mark_as_seen(making: asyncio.Task[Outcome]) -> None:
    if not making.cancelled():
        # Whoever waited may have gone.
        making.exception()
