"""What resolvers and permissions know: who asks, and the questions that they may put."""

from __future__ import annotations

from dataclasses import dataclass

from graphql.language import DocumentNode

from copilot_analytics.periods import DateRange

from .access import Principal
from .cursors import Cursors
from .questions import CachedQuestions
from .ranges import RangeInput, asked_range
from .responses import ResponseCache
from .rows import Rows
from .source import Source

__all__ = ["Context"]


@dataclass(frozen=True, slots=True)
class Context:
    """One operation's surroundings.

    Attributes:
        principal: who asks.
        questions: asks the service for them, through the cache.
        rows: asks for what rows of lists are asked for besides.
        responses: the cache of whole responses, for its figures.
        cursors: signs places in lists.
        source: what is asked about.
        document: what they ask, parsed and validated.
    """

    principal: Principal
    questions: CachedQuestions
    rows: Rows
    responses: ResponseCache
    cursors: Cursors
    source: Source
    document: DocumentNode

    def owns(self, user_id: str) -> bool:
        """Return whether a user's id is the principal's own, however it is stored."""
        stored = self.source.stored_user_id
        return user_id == self.principal.id or stored(user_id) == stored(self.principal.id)

    def range(self, asked: RangeInput | None) -> DateRange:
        """Return the days asked about.

        Raises:
            QuestionError: they are no range.
        """
        return asked_range(asked, self.source.clock.now_ms())
