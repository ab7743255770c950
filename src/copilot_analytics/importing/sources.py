"""What can be imported: the contract of sources, and the days of them that are wanted."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from ..errors import QuestionError
from ..periods import day_of, parse_day
from .report import ImportReport
from .staging import Stage

__all__ = ["Progress", "Source", "WantedDays"]

Progress = Callable[[str, int, int | None], None]
"""Told what is being done, how much of it is done, and how much there is, where that is known."""


@dataclass(frozen=True, slots=True)
class WantedDays:
    """The days to import: inclusive, open where None.

    Raises:
        QuestionError: the first is after the last.
    """

    first: dt.date | None = None
    last: dt.date | None = None

    def __post_init__(self) -> None:
        if self.first is not None and self.last is not None and self.first > self.last:
            raise QuestionError("range", str(self), "its start is after its end; swap them")

    @classmethod
    def of(cls, first: str | None, last: str | None) -> WantedDays:
        """Return the days between two dates, `YYYY-MM-DD`.

        Raises:
            QuestionError: one of them is none, or they are the wrong way round.
        """
        return cls(
            None if first is None else parse_day("from", first),
            None if last is None else parse_day("to", last),
        )

    @property
    def all(self) -> bool:
        """Whether no day is left out."""
        return self.first is None and self.last is None

    def has(self, day: str) -> bool:
        """Say whether a day, `YYYY-MM-DD`, is wanted."""
        return (self.first is None or self.first.isoformat() <= day) and (
            self.last is None or day <= self.last.isoformat()
        )

    def has_time(self, timestamp: int) -> bool:
        """Say whether the day of a time, epoch ms, is wanted."""
        return self.all or self.has(day_of(timestamp))

    def overlaps(self, other: WantedDays) -> bool:
        """Say whether any day is wanted by both."""
        return (self.first is None or other.last is None or self.first <= other.last) and (
            other.first is None or self.last is None or other.first <= self.last
        )

    def __str__(self) -> str:
        return f"{self.first or ''}..{self.last or ''}"


class Source(Protocol):
    """What is imported."""

    @property
    def name(self) -> str:
        """Where it is, without credentials: the same for the same source."""
        ...

    def digest(self) -> str | None:
        """Return what tells this content from any other; None where only staging it tells."""
        ...

    def stage(self, stage: Stage, report: ImportReport, progress: Progress) -> str:
        """Put what is to be written into a stage, numbered, in an order that only content decides.

        Args:
            stage: where to; empty, but for what an interrupted call of this source left there.
            report: what was read and left out is counted there.
            progress: told how it goes.

        Returns:
            What tells this content from any other.

        Raises:
            ImportRefusedError: the source cannot be read, or is not what it should be.
            StoreError: the source is a store that cannot be read.
        """
        ...
