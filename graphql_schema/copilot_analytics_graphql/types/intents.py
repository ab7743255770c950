"""Intents: what messages were taken to mean, and what came of it."""

from __future__ import annotations

from typing import Self

import strawberry

from copilot_analytics import rankings

from ..scalars import Count, Timestamp

__all__ = ["CommandCount", "ConfidenceDistribution", "Intent"]


@strawberry.type(description="How often one command ran.")
class CommandCount:
    """See `rankings.CommandCount`."""

    name: str = strawberry.field(description="The command's name.")
    executions: Count = strawberry.field(description="How often it ran.")

    @classmethod
    def of(cls, entry: rankings.CommandCount) -> Self:
        """Return the entry."""
        return cls(name=entry.name, executions=Count(entry.executions))


@strawberry.type(description="How sure the copilot was, 0..1, as a histogram.")
class ConfidenceDistribution:
    """See `rankings.Intent.confidence`."""

    samples: Count = strawberry.field(description="Classifications that tell their confidence.")
    bins: list[Count] = strawberry.field(
        description=(
            "How many of them are in each of 20 bins of 0.05: `bins[i]` is from i / 20 up to, not "
            "including, (i + 1) / 20; the last one includes 1."
        )
    )

    @classmethod
    def of(cls, bins: tuple[int, ...]) -> Self:
        """Return the distribution."""
        return cls(samples=Count(sum(bins)), bins=[Count(count) for count in bins])


@strawberry.type(description="What messages were taken to mean.")
class Intent:
    """See `rankings.Intent`."""

    name: str = strawberry.field(description="The intent's name.")
    count: Count = strawberry.field(description="How often a message was classified as it.")
    confidence: ConfidenceDistribution = strawberry.field(
        description="How sure the copilot was of these."
    )
    clarifications: Count = strawberry.field(description="Times the copilot asked back about it.")
    clarification_rate: float | None = strawberry.field(
        description=(
            "clarifications / count, 0..1 where each classification is asked back about at most "
            "once; null if it was never classified."
        )
    )
    executions: Count = strawberry.field(description="Commands that ran for it.")
    failures: Count = strawberry.field(description="Commands that failed for it.")
    commands: list[CommandCount] = strawberry.field(
        description="The commands that ran for it, most frequent first; ties by name."
    )
    last_seen: Timestamp = strawberry.field(
        description="The last event in the range that names it."
    )

    @classmethod
    def of(cls, intent: rankings.Intent) -> Self:
        """Return the intent."""
        return cls(
            name=intent.name,
            count=Count(intent.count),
            confidence=ConfidenceDistribution.of(intent.confidence),
            clarifications=Count(intent.clarifications),
            clarification_rate=intent.clarification_rate,
            executions=Count(intent.executions),
            failures=Count(intent.failures),
            commands=[CommandCount.of(entry) for entry in intent.commands],
            last_seen=Timestamp(intent.last_seen),
        )
