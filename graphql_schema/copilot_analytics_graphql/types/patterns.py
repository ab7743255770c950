"""Error patterns: errors grouped by type and normalised message."""

from __future__ import annotations

from typing import Self

import strawberry

from copilot_analytics import queries

from ..scalars import Count, Timestamp
from .figures import Users

__all__ = ["ErrorPattern"]


@strawberry.type(description="Errors of one type and one normalised message.")
class ErrorPattern:
    """See `queries.ErrorPattern`."""

    fingerprint: strawberry.ID = strawberry.field(description="The pattern's id; stable.")
    error_type: str = strawberry.field(description="The errors' class or code.")
    message: str = strawberry.field(
        description=(
            "The errors' message, normalised before it was stored: placeholders stand for "
            "addresses, numbers, quoted text and the like."
        )
    )
    count: Count = strawberry.field(description="How many occurred in the range.")
    total_count: Count = strawberry.field(description="How many occurred ever, as far as kept.")
    first_occurrence: Timestamp = strawberry.field(
        description="The first one ever, as far as kept."
    )
    last_occurrence: Timestamp = strawberry.field(description="The last one in the range.")
    affected_users: Users = strawberry.field(
        description="Distinct signed-in users who met it in the range."
    )
    affected_user_ids: list[strawberry.ID] = strawberry.field(
        description="Stored ids of users who ever met it, sorted; at most 100, so never count them."
    )

    @classmethod
    def of(cls, pattern: queries.ErrorPattern) -> Self:
        """Return the pattern."""
        return cls(
            fingerprint=strawberry.ID(pattern.fingerprint),
            error_type=pattern.error_type,
            message=pattern.message,
            count=Count(pattern.count),
            total_count=Count(pattern.total_count),
            first_occurrence=Timestamp(pattern.first_occurrence),
            last_occurrence=Timestamp(pattern.last_occurrence),
            affected_users=Users.of(pattern.affected_users),
            affected_user_ids=[strawberry.ID(user) for user in pattern.affected_user_ids],
        )
