"""What a client is told of an error: mistakes with their fix, our own failures by a reference only.

An error is shown if it is known to be meant for whoever asked; every other one is masked. The log
has its reference, its type and where it was raised, never its text or arguments, which may hold
users' data.
"""

from __future__ import annotations

import logging
import secrets
import traceback
from collections.abc import Iterable
from itertools import islice
from typing import Any

from graphql import GraphQLError

from copilot_analytics.errors import QuestionError, StoreUnavailableError

from .errors import DeniedError, RefusedError

__all__ = ["describe_errors", "mask"]

_log = logging.getLogger("copilot_analytics.graphql")

# What graphql-core adds to a mistyped name tells those who may not introspect about the schema.
_SUGGESTION = " Did you mean "

_MAX_SHOWN = 20
_MAX_TEXT = 1_000


def describe_errors(errors: Iterable[GraphQLError], *, suggest: bool) -> list[dict[str, Any]]:
    """Return errors as a response may show them, at most 20.

    Args:
        errors: as graphql-core gives them.
        suggest: whether the client may see names that it did not give.
    """
    return [_describe(error, suggest=suggest) for error in islice(errors, _MAX_SHOWN)]


def mask(error: BaseException) -> dict[str, Any]:
    """Log a failure of ours and return what a response may show of it."""
    reference = secrets.token_hex(8)
    _log.error("%s: %s raised at %s", reference, type(error).__qualname__, _origin(error))
    return {
        "message": f"Internal error; the server's log has more under reference {reference}.",
        "extensions": {"code": "INTERNAL_SERVER_ERROR", "reference": reference},
    }


def _describe(error: GraphQLError, *, suggest: bool) -> dict[str, Any]:
    described = _explain(error, error.original_error, suggest=suggest)
    if error.locations:
        described["locations"] = [location.formatted for location in error.locations]
    if error.path is not None:
        described["path"] = error.path
    return described


def _explain(error: GraphQLError, cause: Exception | None, *, suggest: bool) -> dict[str, Any]:
    if isinstance(cause, QuestionError):
        return _explain_question(cause)
    if isinstance(cause, StoreUnavailableError):
        masked = mask(cause)
        masked["message"] = f"The store cannot be read now; try again. {masked['message']}"
        masked["extensions"]["code"] = "UNAVAILABLE"
        return masked
    known = error if cause is None else cause
    if isinstance(known, RefusedError | DeniedError):
        return {"message": known.message, "extensions": dict(known.extensions or {})}
    # Without a path it happened before execution: syntax, validation, or a variable's value.
    if error.path is None and isinstance(known, GraphQLError):
        text = error.message if suggest else error.message.partition(_SUGGESTION)[0]
        if len(text) > _MAX_TEXT:
            text = f"{text[:_MAX_TEXT]}…"
        return {"message": text, "extensions": {"code": "GRAPHQL_VALIDATION_FAILED"}}
    return mask(known)


def _explain_question(error: QuestionError) -> dict[str, Any]:
    head, *tail = error.argument.split("_")
    argument = head + "".join(part.title() for part in tail)
    # As a client wrote it: None was null.
    value = "null" if error.value is None else repr(error.value)
    if len(value) > 100:
        value = f"{value[:100]}…"
    return {
        "message": f"{argument} cannot be {value}: {error.remedy}.",
        "extensions": {"code": "BAD_USER_INPUT", "argument": argument, "fix": error.remedy},
    }


def _origin(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__, limit=-1)
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else "an unknown place"
