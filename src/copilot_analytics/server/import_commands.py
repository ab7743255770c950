"""`copilot-analytics import`: what SOURCE and the options mean, and how it is told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from ..config import AnalyticsConfig
from ..errors import StoreUnavailableError
from ..importing import (
    Importer,
    ImportRefusedError,
    ImportReport,
    Progress,
    Stage,
    WantedDays,
    stage_path,
)
from ..importing.opening import open_source
from ..stores import open_store
from ..typing import SystemClock

__all__ = ["import_source"]

_SHOWN_LINES = 10


def import_source(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="An NDJSON file (also .gz), - for standard input, a SQLite store (its path or "
            "sqlite:/// URL), or a DynamoDB table (dynamodb://TABLE?region=…), of this version "
            "or of the original copilot's.",
        ),
    ],
    store: Annotated[
        str | None,
        typer.Option(
            "--store",
            metavar="URL",
            help="Where to, such as dynamodb://omnitrack-copilot-analytics?region=eu-central-1.",
            show_default="COPILOT_ANALYTICS_STORE, else sqlite:///copilot-analytics.db",
        ),
    ] = None,
    first: Annotated[
        str | None, typer.Option("--from", metavar="DATE", help="The first day, in UTC.")
    ] = None,
    last: Annotated[
        str | None, typer.Option("--to", metavar="DATE", help="The last day, in UTC.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Read and count everything, write nothing.")
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Write nothing if there is one bad line.")
    ] = False,
    as_begun: Annotated[
        bool,
        typer.Option(
            "--as-begun", help="Finish an unfinished import of a source that has changed since."
        ),
    ] = False,
    state: Annotated[
        Path | None,
        typer.Option(
            "--state",
            metavar="FILE",
            help="Where it is kept how far the import has come.",
            show_default="a file beside the spools, of this source and store",
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the report as JSON, for programs.")
    ] = False,
) -> None:
    """Import events, and counts without events, from a file, another store or an original table.

    Each event is counted once, however often this is run, and what the store holds already is left
    alone. Interrupted, it goes on where it was when it is run again. Status 1: some lines or items
    were left out.
    """
    config = AnalyticsConfig.from_env(**({} if store is None else {"store": store}))
    days = WantedDays.of(first, last)
    clock = SystemClock()
    with ExitStack() as stack:
        # Not opened yet: what is wrong with the source is told before anything is asked of it.
        opened_store = open_store(
            config.store,
            clock=clock,
            event_retention_days=config.event_retention_days,
            rollup_retention_days=config.rollup_retention_days,
        )
        destination = stack.enter_context(closing(opened_store))
        opened = stack.enter_context(
            open_source(
                source, config, clock=clock, days=days, strict=strict, destination=destination.url
            )
        )
        path = state or stage_path(config, opened.name, destination.url)
        if opened.name == "-" or dry_run:
            path = None
        elif path is None:
            raise ImportRefusedError(
                opened.name, "there is no home folder to keep its state in", "name one with --state"
            )
        stage = stack.enter_context(Stage(path))
        progress = stack.enter_context(_progress())
        importer = Importer(opened, destination, stage, days=days, progress=progress)
        try:
            report = importer.run(dry=dry_run, as_begun=as_begun)
        except (KeyboardInterrupt, StoreUnavailableError):
            if path is not None:
                typer.echo(
                    "The import has stopped: nothing is lost or counted twice. Run the same "
                    "command again to go on.",
                    err=True,
                )
            raise
    if as_json:
        typer.echo(json.dumps(report.as_json(), indent=2))
    else:
        _tell(report, dry=dry_run)
    if report.skipped.keys() - {"outside_range", "duplicate"}:
        raise typer.Exit(1)


@contextmanager
def _progress() -> Iterator[Progress]:
    """Yield what shows how it goes, on standard error where that is a terminal."""
    console = Console(stderr=True)
    with Bar(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as bar:
        tasks = dict[str, TaskID]()

        def tell(step: str, done: int, total: int | None) -> None:
            task = tasks.get(step)
            if task is None:
                task = tasks[step] = bar.add_task(step, total=total, rate="")
            speed = bar.tasks[task].speed
            rate = "" if speed is None else f"{speed:,.0f}/s"
            bar.update(task, completed=done, total=total, rate=rate)

        yield tell


def _tell(report: ImportReport, *, dry: bool) -> None:
    done = "to be written" if dry else "written"
    count = report.events + report.supplements if dry else report.written
    typer.echo(f"{report.source} into {report.destination}:")
    typer.echo(
        f"  {report.read:,} read, {count:,} {done}: {report.events:,} events of "
        f"{report.days:,} days, {report.supplements:,} rows of counts without events"
    )
    if report.held:
        typer.echo(f"  {report.held:,} events left alone: the store has them already")
    for reason, number in sorted(report.skipped.items()):
        typer.echo(f"  {number:,} left out: {reason}")
    for line, reason in report.bad_lines[:_SHOWN_LINES]:
        typer.echo(f"    line {line}: {reason}")
    if len(report.bad_lines) > _SHOWN_LINES:
        typer.echo("    … more with --json")
    for reason, number in sorted(report.dropped_values.items()):
        typer.echo(f"  {number:,} values left out of events: {reason}")
    for note in report.notes:
        typer.echo(f"  {note}")
