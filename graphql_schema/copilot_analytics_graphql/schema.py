"""The schema: code first; `schema.graphql` beside this package is printed from it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import strawberry
from graphql import GraphQLError, GraphQLSchema
from strawberry.extensions import SchemaExtension
from strawberry.schema.config import StrawberryConfig
from strawberry.types.execution import ExecutionContext

from .limits import PERIODS, ROWS
from .mutation import Mutation
from .permissions import require_rules
from .prices import PRICES
from .query import Query
from .scalars import SCALARS
from .slices import complete_in_slices
from .subscription import Subscription

__all__ = ["build_schema", "core_schema"]


class _DocumentFromContext(SchemaExtension):
    """Hands Strawberry the document that `documents.py` has parsed and validated already."""

    def on_parse(self) -> Iterator[None]:
        self.execution_context.graphql_document = self.execution_context.context.document
        yield

    def on_validate(self) -> Iterator[None]:
        self.execution_context.pre_execution_errors = []
        yield


class _Schema(strawberry.Schema):
    def process_errors(
        self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None
    ) -> None:
        """Log nothing: Strawberry would log values; `failures.py` logs what may be logged."""


@cache
def build_schema() -> strawberry.Schema:
    """Return the schema; always the same one.

    Raises:
        TypeError: a root field has no access rule.
    """
    require_rules(Query)
    require_rules(Mutation)
    require_rules(Subscription)
    schema = _Schema(
        query=Query,
        mutation=Mutation,
        subscription=Subscription,
        config=StrawberryConfig(scalar_map=dict(SCALARS)),
        extensions=[_DocumentFromContext],
    )
    long = (place for place, size in PRICES.sizes.items() if size in (ROWS, PERIODS))
    complete_in_slices(schema._schema, long)
    return schema


def core_schema() -> GraphQLSchema:
    """Return the same as graphql-core's schema, to parse and validate with."""
    return build_schema()._schema
