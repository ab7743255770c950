"""Commands: the ranking and everything about one of them."""

from __future__ import annotations

from typing import Self

import strawberry

from copilot_analytics import queries

from ..scalars import Count, Timestamp
from .figures import ErrorTypeCount, Latency, Users

__all__ = ["CommandStats", "PopularCommand"]


@strawberry.type(description="One command in a ranking.")
class PopularCommand:
    """See `queries.PopularCommand`."""

    name: str = strawberry.field(description="The command's name.")
    executions: Count = strawberry.field(description="How often it ran.")
    successes: Count = strawberry.field(description="How often it did what was asked.")
    failures: Count = strawberry.field(description="How often it did not.")
    success_rate: float | None = strawberry.field(
        description="successes / executions, 0..1; null if it never ran."
    )
    average_ms: float | None = strawberry.field(
        description="How long it took on average, in milliseconds; null where no time is known."
    )
    last_executed: Timestamp = strawberry.field(description="The last time it ran in the range.")

    @classmethod
    def of(cls, command: queries.PopularCommand) -> Self:
        """Return the command."""
        return cls(
            name=command.name,
            executions=Count(command.executions),
            successes=Count(command.successes),
            failures=Count(command.failures),
            success_rate=command.success_rate,
            average_ms=command.average_ms,
            last_executed=Timestamp(command.last_executed),
        )


@strawberry.type(description="Everything about one command in a range.")
class CommandStats:
    """See `queries.CommandStats`."""

    name: str = strawberry.field(description="The command's name.")
    executions: Count = strawberry.field(description="How often it ran; 0 if it never did.")
    successes: Count = strawberry.field(description="How often it did what was asked.")
    failures: Count = strawberry.field(description="How often it did not.")
    success_rate: float | None = strawberry.field(
        description="successes / executions, 0..1; null if it never ran."
    )
    execution: Latency = strawberry.field(description="How long it took.")
    last_executed: Timestamp | None = strawberry.field(
        description="The last time it ran in the range; null if it never did."
    )
    users: Users = strawberry.field(description="Distinct signed-in users who ran it.")
    errors_by_type: list[ErrorTypeCount] = strawberry.field(
        description="The errors it raised, most frequent first; ties by name."
    )

    @classmethod
    def of(cls, stats: queries.CommandStats) -> Self:
        """Return the command's figures."""
        return cls(
            name=stats.name,
            executions=Count(stats.executions),
            successes=Count(stats.successes),
            failures=Count(stats.failures),
            success_rate=stats.success_rate,
            execution=Latency.of(stats.execution),
            last_executed=None if stats.last_executed is None else Timestamp(stats.last_executed),
            users=Users.of(stats.users),
            errors_by_type=[ErrorTypeCount.of(entry) for entry in stats.errors_by_type],
        )
