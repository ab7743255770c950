"""`copilot-analytics status`: what is stored, what waits to be, and when the last event came."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import typer

from ..analytics import spool_settings
from ..periods import DAY_MS, DateRange, day_of, parse_day
from ..spool.inspection import SpoolState, spools
from ..spool.spooling import root_of
from ..stores import EventSelection
from ..typing import Clock
from .options import JSONOption, Opened, StoreOption, open_configured
from .telling import ago, console, count, megabytes, minute, plain, table, tell_json, waiting

__all__ = ["Status", "Today", "show_status", "status_of"]

_AHEAD_MS = DAY_MS
"""How far into the future events are looked for: clocks differ."""


@dataclass(frozen=True, slots=True)
class Status:
    """How a store and its spool are doing.

    Attributes:
        store: the store's URL, without credentials.
        statistics: the store's own figures.
        oldest: the oldest event kept, epoch ms; None without any.
        newest: the newest one, likewise.
        today: figures of today, UTC.
        spool: where events wait on this machine; None where they do not.
        spools: its directories, one for each process.
    """

    store: str
    statistics: Mapping[str, int]
    oldest: int | None
    newest: int | None
    today: Today
    spool: Path | None
    spools: list[SpoolState]


@dataclass(frozen=True, slots=True)
class Today:
    """What was recorded today, UTC."""

    events: int
    executions: int
    errors: int
    active_users: int


def show_status(store: StoreOption = None, as_json: JSONOption = False) -> None:
    """Show what is stored, what waits to be, and the newest event."""
    with open_configured(store) as opened, waiting("Asking the store"):
        status = status_of(opened)
        now_ms = opened.clock.now_ms()
    if as_json:
        tell_json(status)
        return
    out = console()
    shown = table(out, "", "")
    shown.show_header = False
    for name, text in _lines(status, now_ms):
        shown.add_row(name, plain(text))
    out.print(shown)
    if status.newest is None:
        typer.echo("No event is stored yet: copilot-analytics doctor looks for the reason.")


def status_of(opened: Opened) -> Status:
    """Return how a store and its spool are doing.

    Raises:
        StoreError: the store cannot be read.
    """
    store, clock = opened.store, opened.clock
    settings = spool_settings(opened.config, store)
    folder = settings and settings.folder
    root = root_of(folder, settings.store) if settings and folder else None
    return Status(
        store=store.url,
        statistics=store.statistics(),
        oldest=_edge(opened, newest_first=False),
        newest=_edge(opened, newest_first=True),
        today=_today(opened, clock),
        spool=root,
        spools=[] if root is None else spools(root),
    )


def _edge(opened: Opened, *, newest_first: bool) -> int | None:
    now_ms = opened.clock.now_ms()
    kept_ms = opened.config.event_retention_days * DAY_MS
    selection = EventSelection(start_ms=max(0, now_ms - kept_ms), end_ms=now_ms + _AHEAD_MS)
    found = opened.store.events(selection, limit=1, newest_first=newest_first)
    return found[0].timestamp if found else None


def _today(opened: Opened, clock: Clock) -> Today:
    day = parse_day("today", day_of(clock.now_ms()))
    totals = opened.answers.summary(DateRange(day, day)).totals
    return Today(
        events=sum(totals.events.values()),
        executions=totals.executions,
        errors=totals.errors,
        active_users=totals.active_users.count,
    )


def _lines(status: Status, now_ms: int) -> list[tuple[str, str]]:
    statistics = dict(status.statistics)
    today = status.today
    lines = [
        ("Store", status.store),
        ("Events", count(statistics.pop("events", 0))),
        ("Size", megabytes(statistics.pop("bytes", 0))),
        *((name, count(figure)) for name, figure in statistics.items()),
        ("Oldest event (UTC)", minute(status.oldest)),
        ("Newest event (UTC)", _newest(status.newest, now_ms)),
        (
            "Today (UTC)",
            f"{count(today.events)} events, {count(today.executions)} executions, "
            f"{count(today.errors)} errors, {count(today.active_users)} users",
        ),
        (
            "Spool",
            "none: events go to the store directly" if status.spool is None else str(status.spool),
        ),
    ]
    for one in status.spools:
        holder = "a process has it" if one.in_use else "left by a process that has ended"
        waiting = f"{count(one.events)} events wait, {megabytes(one.bytes)}"
        lines.append((f"  {one.path.name}", f"{waiting} ({holder})"))
    return lines


def _newest(newest: int | None, now_ms: int) -> str:
    return minute(newest) if newest is None else f"{minute(newest)}, {ago(newest, now_ms)}"
