"""Which principal may read which root field. A field without a rule fails the schema's build."""

from __future__ import annotations

from typing import Any

import strawberry
from strawberry.permission import BasePermission
from strawberry.types import get_object_definition

from .context import Context
from .errors import DeniedError
from .filters import EventFilterInput

__all__ = ["AdminOnly", "OwnActivity", "OwnEvents", "require_rules"]


class _Rule(BasePermission):
    """A rule of ours, as `require_rules` demands it; an exception in one denies the field."""

    error_class = DeniedError

    @property
    def error_extensions(self) -> dict[str, str]:  # type: ignore[override]
        """Return a new dictionary: an error keeps and changes the one it gets."""
        return {"code": "FORBIDDEN"}


class AdminOnly(_Rule):
    """Admins see it, nobody else."""

    message = "Only an admin may ask this; a user may ask for their own userActivity."

    def has_permission(self, source: Any, info: strawberry.Info[Context, None], **_: Any) -> bool:
        """Return whether the principal is an admin."""
        return info.context.principal.sees_all


class OwnActivity(_Rule):
    """Admins may name any user, a user only themselves; without a name it is one's own."""

    message = "You may ask for your own activity only; leave userId out."

    def has_permission(
        self,
        source: Any,
        info: strawberry.Info[Context, None],
        user_id: str | None = None,
        **_: Any,
    ) -> bool:
        """Return whether the user asked about is the principal, or the principal an admin."""
        context = info.context
        return context.principal.sees_all or user_id is None or context.owns(user_id)


class OwnEvents(_Rule):
    """Admins may ask for anybody's events, a user for their own, which they get by default."""

    message = "You may ask for your own events only; leave filter.userId out."

    def has_permission(
        self,
        source: Any,
        info: strawberry.Info[Context, None],
        filter: EventFilterInput | None = None,
        **_: Any,
    ) -> bool:
        """Return whether the user asked about is the principal, or the principal an admin."""
        context = info.context
        user_id = None if filter is None else filter.user_id
        return context.principal.sees_all or user_id is None or context.owns(user_id)


def require_rules(root: type) -> None:
    """Make sure that every field of a root type has a rule: what is not granted is denied.

    Raises:
        TypeError: a field has none.
    """
    for field in get_object_definition(root, strict=True).fields:
        if not any(issubclass(rule, _Rule) for rule in field.permission_classes):
            raise TypeError(f"{root.__name__}.{field.name} says nobody who may read it")
