"""What a client is told when it gets no answer: problem details, RFC 9457.

The codes are GraphQL's. `error` repeats `detail` for clients that read the original's errors.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from copilot_analytics.errors import QuestionError, StoreUnavailableError

from ..failures import mask
from ..rates import TooOftenError

__all__ = ["PROBLEM_JSON", "Problem", "ProblemError", "explain"]

PROBLEM_JSON = "application/problem+json"

_Headers = tuple[tuple[bytes, bytes], ...]


class Problem(Struct, rename="camel", omit_defaults=True):
    """Why a request got no answer, and what to do."""

    title: Annotated[str, Meta(description="The status in words.")]
    status: Annotated[int, Meta(description="The HTTP status.", ge=400, le=599)]
    detail: Annotated[str, Meta(description="What happened, and what to do instead.")]
    code: Annotated[str, Meta(description="A stable name of the reason.")]
    error: Annotated[str, Meta(description="The same as `detail`.")]
    parameter: Annotated[
        str | UnsetType, Meta(description="The parameter at fault, where there is one.")
    ] = UNSET
    reference: Annotated[
        str | UnsetType,
        Meta(description="Of a failure of ours: what to look for in the server's log."),
    ] = UNSET
    retry_after: Annotated[int | UnsetType, Meta(description="When to come again, in seconds.")] = (
        UNSET
    )


class ProblemError(Exception):
    """A request that gets no answer.

    Attributes:
        status: the HTTP status.
        code: a stable name of the reason.
        detail: what happened and what to do, as a sentence.
        headers: more response headers.
        members: more members of the problem.
    """

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *headers: tuple[bytes, bytes],
        **members: str | int,
    ) -> None:
        super().__init__(status, code)
        self.status = status
        self.code = code
        self.detail = detail
        self.headers: _Headers = headers
        self.members = members

    def body(self) -> bytes:
        """Return it as `application/problem+json`."""
        problem = Problem(
            HTTPStatus(self.status).phrase, self.status, self.detail, self.code, self.detail
        )
        for name, value in self.members.items():
            setattr(problem, name, value)
        return msgspec.json.encode(problem)


# What the core calls the parameters that clients know by another name.
_PARAMETERS = {
    "byte_order_mark": "bom",
    "end": "endDate",
    "first": "limit",
    "range": "startDate",
    "start": "startDate",
}
_MAX_VALUE = 100


def explain(error: Exception) -> ProblemError:
    """Return what a client is told of an error: its own mistake, or a reference to ours."""
    if isinstance(error, ProblemError):
        return error
    if isinstance(error, TooOftenError):
        return ProblemError(
            429,
            "RATE_LIMITED",
            error.message,
            (b"retry-after", str(error.retry_after).encode()),
            retry_after=error.retry_after,
        )
    if isinstance(error, QuestionError):
        # Each parameter is good by itself, or it would not have come this far.
        value = str(error.value)
        if len(value) > _MAX_VALUE:
            value = f"{value[:_MAX_VALUE]}…"
        return ProblemError(
            422,
            "BAD_USER_INPUT",
            f"{error.argument} cannot be {value}: {error.remedy}.",
            parameter=_PARAMETERS.get(error.argument, error.argument),
        )
    masked = mask(error)
    text, reference = str(masked["message"]), str(masked["extensions"]["reference"])
    if isinstance(error, StoreUnavailableError):
        text = f"The store cannot be read now; try again. {text}"
        return ProblemError(503, "UNAVAILABLE", text, reference=reference)
    return ProblemError(500, "INTERNAL_SERVER_ERROR", text, reference=reference)
