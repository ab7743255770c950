"""Errors whose text is meant for whoever asked."""

from __future__ import annotations

from graphql import GraphQLError

__all__ = ["DeniedError", "RefusedError"]


class DeniedError(GraphQLError):
    """A principal asked for what they may not see."""


class RefusedError(GraphQLError):
    """An operation that is not run; its text says why, and what to do instead.

    Args:
        code: a stable name of the reason, `extensions.code`.
        message: the text.
        details: more for `extensions`.
    """

    def __init__(self, code: str, message: str, **details: str | int) -> None:
        super().__init__(message, extensions={"code": code, **details})
