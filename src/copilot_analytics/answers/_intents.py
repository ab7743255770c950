"""What messages were taken to mean, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ..periods import DateRange
from ..rankings import (
    CONFIDENCE_BINS,
    CommandCount,
    Intent,
    IntentOrder,
    Page,
    Position,
)
from ..rollups import Rollup, RollupKind
from ._figures import family, ratio
from ._pages import check_limit, ranked, sought
from ._reader import Reader

__all__ = ["IntentAnswers"]

_FIGURES: Mapping[IntentOrder, Callable[[Mapping[str, int]], float | None]] = {
    IntentOrder.COUNT: lambda counters: counters.get("count", 0),
    IntentOrder.CLARIFICATIONS: lambda counters: counters.get("clarifications", 0),
    IntentOrder.CLARIFICATION_RATE: lambda counters: ratio(
        counters.get("clarifications", 0), counters.get("count", 0)
    ),
    IntentOrder.FAILURES: lambda counters: counters.get("failures", 0),
}


class IntentAnswers(Reader):
    """Questions about intents."""

    def intents(
        self,
        range: DateRange,
        *,
        order_by: IntentOrder = IntentOrder.COUNT,
        search: str | None = None,
        first: int = 10,
        after: Position | None = None,
    ) -> Page[Intent]:
        """Return intents that any event names, the highest by a figure first, ties by name.

        Args:
            range: the days.
            order_by: which figure.
            search: only intents whose name contains this, whatever its case.
            first: how many at most, 1..1000.
            after: only those after this place.
        """
        check_limit("first", first)
        contains = sought(search)

        named = [
            item
            for item in self._store.totals(RollupKind.INTENT, range).items()
            if contains(item[0])
        ]
        page = ranked(
            named, lambda _, rollup: _FIGURES[order_by](rollup.counters), first=first, after=after
        )
        names = [name for name, _ in page.rows]
        details = self._store.totals(RollupKind.INTENT, range, names, detail=True) if names else {}
        return page.of(_intent(name, details.get(name, rollup)) for name, rollup in page.rows)


def _intent(name: str, rollup: Rollup) -> Intent:
    counters = rollup.counters
    count, clarifications = counters.get("count", 0), counters.get("clarifications", 0)
    commands = _commands(counters)
    return Intent(
        name=name,
        count=count,
        confidence=tuple(counters.get(f"c.{bin}", 0) for bin in range(CONFIDENCE_BINS)),
        clarifications=clarifications,
        clarification_rate=ratio(clarifications, count),
        executions=sum(command.executions for command in commands),
        failures=counters.get("failures", 0),
        commands=commands,
        last_seen=rollup.last,
    )


def _commands(counters: Mapping[str, int]) -> tuple[CommandCount, ...]:
    ordered = sorted(family(counters, "command.").items(), key=lambda item: (-item[1], item[0]))
    return tuple(CommandCount(name, executions) for name, executions in ordered)
