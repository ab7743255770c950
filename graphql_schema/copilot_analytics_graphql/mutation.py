"""What can be changed: a user can be erased, and nothing else."""

from __future__ import annotations

from typing import Annotated

import strawberry

from copilot_analytics.errors import QuestionError

from .context import Context
from .permissions import AdminOnly
from .types import Erasure

__all__ = ["Mutation"]

_UserId = Annotated[
    strawberry.ID,
    strawberry.argument(
        description="The user's id, as the application knows it or as answers show it."
    ),
]


async def _erase_user(info: strawberry.Info[Context, None], user_id: _UserId) -> Erasure | None:
    if user_id == "":
        raise QuestionError("user_id", user_id, "give a user's id")
    return Erasure.of(user_id, await info.context.questions.erase_user(user_id))


@strawberry.type(description="What can be changed; by POST only.")
class Mutation:
    """The root of mutations."""

    erase_user: Erasure | None = strawberry.field(
        resolver=_erase_user,
        permission_classes=[AdminOnly],
        description=(
            "Removes a user: their events and counts, their place in sets of distinct users and in "
            "lists of affected users; every other count stays. Repeating it is harmless, and "
            "completes what was broken off."
        ),
    )
