"""`copilot-analytics dashboard`: the summary in the terminal, once or while one watches."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Annotated

import typer
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from ..errors import QuestionError, StoreUnavailableError
from ..queries import ActivityTotals, Comparison, Dashboard, Summary
from .options import (
    DaysOption,
    FromOption,
    JSONOption,
    StoreOption,
    ToOption,
    open_configured,
    range_of,
)
from .tables import commands_table, patterns_table
from .telling import (
    change,
    console,
    count,
    milliseconds,
    percent,
    table,
    tell_json,
    titled,
    waiting,
)

__all__ = ["show_dashboard"]

_HINT = Text("Ctrl-C ends it.", style="dim")
"""Above all, where it is seen however low the terminal is."""


def show_dashboard(
    store: StoreOption = None,
    start: FromOption = None,
    end: ToOption = None,
    days: DaysOption = None,
    top: Annotated[
        int, typer.Option("--top", min=1, max=50, help="How many commands and error patterns.")
    ] = 5,
    watch: Annotated[
        bool, typer.Option("--watch", help="Show it anew every few seconds, until Ctrl-C.")
    ] = False,
    every: Annotated[
        float, typer.Option("--every", min=1, max=3600, help="Seconds between, with --watch.")
    ] = 5.0,
    as_json: JSONOption = False,
) -> None:
    """Show totals beside those before, top commands and top errors."""
    if watch and as_json:
        raise QuestionError("watch", True, "leave it out, or leave --json out")

    range = range_of(start, end, days)
    with open_configured(store) as opened:
        if watch:
            # Asked for each time: today may have become yesterday.
            answers = opened.answers
            _watch(lambda: answers.dashboard(range_of(start, end, days), top=top), every)
            return
        with waiting("Asking the store"):
            dashboard = opened.answers.dashboard(range, top=top)
    if as_json:
        tell_json(dashboard)
        return
    out = console()
    for part in _parts(out, dashboard):
        out.print(part)


_ROWS: tuple[
    tuple[str, Callable[[ActivityTotals], float | None], Callable[[float | None], str]], ...
] = (
    ("Events", lambda totals: sum(totals.events.values()), count),
    ("Active users", lambda totals: totals.active_users.count, count),
    ("Connections", lambda totals: totals.connections, count),
    ("Messages", lambda totals: totals.messages, count),
    ("Executions", lambda totals: totals.executions, count),
    ("Success rate", lambda totals: totals.success_rate, percent),
    ("Average time", lambda totals: totals.execution.average_ms, milliseconds),
    ("p95 time", lambda totals: totals.execution.p95_ms, milliseconds),
    ("First token, p50", lambda totals: totals.ttft.p50_ms, milliseconds),
    ("Streams", lambda totals: totals.streams, count),
    ("Interrupted", lambda totals: totals.interruption_rate, percent),
    ("Tokens", lambda totals: totals.tokens, count),
    ("Clarifications", lambda totals: totals.clarifications, count),
    ("Errors", lambda totals: totals.errors, count),
)


def _parts(out: Console, dashboard: Dashboard) -> Iterator[RenderableType]:
    yield _summary(out, dashboard)
    yield ""
    yield commands_table(out, dashboard.top_commands, dashboard.range)
    yield ""
    yield patterns_table(out, dashboard.top_errors, dashboard.range)


def _summary(out: Console, dashboard: Dashboard) -> RenderableType:
    summary = dashboard.summary
    shown = table(out, "", numbers=("Now", "Before", "Change"))
    for name, figure, spell in _ROWS:
        compared = _compared(summary, figure)
        shown.add_row(name, spell(compared.value), spell(compared.previous), change(compared))
    return titled(f"Dashboard, {dashboard.range.spelled}", shown)


def _compared(summary: Summary, figure: Callable[[ActivityTotals], float | None]) -> Comparison:
    previous = summary.previous
    return Comparison(figure(summary.totals), None if previous is None else figure(previous))


def _watch(ask: Callable[[], Dashboard], every: float) -> None:
    """Show the dashboard again and again; a store that is away for a while is waited for."""
    out = console()
    if not out.is_terminal:
        raise QuestionError("watch", True, "leave it out: standard output is no terminal")
    with Live(console=out, screen=True, auto_refresh=False) as live:
        while True:
            try:
                live.update(Group(_HINT, *_parts(out, ask())), refresh=True)
            except StoreUnavailableError as error:
                live.update(Group(_HINT, Text(str(error))), refresh=True)
            time.sleep(every)
