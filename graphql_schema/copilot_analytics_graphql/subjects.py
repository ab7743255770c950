"""Whom a question is about, and whether that is somebody's own affair."""

from __future__ import annotations

from copilot_analytics.events import ANONYMOUS_PREFIX
from copilot_analytics.identity import is_pseudonym

from .access import Principal
from .source import Source

__all__ = ["is_own", "is_stored"]


def is_own(source: Source, principal: Principal, user_id: str) -> bool:
    """Return whether a user's id is the principal's own, however it is stored."""
    stored = source.stored_user_id
    return user_id == principal.id or stored(user_id) == stored(principal.id)


def is_stored(user_id: str) -> bool:
    """Return whether an id that an admin names is one that other answers have shown."""
    return is_pseudonym(user_id.removeprefix(ANONYMOUS_PREFIX))
