"""Runs one operation for one principal: checks it, runs it, and says what the answer may show."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import aclosing
from typing import Any

from graphql import GraphQLError, OperationType

from copilot_analytics._guard import Guard

from .access import Principal
from .allow_list import AllowList
from .cache import AnswerCache
from .context import Context
from .cursors import Cursors
from .errors import RefusedError
from .failures import describe_errors, mask
from .limits import Limits
from .links import ExportLinks
from .operations import Checked, OperationError, Operations
from .questions import CachedQuestions
from .requests import GraphQLRequest
from .responses import Freshness, Outcome, ResponseCache, ResponseKey
from .rows import Rows
from .schema import build_schema
from .source import Source
from .streams import Streams
from .tail import EventTail
from .turns import Turns
from .types import EventRecorded
from .updates import Updates

__all__ = ["Executor"]


class Executor:
    """Answers operations; never raises but when it is cancelled.

    Args:
        source: answers the questions.
        limits: what an operation may cost.
        time_limit: how long it may take, in seconds; a read that is abandoned ends in its thread.
        cursors: signs places in lists.
        answers: holds answers; None: one of its own.
        links: makes links to exports; None where there is no REST beside it.
        operations: the only ones that others than admins may run; None: any.
        open_introspection: whether others than admins may ask for the schema.
    """

    def __init__(
        self,
        source: Source,
        *,
        limits: Limits,
        time_limit: float,
        cursors: Cursors | None = None,
        answers: AnswerCache | None = None,
        links: ExportLinks | None = None,
        operations: AllowList | None = None,
        open_introspection: bool = False,
    ) -> None:
        self._source = source
        self._operations = Operations(
            source.clock, limits=limits, allowed=operations, open_introspection=open_introspection
        )
        self._cursors = cursors or Cursors()
        self._links = links
        self._time_limit = time_limit
        self._cache = answers or AnswerCache(source.clock)
        self._responses = ResponseCache(source.clock)
        self._schema = build_schema()
        # Never strict: what fails here is told to the client, by a reference.
        self._guard = Guard()
        self._updates = Updates()
        self._tail = EventTail(source.service, source.clock, self._guard, EventRecorded.of)
        self._streams = Streams(self._guard, time_limit)
        self._turns = Turns(1)

    async def run(
        self, request: GraphQLRequest, principal: Principal, *, may_change: bool = False
    ) -> Outcome:
        """Return the answer to an operation; of a query perhaps one that was made before.

        Args:
            request: the operation.
            principal: who asks.
            may_change: whether it may be a mutation.
        """
        key = ResponseKey.of(request, principal)
        held = self._responses.held(key)
        if held is not None:
            return held
        if self._operations.is_shared(request):
            return await self._responses.get(
                key, lambda freshness: self._attempt(request, principal, freshness)
            )
        return await self._attempt(request, principal, Freshness(), may_change=may_change)

    def follows(self, request: GraphQLRequest) -> bool:
        """Return whether an operation is a subscription, for `follow`; else it is for `run`."""
        return self._operations.kind(request) is OperationType.SUBSCRIPTION

    async def follow(
        self, request: GraphQLRequest, principal: Principal
    ) -> AsyncGenerator[Outcome, None]:
        """Yield the responses to a subscription until it is closed, which is up to the caller.

        One that has not been run ends it, and says why.
        """
        try:
            checked = self._operations.check(request, principal, {OperationType.SUBSCRIPTION})
        except OperationError as exc:
            yield _refused(exc.errors, exc.status, suggest=principal.sees_all)
            return
        except GraphQLError as exc:
            yield _refused([exc], 400, suggest=principal.sees_all)
            return

        def context() -> Context:
            return self._context(principal, checked, Freshness())

        async with aclosing(self._streams.run(checked, request, context)) as responses:
            async for response in responses:
                yield response

    async def _attempt(
        self,
        request: GraphQLRequest,
        principal: Principal,
        freshness: Freshness,
        *,
        may_change: bool = False,
    ) -> Outcome:
        suggest = principal.sees_all
        attempt = self._guard.attempt("graphql operation")
        with attempt:
            try:
                async with asyncio.timeout(self._time_limit):
                    return await self._run(request, principal, freshness, may_change=may_change)
            except TimeoutError:
                return _refused([self._out_of_time(may_change)], 503, suggest=suggest)
            except OperationError as exc:
                return _refused(exc.errors, exc.status, suggest=suggest)
            except GraphQLError as exc:
                return _refused([exc], 400, suggest=suggest)
        error = attempt.error or RuntimeError()
        return Outcome.of({"errors": [mask(error)]}, 500)

    async def _run(
        self,
        request: GraphQLRequest,
        principal: Principal,
        freshness: Freshness,
        *,
        may_change: bool,
    ) -> Outcome:
        kinds = {OperationType.QUERY, *([OperationType.MUTATION] if may_change else [])}
        checked = self._operations.check(request, principal, kinds)
        result = await self._schema.execute(
            request.query,
            variable_values=request.variables or {},
            operation_name=request.operation_name,
            context_value=self._context(principal, checked, freshness),
        )
        errors = describe_errors(result.errors or (), suggest=principal.sees_all)
        if result.data is None and all(error.path is None for error in result.errors or ()):
            # A variable's value was refused: nothing was run.
            return Outcome.of({"errors": errors}, 400)
        payload: dict[str, Any] = {"data": result.data}
        if errors:
            payload["errors"] = errors
        answered = any(value is not None for value in (result.data or {}).values())
        return Outcome.of(payload, 200 if answered else _status(errors))

    def _context(self, principal: Principal, checked: Checked, freshness: Freshness) -> Context:
        questions = CachedQuestions(
            self._source.service,
            self._cache,
            self._source.clock,
            principal,
            freshness,
            turns=self._turns,
        )
        return Context(
            principal=principal,
            questions=questions,
            rows=Rows(questions, self._turns),
            responses=self._responses,
            cursors=self._cursors,
            source=self._source,
            document=checked.prepared.document,
            links=self._links,
            updates=self._updates,
            tail=self._tail,
            turns=self._turns,
        )

    def _out_of_time(self, may_change: bool) -> RefusedError:
        fix = "ask for fewer days or fields"
        if may_change:
            # A thread cannot be stopped: a change goes on, and then is quickly repeated.
            fix = "it goes on; repeat it to see how it ended"
        return RefusedError(
            "TIMEOUT", f"The operation took longer than {self._time_limit:g} s: {fix}."
        )


def _status(errors: Sequence[Mapping[str, Any]]) -> int:
    """Return the status of a response without any answer: whose fault that is."""
    codes = {error["extensions"]["code"] for error in errors}
    if not codes:
        return 200
    if codes == {"FORBIDDEN"}:
        return 403
    if codes <= {"FORBIDDEN", "BAD_USER_INPUT"}:
        return 400
    return 503 if codes == {"UNAVAILABLE"} else 200


def _refused(errors: Iterable[GraphQLError], status: int, *, suggest: bool) -> Outcome:
    return Outcome.of({"errors": describe_errors(errors, suggest=suggest)}, status)
