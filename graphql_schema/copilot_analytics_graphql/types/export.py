"""A file to download."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Self

import strawberry

from copilot_analytics.errors import QuestionError
from copilot_analytics.exporting import ExportRequest
from copilot_analytics.queries import ExportFormat

from ..context import Context
from ..questions import CachedQuestions

__all__ = ["MAX_CONTENT_BYTES", "Export"]

MAX_CONTENT_BYTES = 5 * 1024 * 1024
"""The largest content that is put into an answer; JSON in JSON is held in memory three times."""


@dataclass(frozen=True, slots=True)
class _Text:
    size: int
    content: str | None


class _Reading:
    """Reads an export's text when it is first asked for, once for all fields that tell of it."""

    def __init__(self, request: ExportRequest, questions: CachedQuestions) -> None:
        self.request = request
        self._questions = questions
        self._lock = asyncio.Lock()
        self._text: _Text | None = None

    async def text(self) -> _Text | None:
        """Return the text; None where the file is none."""
        if not self.request.is_text:
            return None
        async with self._lock:
            if self._text is None:
                self._text = await self._read()
        return self._text

    async def _read(self) -> _Text:
        stream = await self._questions.export(self.request)
        size, chunks = 0, list[bytes]()
        async for chunk in stream.chunks:
            size += len(chunk)
            if size <= MAX_CONTENT_BYTES:
                chunks.append(chunk)
            else:
                chunks.clear()
        return _Text(size, b"".join(chunks).decode() if size <= MAX_CONTENT_BYTES else None)


async def _size(root: strawberry.Parent[Export]) -> int | None:
    text = await root.reading.text()
    return None if text is None else text.size


async def _content(root: strawberry.Parent[Export]) -> str | None:
    text = await root.reading.text()
    if text is None:
        raise _no_text(root.reading.request)
    if text.content is None:
        raise QuestionError(
            "range",
            f"one whose export has {text.size:,} bytes",
            f"at most {MAX_CONTENT_BYTES:,} fit an answer; take it from its url, or ask for fewer "
            "days, or for one section",
        )
    return text.content


def _no_text(request: ExportRequest) -> QuestionError:
    if request.format is ExportFormat.CSV:
        return QuestionError(
            "section", None, "a CSV holds one table: give COMMANDS or ERRORS, or take its url"
        )
    return QuestionError(
        "format", request.format.value, "events are too many for an answer: take them from its url"
    )


@strawberry.type(description="A file to download.")
class Export:
    """See `exporting.ExportRequest`."""

    filename: str = strawberry.field(description="A file name that says what it holds.")
    content_type: str = strawberry.field(description="Its MIME type.")
    url: str | None = strawberry.field(
        description=(
            "Where to download it, a path on this server: for five minutes, without credentials; "
            "null where the REST API is not beside this endpoint."
        )
    )
    reading: strawberry.Private[_Reading]

    size: int | None = strawberry.field(
        resolver=_size,
        description="The size of its content in bytes, UTF-8; null for what has no content.",
    )
    content: str | None = strawberry.field(
        resolver=_content,
        description=(
            "Its whole text; null, with an error that says so, when it exceeds 5 MB, and for "
            "events and archives."
        ),
    )

    @classmethod
    def of(cls, request: ExportRequest, context: Context) -> Self:
        """Return the file, of which nothing has been made yet."""
        context.questions.unshared()
        links, now_ms = context.links, context.source.clock.now_ms()
        return cls(
            url=None if links is None else links.url(request, context.principal, now_ms),
            filename=request.filename,
            content_type=request.content_type,
            reading=_Reading(request, context.questions),
        )
