"""Runs one operation for one principal: checks it, runs it, and says what the answer may show."""

from __future__ import annotations

import asyncio
from typing import Any

from graphql import GraphQLError, OperationType

from copilot_analytics._guard import Guard

from .access import Principal
from .allow_list import AllowList
from .cache import AnswerCache
from .context import Context
from .cursors import Cursors
from .documents import prepare
from .errors import RefusedError
from .failures import describe_errors, mask
from .limits import Limits, Pricing
from .prices import PRICES
from .questions import CachedQuestions
from .requests import GraphQLRequest
from .responses import Freshness, Outcome, ResponseCache, ResponseKey
from .rows import Rows
from .schema import build_schema, core_schema
from .source import Source

__all__ = ["Executor"]


class Executor:
    """Answers operations; never raises but when it is cancelled.

    Args:
        source: answers the questions.
        limits: what an operation may cost.
        time_limit: how long it may take, in seconds; a read that is abandoned ends in its thread.
        cursors: signs places in lists.
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
        operations: AllowList | None = None,
        open_introspection: bool = False,
    ) -> None:
        self._source = source
        self._operations = operations
        self._open_introspection = open_introspection
        self._cursors = cursors or Cursors()
        self._limits = limits
        self._time_limit = time_limit
        self._cache = AnswerCache(source.clock)
        self._responses = ResponseCache(source.clock)
        self._schema = build_schema()
        # Never strict: what fails here is told to the client, by a reference.
        self._guard = Guard()

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
        if self._is_query(request):
            return await self._responses.get(
                key, lambda freshness: self._attempt(request, principal, freshness)
            )
        return await self._attempt(request, principal, Freshness(), may_change=may_change)

    def _is_query(self, request: GraphQLRequest) -> bool:
        try:
            operation = prepare(request.query, self._limits).operation(request.operation_name)
        except GraphQLError:
            return False
        return operation.operation is OperationType.QUERY

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
                return _refused(self._out_of_time(may_change), 503, suggest=suggest)
            except GraphQLError as exc:
                return _refused(exc, 400, suggest=suggest)
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
        prepared = prepare(request.query, self._limits)
        suggest = principal.sees_all
        if not self._may_run(request, principal):
            return _refused(
                RefusedError("FORBIDDEN", "Only an admin may run operations that are not listed."),
                403,
                suggest=suggest,
            )
        if prepared.errors:
            errors = describe_errors(prepared.errors, suggest=suggest)
            return Outcome.of({"errors": errors}, 400)
        operation = prepared.operation(request.operation_name)
        if operation.operation is OperationType.MUTATION and not may_change:
            return _refused(
                RefusedError("METHOD_NOT_ALLOWED", "Mutations are taken by POST only: send it so."),
                405,
                suggest=suggest,
            )
        if prepared.introspects and not (principal.sees_all or self._open_introspection):
            return _refused(
                RefusedError(
                    "FORBIDDEN", "Only an admin may introspect; the schema is documented."
                ),
                403,
                suggest=suggest,
            )
        variables = request.variables or {}
        pricing = Pricing(core_schema(), PRICES, prepared.document, self._source.clock.now_ms())
        pricing.check(operation, variables, self._limits)
        questions = CachedQuestions(
            self._source.service, self._cache, self._source.clock, principal, freshness
        )
        result = await self._schema.execute(
            request.query,
            variable_values=variables,
            operation_name=request.operation_name,
            context_value=Context(
                principal=principal,
                questions=questions,
                rows=Rows(questions),
                responses=self._responses,
                cursors=self._cursors,
                source=self._source,
                document=prepared.document,
            ),
        )
        errors = describe_errors(result.errors or (), suggest=suggest)
        if result.data is None and all(error.path is None for error in result.errors or ()):
            # A variable's value was refused: nothing was run.
            return Outcome.of({"errors": errors}, 400)
        payload: dict[str, Any] = {"data": result.data}
        if errors:
            payload["errors"] = errors
        return Outcome.of(payload)

    def _may_run(self, request: GraphQLRequest, principal: Principal) -> bool:
        return (
            self._operations is None
            or principal.sees_all
            or self._operations.allows(request.query, request.operation_name)
        )

    def _out_of_time(self, may_change: bool) -> RefusedError:
        fix = "ask for fewer days or fields"
        if may_change:
            # A thread cannot be stopped: a change goes on, and then is quickly repeated.
            fix = "it goes on; repeat it to see how it ended"
        return RefusedError(
            "TIMEOUT", f"The operation took longer than {self._time_limit:g} s: {fix}."
        )


def _refused(error: GraphQLError, status: int, *, suggest: bool) -> Outcome:
    return Outcome.of({"errors": describe_errors([error], suggest=suggest)}, status)
