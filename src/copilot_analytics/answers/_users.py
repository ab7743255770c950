"""Who uses the copilot, and what one of them did."""

from __future__ import annotations

from ..periods import DateRange
from ..queries import UserActivity, UserDay
from ..rankings import Page, Position, UserOrder, UserSummary
from ..rollups import Rollup, RollupKind
from ._figures import ratio
from ._pages import check_limit, ranked, sought
from ._reader import Reader

__all__ = ["UserAnswers"]


class UserAnswers(Reader):
    """Questions about signed-in users; nothing is kept of each anonymous one."""

    def users(
        self,
        range: DateRange,
        *,
        order_by: UserOrder = UserOrder.EXECUTIONS,
        search: str | None = None,
        stored_id: str | None = None,
        first: int = 10,
        after: Position | None = None,
    ) -> Page[UserSummary]:
        """Return users with any event, the highest by a figure first, ties by stored id.

        Args:
            range: the days.
            order_by: which figure.
            search: only users whose stored id contains this, whatever its case.
            stored_id: besides those, the user with exactly this stored id.
            first: how many at most, 1..1000.
            after: only those after this place.
        """
        check_limit("first", first)
        contains = sought(search)
        counter = order_by.value.lower()

        def figure(_: str, rollup: Rollup) -> float:
            if order_by is UserOrder.LAST_SEEN:
                return rollup.last
            return rollup.counters.get(counter, 0)

        named = [
            item
            for item in self._store.totals(RollupKind.USER, range).items()
            if contains(item[0]) or item[0] == stored_id
        ]
        page = ranked(named, figure, first=first, after=after)
        return page.of(_user(user_id, rollup) for user_id, rollup in page.rows)

    def user_activity(self, stored_id: str, range: DateRange) -> UserActivity:
        """Return what one user did, by their stored id; zeros if nothing."""
        rows = sorted(self._store.series(RollupKind.USER, stored_id, range, detail=False).items())
        days = tuple(
            UserDay(
                day,
                *(
                    rollup.counters.get(name, 0)
                    for name in ("messages", "executions", "failures", "errors", "connections")
                ),
            )
            for day, rollup in rows
        )
        executions = sum(day.executions for day in days)
        failures = sum(day.failures for day in days)
        return UserActivity(
            user_id=stored_id,
            messages=sum(day.messages for day in days),
            executions=executions,
            failures=failures,
            success_rate=ratio(executions - failures, executions),
            errors=sum(day.errors for day in days),
            connections=sum(day.connections for day in days),
            last_seen=max((rollup.last for _, rollup in rows), default=None),
            days=days,
            first_seen=min((rollup.first for _, rollup in rows if rollup.first), default=None),
        )


def _user(user_id: str, rollup: Rollup) -> UserSummary:
    count = rollup.counters.get
    executions, failures = count("executions", 0), count("failures", 0)
    return UserSummary(
        user_id=user_id,
        messages=count("messages", 0),
        executions=executions,
        failures=failures,
        success_rate=ratio(executions - failures, executions),
        errors=count("errors", 0),
        connections=count("connections", 0),
        first_seen=rollup.first,
        last_seen=rollup.last,
    )
