"""Every question, answered from rollups: one method a question, none of which scans events.

Synchronous on purpose: it runs wherever the store may block (`reading.py` calls it in threads).
"""

from __future__ import annotations

from ..periods import DateRange
from ..queries import Dashboard
from ._activity import ActivityAnswers
from ._commands import CommandAnswers
from ._errors import ErrorAnswers
from ._intents import IntentAnswers
from ._pages import check_limit
from ._series import SeriesAnswers
from ._users import UserAnswers

__all__ = ["Answers"]


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

    def generations(self, range: DateRange) -> int:
        """Return a number that changes when the past of the range does; see `Store`."""
        return self._store.generations(range)
