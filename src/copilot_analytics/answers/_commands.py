"""Which commands run, and everything about some of them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence

from ..periods import DateRange
from ..queries import CommandStats, DistinctUsers, PopularCommand
from ..rankings import CommandOrder, Page, Position
from ..redaction import clean_text
from ..rollups import Rollup, RollupKind
from ._figures import NO_USERS, bins, error_types, family, latency, mean_ms, ratio
from ._pages import check_limit, ranked, sought
from ._reader import Reader

__all__ = ["CommandAnswers"]

_FIGURES: Mapping[CommandOrder, Callable[[Mapping[str, int]], float | None]] = {
    CommandOrder.EXECUTIONS: lambda counters: counters["executions"],
    CommandOrder.FAILURES: lambda counters: counters.get("failures", 0),
    CommandOrder.LATENCY: lambda counters: mean_ms(counters, "execution"),
}


class CommandAnswers(Reader):
    """Questions about commands."""

    def popular_commands(
        self,
        range: DateRange,
        *,
        order_by: CommandOrder = CommandOrder.EXECUTIONS,
        search: str | None = None,
        first: int = 10,
        after: Position | None = None,
    ) -> Page[PopularCommand]:
        """Return commands that ran, the highest by a figure first, ties by name.

        Args:
            range: the days.
            order_by: which figure.
            search: only commands whose name contains this, whatever its case.
            first: how many at most, 1..1000.
            after: only those after this place.
        """
        check_limit("first", first)
        return self._commands(range, order_by, search, first, after)

    def command_stats(self, name: str, range: DateRange) -> CommandStats:
        """Return everything about one command; zeros and Nones if it never ran."""
        return self.commands_stats([name], range)[0]

    def commands_stats(self, names: Sequence[str], range: DateRange) -> tuple[CommandStats, ...]:
        """Return everything about some commands, in the order given; see `command_stats`."""
        # What no stored name has, such as a lone surrogate, not every store can be asked for.
        names = [clean_text(name) for name in names]
        totals = self._store.totals(RollupKind.COMMAND, range, names, detail=True)
        users = self._store.count_distinct(RollupKind.COMMAND, names, range)
        return tuple(
            _command_stats(
                name,
                totals.get(name) or Rollup({}),
                users.get(name, NO_USERS),
            )
            for name in names
        )

    def every_command(self, range: DateRange) -> Sequence[PopularCommand]:
        """Return all commands that ran, the most used first, however many."""
        return self._commands(range).rows

    def _commands(
        self,
        range: DateRange,
        order_by: CommandOrder = CommandOrder.EXECUTIONS,
        search: str | None = None,
        first: int = sys.maxsize,
        after: Position | None = None,
    ) -> Page[PopularCommand]:
        contains = sought(search)
        ran = {
            name: rollup
            for name, rollup in self._store.totals(RollupKind.COMMAND, range).items()
            if rollup.counters.get("executions") and contains(name)
        }
        users: dict[str, DistinctUsers] = {}
        if order_by is CommandOrder.USERS and ran:
            users = self._store.count_distinct(RollupKind.COMMAND, list(ran), range)

        def figure(name: str, rollup: Rollup) -> float | None:
            if order_by is CommandOrder.USERS:
                return users.get(name, NO_USERS).count
            return _FIGURES[order_by](rollup.counters)

        page = ranked(ran.items(), figure, first=first, after=after)
        return page.of(_popular_command(name, rollup) for name, rollup in page.rows)


def _popular_command(name: str, rollup: Rollup) -> PopularCommand:
    counters = rollup.counters
    return PopularCommand(
        name=name,
        executions=counters["executions"],
        successes=counters.get("successes", 0),
        failures=counters.get("failures", 0),
        success_rate=ratio(counters.get("successes", 0), counters["executions"]),
        average_ms=mean_ms(counters, "execution"),
        last_executed=rollup.last,
    )


def _command_stats(name: str, rollup: Rollup, users: DistinctUsers) -> CommandStats:
    counters = rollup.counters
    executions = counters.get("executions", 0)
    return CommandStats(
        name=name,
        executions=executions,
        successes=counters.get("successes", 0),
        failures=counters.get("failures", 0),
        success_rate=ratio(counters.get("successes", 0), executions),
        execution=latency(counters, "execution", "x."),
        histogram=bins(counters, "x."),
        last_executed=rollup.last or None,
        users=users,
        errors_by_type=error_types(family(counters, "error.").items()),
    )
