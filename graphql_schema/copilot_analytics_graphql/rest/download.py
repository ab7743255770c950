"""`/export`: a file of some days, sent as it is made."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import Any

from copilot_analytics.errors import MissingDependencyError, QuestionError
from copilot_analytics.event_log import EventPosition
from copilot_analytics.exporting import ExportRequest, ExportStream, parse_position
from copilot_analytics.queries import ExportFormat, ExportSection
from copilot_analytics.typing import Scope

from ..access import Principal
from ..links import LINK_PARAMETERS, LinkError
from ..shared import Shared
from .endpoint import Endpoint, days_of
from .operations import END, START
from .parameters import Choice, Flag, Parameter, read_query
from .problems import ProblemError, explain
from .replies import FileReply, Sendable, accepts_gzip, problem_reply

__all__ = ["EXPORT_PARAMETERS", "ExportEndpoint"]

MAX_AT_ONCE = 8
"""Files that are made at once: each reads the store all the time."""

_RETRY_SECONDS = 5


class _Position(Parameter[EventPosition | None]):
    """The place of an event."""

    @property
    def schema(self) -> Mapping[str, Any]:
        """What `parse_position` reads."""
        return {"type": "string", "pattern": r"^-?[0-9]{1,15}:[\s\S]{1,256}$"}

    def read(self, text: str) -> EventPosition:
        """Return the place."""
        try:
            return parse_position(text)
        except QuestionError as exc:
            raise ValueError(exc.remedy) from None


_FORMAT = Choice(
    "format",
    "`json`: period, export date, summary, commands and error patterns; `csv`: commands and error "
    "patterns as tables; `ndjson`, `parquet`: single events.",
    "json",
    ExportFormat.JSON,
    choices={each.value.lower(): each for each in ExportFormat},
)
_SECTION = Choice[ExportSection | None](
    "section",
    "The one table of a CSV; without it, all of them in a ZIP archive.",
    "commands",
    None,
    choices={each.value.lower(): each for each in ExportSection},
)
_BOM = Flag("bom", "Whether a CSV begins with a byte order mark, for Excel.", "false", False)
_AFTER = _Position(
    "after",
    "Only events after this place, for an NDJSON download that broke off: `timestamp:eventId` of "
    "its last whole line.",
    "1749945600000:01JXS0000000000000000000",
    None,
)

EXPORT_PARAMETERS: tuple[Parameter[Any], ...] = (START, END, _FORMAT, _SECTION, _BOM, _AFTER)
_PARAMETERS = {parameter.name: parameter for parameter in EXPORT_PARAMETERS}


class ExportEndpoint(Endpoint):
    """Sends files, to admins.

    Args:
        shared: what it shares with the endpoints beside it.
        time_limit: how long a file may take to begin, in seconds.
    """

    def __init__(self, shared: Shared, *, time_limit: float) -> None:
        super().__init__(shared)
        self._time_limit = time_limit
        self._under_way = 0

    async def _admit(self, scope: Scope, headers: Mapping[bytes, bytes]) -> Principal:
        links = self._shared.links
        if links is None or scope["method"] not in ("GET", "HEAD") or not _is_link(scope):
            return await super()._admit(scope, headers)
        given = self._given(scope)
        try:
            link = links.check(given, self._shared.source.clock.now_ms())
        except LinkError as exc:
            raise ProblemError(403, "FORBIDDEN", exc.fix) from None
        if b"authorization" in headers:
            principal = await super()._admit(scope, headers)
            if not links.is_of(link, principal):
                raise ProblemError(403, "FORBIDDEN", "The link was made for somebody else.")
            return principal
        # Counted as one who asks, apart from whom it was made for: nothing says who that is.
        principal = Principal(f"link:{link.by}", "admin", link.expires_at)
        self._shared.gatekeeper.charge(principal)
        return principal

    async def _reply(
        self, scope: Scope, headers: Mapping[bytes, bytes], principal: Principal
    ) -> Sendable:
        if not principal.sees_all:
            raise ProblemError(403, "FORBIDDEN", "Only an admin may ask this.")
        given = self._given(scope)
        values: Mapping[str, Any] = {name: each.value(given) for name, each in _PARAMETERS.items()}
        if self._under_way >= MAX_AT_ONCE:
            raise ProblemError(
                503,
                "UNAVAILABLE",
                f"{MAX_AT_ONCE} files are being made already: come again later.",
                (b"retry-after", str(_RETRY_SECONDS).encode()),
                retry_after=_RETRY_SECONDS,
            )
        attempt = self._guard.attempt("rest export")
        with attempt:
            try:
                async with asyncio.timeout(self._time_limit):
                    file = await self._file(values)
            except (QuestionError, TimeoutError, MissingDependencyError) as exc:
                return problem_reply(_refusal(exc, self._time_limit))
            return FileReply(
                file.filename, file.content_type, self._counted(file.chunks), accepts_gzip(headers)
            )
        return problem_reply(explain(attempt.error or RuntimeError()))

    def _given(self, scope: Scope) -> Mapping[str, str]:
        known = [*_PARAMETERS]
        if self._shared.links is not None and _is_link(scope):
            known += LINK_PARAMETERS
        return read_query(scope.get("query_string", b""), known)

    async def _file(self, values: Mapping[str, Any]) -> ExportStream:
        source = self._shared.source
        request = ExportRequest(
            days_of(values, source.clock.now_ms()),
            values[_FORMAT.name],
            values[_SECTION.name],
            byte_order_mark=values[_BOM.name],
            after=values[_AFTER.name],
        )
        return await source.service.export(request)

    async def _counted(self, chunks: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
        self._under_way += 1
        try:
            async for chunk in chunks:
                yield chunk
        finally:
            self._under_way -= 1


def _is_link(scope: Scope) -> bool:
    return b"signature=" in scope.get("query_string", b"")


def _refusal(error: Exception, time_limit: float) -> ProblemError:
    if isinstance(error, TimeoutError):
        return ProblemError(
            503,
            "TIMEOUT",
            f"The file took longer than {time_limit:g} s to begin: ask for fewer days.",
        )
    if isinstance(error, MissingDependencyError):
        return ProblemError(501, "NOT_IMPLEMENTED", f"This server cannot make it: {error}.")
    return explain(error)
