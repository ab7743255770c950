"""Every question, answered from rollups: one method a question, none of which scans events.

Synchronous on purpose: it runs wherever the store may block (`reading.py` calls it in threads).
"""

from __future__ import annotations

from ..exports import render_export
from ..periods import DateRange
from ..queries import Dashboard, Export, ExportFormat, ExportSection
from ._activity import ActivityAnswers
from ._commands import CommandAnswers
from ._errors import ErrorAnswers
from ._intents import IntentAnswers
from ._pages import check_limit
from ._series import SeriesAnswers
from ._users import UserAnswers

__all__ = ["Answers"]

_EXPORTED_ROWS = 10_000


class Answers(
    ActivityAnswers, CommandAnswers, ErrorAnswers, IntentAnswers, SeriesAnswers, UserAnswers
):
    """Answers every question from a store's rollups; see `Reader` for its arguments.

    Every method raises `QuestionError` for arguments that make no sense and `StoreError` when the
    store cannot be read. Ranges are inclusive UTC days.
    """

    def dashboard(self, range: DateRange, *, top: int = 5) -> Dashboard:
        """Return the summary, its comparison, and the `top` (1..1000) commands and patterns."""
        check_limit("top", top)
        return Dashboard(
            range,
            self.summary(range),
            self.popular_commands(range, first=top).rows,
            self.error_patterns(range, first=top).rows,
        )

    def export(
        self, range: DateRange, format: ExportFormat, section: ExportSection | None = None
    ) -> Export:
        """Return a file of commands, errors and summary (JSON) or of one of the tables (CSV).

        It has at most 10,000 commands and as many patterns.

        Raises:
            QuestionError: CSV without a section.
        """
        return render_export(
            range=range,
            summary=self.summary(range),
            commands=self._commands(range, first=_EXPORTED_ROWS).rows,
            errors=self._patterns(range, first=_EXPORTED_ROWS).rows,
            format=format,
            section=section,
            now_ms=self._clock.now_ms(),
        )

    def generations(self, range: DateRange) -> int:
        """Return a number that changes when the past of the range does; see `Store`."""
        return self._store.generations(range)
