"""`copilot-analytics commands`, `errors` and `users`: what ran, what failed, and who was there."""

from __future__ import annotations

from typing import Annotated, TypeVar

import typer

from ..periods import DateRange
from ..rankings import CommandOrder, Page, UserOrder
from .options import (
    DaysOption,
    FromOption,
    JSONOption,
    LimitOption,
    SearchOption,
    StoreOption,
    ToOption,
    open_configured,
    range_of,
)
from .tables import command_table, commands_table, patterns_table, user_table, users_table
from .telling import console, tell_json, waiting

__all__ = ["show_commands", "show_errors", "show_users"]

_T = TypeVar("_T")


def show_commands(
    name: Annotated[
        str | None, typer.Argument(help="One command, to show everything about it.")
    ] = None,
    store: StoreOption = None,
    start: FromOption = None,
    end: ToOption = None,
    days: DaysOption = None,
    search: SearchOption = None,
    order_by: Annotated[
        CommandOrder, typer.Option("--order-by", case_sensitive=False, help="Highest first.")
    ] = CommandOrder.EXECUTIONS,
    limit: LimitOption = 20,
    as_json: JSONOption = False,
) -> None:
    """List which commands ran, how well and how fast; or show one."""
    range = range_of(start, end, days)
    if name is not None:
        _show_command(name, store, range, as_json=as_json)
        return
    with open_configured(store) as opened, waiting("Asking the store"):
        page = opened.answers.popular_commands(range, order_by=order_by, search=search, first=limit)
    if as_json:
        tell_json({"range": range, "totalCount": page.total_count, "commands": page.rows})
        return
    out = console()
    out.print(commands_table(out, page.rows, range))
    _tell_rest(page)


def show_errors(
    store: StoreOption = None,
    start: FromOption = None,
    end: ToOption = None,
    days: DaysOption = None,
    error_type: Annotated[
        str | None, typer.Option("--type", metavar="TYPE", help="Only errors of this type.")
    ] = None,
    search: SearchOption = None,
    limit: LimitOption = 20,
    as_json: JSONOption = False,
) -> None:
    """List error patterns: errors that are equal but for details."""
    range = range_of(start, end, days)
    with open_configured(store) as opened, waiting("Asking the store"):
        page = opened.answers.error_patterns(
            range, error_type=error_type, search=search, first=limit
        )
    if as_json:
        tell_json({"range": range, "totalCount": page.total_count, "errors": page.rows})
        return
    out = console()
    out.print(patterns_table(out, page.rows, range))
    _tell_rest(page)


def show_users(
    user_id: Annotated[
        str | None,
        typer.Argument(help="One user, as the copilot knows them, to show their days."),
    ] = None,
    store: StoreOption = None,
    start: FromOption = None,
    end: ToOption = None,
    days: DaysOption = None,
    search: SearchOption = None,
    order_by: Annotated[
        UserOrder, typer.Option("--order-by", case_sensitive=False, help="Highest first.")
    ] = UserOrder.EXECUTIONS,
    limit: LimitOption = 20,
    as_json: JSONOption = False,
) -> None:
    """List the signed-in users and what they did; or show one."""
    range = range_of(start, end, days)
    if user_id is not None:
        _show_user(user_id, store, range, as_json=as_json)
        return
    with open_configured(store) as opened, waiting("Asking the store"):
        page = opened.answers.users(
            range,
            order_by=order_by,
            search=search,
            stored_id=opened.stored_user_id(search) if search else None,
            first=limit,
        )
    if as_json:
        tell_json({"range": range, "totalCount": page.total_count, "users": page.rows})
        return
    out = console()
    out.print(users_table(out, page.rows, range))
    _tell_rest(page)


def _show_command(name: str, store: str | None, range: DateRange, *, as_json: bool) -> None:
    with open_configured(store) as opened, waiting("Asking the store"):
        stats = opened.answers.command_stats(name, range)
    if as_json:
        tell_json({"range": range, "command": stats})
        return
    out = console()
    out.print(command_table(out, stats, range))


def _show_user(user_id: str, store: str | None, range: DateRange, *, as_json: bool) -> None:
    with open_configured(store) as opened, waiting("Asking the store"):
        activity = opened.answers.user_activity(opened.stored_user_id(user_id), range)
    if as_json:
        tell_json({"range": range, "user": activity})
        return
    out = console()
    out.print(user_table(out, activity, range))


def _tell_rest(page: Page[_T]) -> None:
    if page.has_next:
        typer.echo(f"{len(page.rows):,} of {page.total_count:,}: --limit shows more.")
