"""What resolvers and permissions know: who asks, and the questions that they may put."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from graphql.language import DocumentNode

from copilot_analytics.errors import QuestionError
from copilot_analytics.events import ANONYMOUS_PREFIX
from copilot_analytics.identity import is_pseudonym
from copilot_analytics.periods import DateRange

from .access import Principal
from .cursors import Cursors
from .links import ExportLinks
from .questions import CachedQuestions
from .ranges import RangeInput, asked_range
from .responses import ResponseCache
from .rows import Rows
from .source import Source
from .tail import EventTail
from .turns import Turns
from .updates import Updates

if TYPE_CHECKING:
    from .types import EventRecorded

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
        links: makes links to exports; None where there is no REST beside it.
        updates: answers that are followed.
        tail: events that are followed.
        turns: what long lists take for each slice.
    """

    principal: Principal
    questions: CachedQuestions
    rows: Rows
    responses: ResponseCache
    cursors: Cursors
    source: Source
    document: DocumentNode
    links: ExportLinks | None
    updates: Updates
    tail: EventTail[EventRecorded]
    turns: Turns

    @property
    def scope(self) -> str | None:
        """Whose eyes answers are for: None for those who see all, else the principal's id."""
        return None if self.principal.sees_all else self.principal.id

    def owns(self, user_id: str) -> bool:
        """Return whether a user's id is the principal's own, however it is stored."""
        stored = self.source.stored_user_id
        return user_id == self.principal.id or stored(user_id) == stored(self.principal.id)

    def user(self, asked: str | None) -> tuple[str, bool]:
        """Return whom a question is about, and whether that is their id as stored.

        An admin sees stored ids in other answers, and may ask about them. Anybody else is only ever
        asked about as themselves, whatever they say.

        Args:
            asked: whom they say; None means themselves.

        Raises:
            QuestionError: it is empty.
        """
        if asked == "":
            raise QuestionError("user_id", asked, "give a user's id")
        if asked is None or not self.principal.sees_all:
            return self.principal.id, False
        return asked, is_pseudonym(asked.removeprefix(ANONYMOUS_PREFIX))

    def stored_user(self, asked: str | None) -> str:
        """Return the stored id of whom a question is about; see `user`."""
        user, stored = self.user(asked)
        return user if stored else self.source.stored_user_id(user)

    def range(self, asked: RangeInput | None) -> DateRange:
        """Return the days asked about.

        Raises:
            QuestionError: they are no range.
        """
        return asked_range(asked, self.source.clock.now_ms())
