"""The tables of commands, errors and users, for a terminal; where there is nothing, a sentence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console, RenderableType
from rich.text import Text

from ..periods import DateRange
from ..queries import CommandStats, ErrorPattern, PopularCommand, UserActivity, UserDay
from ..rankings import UserSummary
from .telling import count, milliseconds, minute, percent, plain, table, titled, users

__all__ = [
    "command_table",
    "commands_table",
    "nothing",
    "patterns_table",
    "user_table",
    "users_table",
]


def commands_table(
    out: Console, rows: Sequence[PopularCommand], range: DateRange
) -> RenderableType:
    """Return commands, one a row."""
    if not rows:
        return nothing("commands ran", range)
    title = f"Commands, {range.spelled}"
    shown = table(
        out,
        "Command",
        numbers=("Executions", "Failures", "Success", "Average", "Last used (UTC)"),
    )
    for row in rows:
        shown.add_row(
            plain(row.name),
            count(row.executions),
            count(row.failures),
            percent(row.success_rate),
            milliseconds(row.average_ms),
            minute(row.last_executed),
        )
    return titled(title, shown)


def command_table(out: Console, stats: CommandStats, range: DateRange) -> RenderableType:
    """Return everything about one command."""
    if not stats.executions and not stats.errors_by_type:
        return nothing("executions of this command are known", range)
    title = f"{stats.name}, {range.spelled}"
    shown = table(out, "", numbers=("",))
    shown.show_header = False
    latency = stats.execution
    for name, figure in (
        ("Executions", count(stats.executions)),
        ("Failures", count(stats.failures)),
        ("Success", percent(stats.success_rate)),
        ("Users", users(stats.users)),
        ("Average time", milliseconds(latency.average_ms)),
        ("p50 time", milliseconds(latency.p50_ms)),
        ("p95 time", milliseconds(latency.p95_ms)),
        ("p99 time", milliseconds(latency.p99_ms)),
        ("Last used (UTC)", minute(stats.last_executed)),
        *((f"Errors: {one.error_type}", count(one.count)) for one in stats.errors_by_type),
    ):
        shown.add_row(plain(name), figure)
    return titled(title, shown)


def patterns_table(out: Console, rows: Sequence[ErrorPattern], range: DateRange) -> RenderableType:
    """Return error patterns, one a row."""
    if not rows:
        return nothing("errors occurred", range)
    title = f"Errors, {range.spelled}"
    shown = table(
        out,
        "Type",
        "Pattern",
        numbers=("Count", "Users", "Last seen (UTC)"),
    )
    for row in rows:
        shown.add_row(
            plain(row.error_type),
            plain(row.message),
            count(row.count),
            users(row.affected_users),
            minute(row.last_occurrence),
        )
    return titled(title, shown)


def users_table(out: Console, rows: Sequence[UserSummary], range: DateRange) -> RenderableType:
    """Return users, one a row."""
    if not rows:
        return nothing("signed-in users were there", range)
    title = f"Users, {range.spelled}"
    shown = table(
        out,
        "User",
        numbers=("Messages", "Executions", "Success", "Errors", "Sockets", "Last seen (UTC)"),
    )
    for row in rows:
        shown.add_row(
            plain(row.user_id),
            count(row.messages),
            count(row.executions),
            percent(row.success_rate),
            count(row.errors),
            count(row.connections),
            minute(row.last_seen),
        )
    return titled(title, shown)


def user_table(out: Console, activity: UserActivity, range: DateRange) -> RenderableType:
    """Return the days of one user, and their sum."""
    if not activity.days:
        return nothing("activity of this user is known", range)
    title = f"{activity.user_id}, {range.spelled}"
    shown = table(
        out,
        "Day (UTC)",
        numbers=("Messages", "Executions", "Failures", "Errors", "Sockets"),
    )
    for day in activity.days:
        shown.add_row(day.day, *_figures(day))
    shown.add_row("in all", *_figures(activity))
    return titled(title, shown)


def _figures(of: UserDay | UserActivity) -> Iterator[str]:
    return map(count, (of.messages, of.executions, of.failures, of.errors, of.connections))


def nothing(what: str, range: DateRange) -> Text:
    """Return a sentence that says that there is nothing in a range, and what tells why."""
    return Text(
        f"No {what} from {range.spelled}. Ask for other days with "
        "--from and --to, or let copilot-analytics doctor look for the reason."
    )
