"""Which operations are run, and for whom, whatever they are asked over."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import NamedTuple

from graphql import GraphQLError, OperationDefinitionNode, OperationType

from copilot_analytics.typing import Clock

from .access import Principal
from .allow_list import AllowList
from .documents import Prepared, prepare
from .errors import RefusedError
from .limits import Limits, Pricing
from .prices import PRICES
from .requests import GraphQLRequest
from .schema import core_schema

__all__ = ["Checked", "OperationError", "Operations"]

_ELSEWHERE = {
    OperationType.QUERY: (400, "BAD_REQUEST", "Queries are not taken here."),
    OperationType.MUTATION: (
        405,
        "METHOD_NOT_ALLOWED",
        "Mutations are taken by POST only: send it so.",
    ),
    OperationType.SUBSCRIPTION: (
        400,
        "BAD_REQUEST",
        "Subscriptions are taken on a WebSocket only: connect to this address with the subprotocol "
        "graphql-transport-ws.",
    ),
}
"""What is said to an operation that is not taken where it came."""


class OperationError(Exception):
    """An operation that is not run.

    Attributes:
        status: the HTTP status of a response that may tell: 400, 403 or 405.
        errors: why not.
    """

    def __init__(self, status: int, errors: Iterable[GraphQLError]) -> None:
        super().__init__(status)
        self.status = status
        self.errors = tuple(errors)


class Checked(NamedTuple):
    """An operation that may be run.

    Attributes:
        prepared: the text that it stands in.
        operation: itself.
    """

    prepared: Prepared
    operation: OperationDefinitionNode


class Operations:
    """Checks operations.

    Args:
        clock: tells today, which a range may depend on.
        limits: what an operation may cost.
        allowed: the only ones that others than admins may run; None: any.
        open_introspection: whether others than admins may ask for the schema.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        limits: Limits,
        allowed: AllowList | None = None,
        open_introspection: bool = False,
    ) -> None:
        self._clock = clock
        self._limits = limits
        self._allowed = allowed
        self._open_introspection = open_introspection

    def kind(self, request: GraphQLRequest) -> OperationType | None:
        """Return what an operation is; None where that cannot be told."""
        try:
            prepared = prepare(request.query, self._limits)
            return prepared.operation(request.operation_name).operation
        except GraphQLError:
            return None

    def is_shared(self, request: GraphQLRequest) -> bool:
        """Return whether all with the same rights who ask it at once may get one response."""
        try:
            prepared = prepare(request.query, self._limits)
            operation = prepared.operation(request.operation_name).operation
        except GraphQLError:
            return False
        return operation is OperationType.QUERY and not prepared.is_personal

    def check(
        self, request: GraphQLRequest, principal: Principal, kinds: Collection[OperationType]
    ) -> Checked:
        """Return an operation that may be run.

        Args:
            request: says which.
            principal: who asks.
            kinds: what it may be here.

        Raises:
            OperationError: it may not.
            GraphQLError: it exceeds a limit, or is no GraphQL.
        """
        prepared = prepare(request.query, self._limits)
        if not self._may_run(request, principal):
            raise _refusal(
                403, "FORBIDDEN", "Only an admin may run operations that are not listed."
            )
        if prepared.errors:
            raise OperationError(400, prepared.errors)
        operation = prepared.operation(request.operation_name)
        if operation.operation not in kinds:
            raise _refusal(*_ELSEWHERE[operation.operation])
        if prepared.introspects and not (principal.sees_all or self._open_introspection):
            raise _refusal(
                403, "FORBIDDEN", "Only an admin may introspect; the schema is documented."
            )
        pricing = Pricing(core_schema(), PRICES, prepared.document, self._clock.now_ms())
        pricing.check(operation, request.variables or {}, self._limits)
        return Checked(prepared, operation)

    def _may_run(self, request: GraphQLRequest, principal: Principal) -> bool:
        return (
            self._allowed is None
            or principal.sees_all
            or self._allowed.allows(request.query, request.operation_name)
        )


def _refusal(status: int, code: str, message: str) -> OperationError:
    return OperationError(status, [RefusedError(code, message)])
