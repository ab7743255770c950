"""How commands tell: tables and figures for people, JSON for programs, bars for what takes long.

On anything but a terminal there are no colours, frames or bars, and no row is cut. What a store
holds is data: no name in it can move the cursor or become markup.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import Any

import typer
from rich import box
from rich.console import Console, Group
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from ..periods import DateRange
from ..queries import Comparison, DistinctUsers
from ..redaction import clean_text

__all__ = [
    "ago",
    "as_json",
    "change",
    "console",
    "count",
    "megabytes",
    "milliseconds",
    "minute",
    "percent",
    "plain",
    "progress",
    "second",
    "table",
    "tell_json",
    "titled",
    "users",
    "waiting",
]

_NOTHING = "-"
_UNCUT_COLUMNS = 10_000

_MOMENT = 0.5
"""Seconds after which whoever waits is told what for."""


def console(*, stderr: bool = False) -> Console:
    """Return what writes to standard output or error as it is now."""
    made = Console(stderr=stderr, markup=False, highlight=False, emoji=False)
    if not made.is_terminal:
        # A program, or a pager, reads whole rows.
        made.width = _UNCUT_COLUMNS
    return made


def table(console: Console, *columns: str, numbers: Sequence[str] = ()) -> Table:
    """Return an empty table: columns of text, then columns of numbers.

    Args:
        console: where it is to be shown.
        columns: the headings of texts.
        numbers: the headings of numbers.
    """
    made = Table(
        box=box.SIMPLE_HEAD if console.is_terminal else None,
        pad_edge=False,
    )
    for heading in columns:
        made.add_column(heading, overflow="fold")
    for heading in numbers:
        made.add_column(heading, justify="right")
    return made


def titled(title: str, shown: Table) -> Group:
    """Return a table under its title, which may be the longer of the two."""
    return Group(Text(clean_text(title), style="bold"), shown)


def plain(text: str) -> Text:
    """Return a text of the store's as it is, but for what would steer a terminal."""
    return Text(clean_text(text))


def count(number: float | None) -> str:
    """Return a number with separators."""
    return _NOTHING if number is None else f"{number:,.0f}"


def users(distinct: DistinctUsers) -> str:
    """Return how many users, marked where that is an estimate."""
    return f"{'' if distinct.exact else '~'}{distinct.count:,}"


def percent(ratio: float | None) -> str:
    """Return a ratio of 0..1 in per cent."""
    return _NOTHING if ratio is None else f"{ratio:.1%}"


def milliseconds(duration: float | None) -> str:
    """Return a duration in milliseconds; whole ones from 10 on."""
    if duration is None:
        return _NOTHING
    return f"{duration:,.0f} ms" if duration >= 10 else f"{duration:.2g} ms"


def change(comparison: Comparison) -> str:
    """Return how a figure has changed, in per cent."""
    ratio = comparison.change_ratio
    return _NOTHING if ratio is None else f"{ratio:+.1%}"


def minute(timestamp: int | None) -> str:
    """Return a time in epoch milliseconds as UTC, to the minute."""
    if timestamp is None:
        return _NOTHING
    return f"{dt.datetime.fromtimestamp(timestamp / 1000, dt.UTC):%Y-%m-%d %H:%M}"


def second(timestamp: int) -> str:
    """Return a time in epoch milliseconds as UTC, to the second."""
    return f"{dt.datetime.fromtimestamp(timestamp / 1000, dt.UTC):%Y-%m-%d %H:%M:%S}"


def ago(timestamp: int, now_ms: int) -> str:
    """Return how long ago a time was, in its largest whole unit."""
    seconds = max(0, now_ms - timestamp) // 1000
    for unit, length in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= length:
            whole = seconds // length
            return f"{whole:,} {unit}{'s' if whole > 1 else ''} ago"
    return f"{seconds} s ago"


def megabytes(size: int) -> str:
    """Return a size in bytes as MB, or smaller."""
    if size < 1_000_000:
        return f"{size / 1000:,.0f} kB" if size >= 1000 else f"{size} bytes"
    return f"{size / 1_000_000:,.1f} MB"


def tell_json(answer: object) -> None:
    """Print an answer as JSON; see `as_json`."""
    typer.echo(json.dumps(as_json(answer), indent=2, ensure_ascii=False))


def as_json(value: object) -> Any:
    """Return an answer as JSON has it, with the names that GraphQL gives its fields."""
    if isinstance(value, Comparison):
        return {
            "value": value.value,
            "previous": value.previous,
            "changeRatio": value.change_ratio,
        }
    if isinstance(value, DateRange):
        return {"start": value.first_day, "end": value.last_day}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Path):
        return str(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            _camel(field.name): as_json(getattr(value, field.name))
            for field in dataclasses.fields(value)
        }
    if isinstance(value, Mapping):
        return {str(as_json(name)): as_json(entry) for name, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [as_json(entry) for entry in value]
    return value


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)


@contextmanager
def waiting(what: str) -> Iterator[None]:
    """Show on standard error that something takes longer than a moment, where that is a terminal.

    Args:
        what: what is done.
    """
    errors = console(stderr=True)
    if not errors.is_terminal:
        yield
        return
    status = errors.status(f"{what} …")
    later = threading.Timer(_MOMENT, status.start)
    later.start()
    try:
        yield
    finally:
        later.cancel()
        later.join()
        status.stop()


@contextmanager
def progress(what: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
    """Show a bar on standard error while something takes long, where that is a terminal.

    Args:
        what: what is done.
        total: how many steps there are, if known.

    Yields:
        What is called with the number of steps just done.
    """
    errors = console(stderr=True)
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=errors,
        transient=True,
        disable=not errors.is_terminal,
    ) as bar:
        task = bar.add_task(what, total=total)
        yield lambda steps: bar.advance(task, steps)
