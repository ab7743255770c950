"""`copilot-analytics export`: what is stored, as a file."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from ..errors import ConfigurationError, QuestionError
from ..exporting import Exporter, ExportFile, ExportRequest, parse_position, save
from ..queries import ExportFormat, ExportSection
from ..rollups import ACTIVITY, RollupKind
from .options import (
    DaysOption,
    FromOption,
    Opened,
    StoreOption,
    ToOption,
    open_configured,
    range_of,
)
from .telling import megabytes, progress

__all__ = ["export"]

_RAW = (ExportFormat.NDJSON, ExportFormat.PARQUET)
_BINARY = ("application/zip", "application/vnd.apache.parquet")


def export(
    output: Annotated[
        str,
        typer.Argument(
            metavar="[FILE]",
            help="The file to write, or a folder; - is standard output.",
            show_default="a name that tells the days",
        ),
    ] = "",
    store: StoreOption = None,
    start: FromOption = None,
    end: ToOption = None,
    days: DaysOption = None,
    format: Annotated[
        ExportFormat | None,
        typer.Option(
            "--format",
            case_sensitive=False,
            help="JSON: summary, commands and errors. CSV: commands and errors. NDJSON, PARQUET: "
            "every event.",
            show_default="what FILE ends in, else JSON",
        ),
    ] = None,
    section: Annotated[
        ExportSection | None,
        typer.Option(
            "--section",
            case_sensitive=False,
            help="The one table of a CSV.",
            show_default="a ZIP of both",
        ),
    ] = None,
    byte_order_mark: Annotated[
        bool, typer.Option("--bom", help="Begin a CSV so that Excel reads it as UTF-8.")
    ] = False,
    after: Annotated[
        str | None,
        typer.Option(
            "--after",
            metavar="POSITION",
            help="Only events after this one, TIMESTAMP:EVENT_ID; NDJSON only.",
        ),
    ] = None,
) -> None:
    """Write what is stored to a file: all of it, or nothing.

    Whatever ends it before, Ctrl-C too, leaves the file that was there.
    """
    request = ExportRequest(
        range_of(start, end, days),
        format or _format_of(output),
        section,
        byte_order_mark=byte_order_mark,
        after=None if after is None else parse_position(after),
    )
    with open_configured(store) as opened:
        exporter = Exporter(opened.answers, opened.store, opened.clock)
        with _progress(opened, request) as advance:
            file = exporter.export(request, advance=advance)
            if output == "-":
                _print(file)
                return
            path = (
                Path(output) / file.filename
                if not output or Path(output).is_dir()
                else Path(output)
            )
            try:
                size = save(file, path)
            except OSError as error:
                raise ConfigurationError(
                    "the file", str(path), f"{error.strerror}; give another path, or - for a pipe"
                ) from error
    typer.echo(f"{path}: {megabytes(size)}", err=True)


def _format_of(output: str) -> ExportFormat:
    ending = Path(output).suffix.removeprefix(".").upper()
    if ending == "ZIP":
        return ExportFormat.CSV
    return ExportFormat(ending) if ending in set(ExportFormat) else ExportFormat.JSON


@contextmanager
def _progress(opened: Opened, request: ExportRequest) -> Iterator[Callable[[int], None] | None]:
    if request.format not in _RAW:
        yield None
        return
    counted = opened.store.totals(RollupKind.ACTIVITY, request.range).get(ACTIVITY)
    total = None if counted is None else counted.counters.get("events")
    with progress("Exporting events", total) as advance:
        yield advance


def _print(file: ExportFile) -> None:
    if sys.stdout.isatty() and file.content_type in _BINARY:
        raise QuestionError("-", file.filename, "write it to a file: it is not for a terminal")
    for chunk in file.chunks:
        sys.stdout.buffer.write(chunk)
    sys.stdout.buffer.flush()
