"""The scalars that GraphQL lacks: instants, days, and counts beyond 32 bits."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import NewType

import strawberry
from graphql import GraphQLError
from strawberry.types.scalar import ScalarDefinition

from copilot_analytics.errors import QuestionError
from copilot_analytics.periods import parse_day

__all__ = ["SCALARS", "Count", "Day", "Timestamp"]

Count = NewType("Count", int)
"""A number of things."""

Day = NewType("Day", dt.date)
"""A calendar day in UTC."""

Timestamp = NewType("Timestamp", int)
"""An instant, epoch milliseconds."""


def _parse_day(value: object) -> dt.date:
    try:
        return parse_day("date", value if isinstance(value, str) else "")
    except QuestionError as exc:
        shown = repr(value[:40]) if isinstance(value, str) else "This"
        raise GraphQLError(f"{shown} is no date: {exc.remedy}.") from None


def _serialize_day(value: dt.date) -> str:
    return value.isoformat()


SCALARS: Mapping[object, ScalarDefinition] = {
    Count: strawberry.scalar(
        name="Count",
        description=(
            "A number of things: a whole number of at least 0, exact up to 2^53 - 1 "
            "(`Int` ends at 2^31 - 1)."
        ),
        serialize=int,
    ),
    Day: strawberry.scalar(
        name="Date",
        description="A calendar day in UTC, as `YYYY-MM-DD`.",
        specified_by_url="https://scalars.graphql.org/andimarek/local-date",
        serialize=_serialize_day,
        parse_value=_parse_day,
    ),
    Timestamp: strawberry.scalar(
        name="Timestamp",
        description="An instant: whole milliseconds since 1970-01-01T00:00:00Z.",
        serialize=int,
    ),
}
"""The schema's `scalar_map`."""
