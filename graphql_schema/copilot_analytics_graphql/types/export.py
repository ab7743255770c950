"""A file to download."""

from __future__ import annotations

from typing import Self

import strawberry

from copilot_analytics import queries
from copilot_analytics.errors import QuestionError

__all__ = ["MAX_CONTENT_BYTES", "Export"]

MAX_CONTENT_BYTES = 5 * 1024 * 1024
"""The largest content that is put into an answer; JSON in JSON is held in memory three times."""


def _content(root: strawberry.Parent[Export]) -> str | None:
    if root.size > MAX_CONTENT_BYTES:
        raise QuestionError(
            "range",
            f"one whose export has {root.size:,} bytes",
            f"at most {MAX_CONTENT_BYTES:,} fit an answer; ask for fewer days, or for one section",
        )
    return root.text


@strawberry.type(description="A file to download.")
class Export:
    """See `queries.Export`."""

    filename: str = strawberry.field(description="A file name that says what it holds.")
    content_type: str = strawberry.field(description="Its MIME type.")
    size: int = strawberry.field(description="Its size in bytes, UTF-8.")
    text: strawberry.Private[str]

    content: str | None = strawberry.field(
        resolver=_content,
        description="Its whole text; null, with an error that says so, when it exceeds 5 MB.",
    )

    @classmethod
    def of(cls, export: queries.Export) -> Self:
        """Return the file."""
        return cls(
            filename=export.filename,
            content_type=export.content_type,
            size=len(export.content.encode()),
            text=export.content,
        )
