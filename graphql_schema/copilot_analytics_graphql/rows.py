"""What rows of a list are asked for besides, for all rows of an operation at once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from strawberry.dataloader import DataLoader

from copilot_analytics.periods import DateRange
from copilot_analytics.queries import CommandStats
from copilot_analytics.rankings import ErrorTrend

from .questions import CachedQuestions
from .turns import Turns

__all__ = ["Rows"]

_K = TypeVar("_K")
_V = TypeVar("_V")


class Rows:
    """Gathers what one operation asks of each row into one question a list.

    Args:
        questions: asks it.
        turns: each row's answer waits for one: they are all there at once.
    """

    __slots__ = ("_command_stats", "_error_trends", "_turns")

    def __init__(self, questions: CachedQuestions, turns: Turns) -> None:
        self._turns = turns
        self._command_stats = _loader(questions.commands_stats)
        self._error_trends = _loader(questions.error_trends)

    async def command_stats(self, name: str, range: DateRange) -> CommandStats:
        """Return everything about a command in a range."""
        stats = await self._command_stats.load((range, name))
        await self._turns.take()
        return stats

    async def error_trend(self, pattern: tuple[str, str], range: DateRange) -> ErrorTrend:
        """Return how an error pattern, by fingerprint and type, develops in a range."""
        trend = await self._error_trends.load((range, pattern))
        await self._turns.take()
        return trend


def _loader(
    ask: Callable[[tuple[_K, ...], DateRange], Awaitable[tuple[_V, ...]]],
) -> DataLoader[tuple[DateRange, _K], _V]:
    async def load(keys: list[tuple[DateRange, _K]]) -> list[_V | BaseException]:
        by_range: dict[DateRange, list[_K]] = {}
        for range, key in keys:
            by_range.setdefault(range, []).append(key)
        found: dict[tuple[DateRange, _K], _V] = {}
        for range, wanted in by_range.items():
            answers = await ask(tuple(wanted), range)
            found.update(zip(((range, key) for key in wanted), answers, strict=True))
        return [found[key] for key in keys]

    return DataLoader(load_fn=load)
