"""Makes the file of a request."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import assert_never

from ..answers import Answers
from ..events import AnalyticsEvent
from ..periods import DateRange
from ..queries import ExportFormat, ExportSection
from ..stores.base import EventSelection, Store
from ..typing import Clock
from .columns import COMMANDS, ERRORS
from .document import render_document
from .events import Advance, event_pages, render_lines
from .files import ExportFile, in_chunks
from .request import ExportRequest, table_name
from .tables import render_archive, render_table

__all__ = ["Exporter"]


class Exporter:
    """Makes files from a store; thread-safe, though each file is one thread's at a time.

    Args:
        answers: answer what rollups tell.
        store: where the events are; not owned.
        clock: tells the export's date.
    """

    def __init__(self, answers: Answers, store: Store, clock: Clock) -> None:
        self._answers = answers
        self._store = store
        self._clock = clock

    def export(self, request: ExportRequest, *, advance: Advance | None = None) -> ExportFile:
        """Return the file that is asked for; its first bytes are made already.

        Args:
            request: which file.
            advance: is told how many more events have been read; NDJSON and Parquet only.

        Raises:
            MissingDependencyError: Parquet, without the extra that writes it.
            StoreError: the store cannot be read.
        """
        chunks = self._chunks(request, advance)
        first = next(chunks, b"")
        return ExportFile(request.filename, request.content_type, chain([first], chunks))

    def _chunks(self, request: ExportRequest, advance: Advance | None) -> Iterator[bytes]:
        match request.format:
            case ExportFormat.JSON:
                return self._document(request.range)
            case ExportFormat.CSV if request.section is not None:
                return in_chunks(self._table(request, request.section))
            case ExportFormat.CSV:
                return self._archive(request)
            case ExportFormat.NDJSON:
                return render_lines(self._events(request, advance))
            case ExportFormat.PARQUET:
                from .parquet import render_parquet

                return render_parquet(self._events(request, advance))
            case _:
                assert_never(request.format)

    def _document(self, days: DateRange) -> Iterator[bytes]:
        answers = self._answers
        return in_chunks(
            render_document(
                days,
                self._clock.now_ms(),
                answers.summary(days),
                answers.every_command(days),
                answers.every_pattern(days),
            )
        )

    def _archive(self, request: ExportRequest) -> Iterator[bytes]:
        tables = {
            table_name(request.range, section): self._table(request, section)
            for section in ExportSection
        }
        return in_chunks(render_archive(tables, self._clock.now_ms()))

    def _table(self, request: ExportRequest, section: ExportSection) -> Iterator[bytes]:
        days, mark = request.range, request.byte_order_mark
        if section is ExportSection.COMMANDS:
            rows = self._answers.every_command(days)
            return render_table(COMMANDS, rows, byte_order_mark=mark)
        patterns = self._answers.every_pattern(days)
        return render_table(ERRORS, patterns, byte_order_mark=mark)

    def _events(
        self, request: ExportRequest, advance: Advance | None
    ) -> Iterator[Sequence[AnalyticsEvent]]:
        # Up to now, and no further: where events are stored as fast as they are read, it ends.
        selection = EventSelection(
            start_ms=request.range.start_ms,
            end_ms=min(request.range.end_ms - 1, self._clock.now_ms()),
        )
        return event_pages(self._store, selection, after=request.after, advance=advance)
