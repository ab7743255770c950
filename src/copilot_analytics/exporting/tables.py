"""The CSV export: one clean table a file (RFC 4180), safe to open; or all of them in an archive."""

from __future__ import annotations

import codecs
import csv
import io
import re
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import TypeVar

from .columns import Cell, Columns
from .files import Sink, in_chunks

__all__ = ["render_archive", "render_table", "safe_cell"]

_Row = TypeVar("_Row")

# A cell that starts with one of these is a formula to Excel, LibreOffice or Google Sheets, the
# full-width forms in East Asian locales too. With the apostrophes before it, so that taking one
# away gives back every text that has got one.
_FORMULA = re.compile("'*[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")

_FILE_MODE = 0o644 << 16


def safe_cell(cell: Cell) -> Cell:
    """Return a cell that no spreadsheet runs: only text can start a formula, numbers stay as is."""
    return f"'{cell}" if isinstance(cell, str) and _FORMULA.match(cell) else cell


def render_table(
    columns: Columns[_Row], rows: Iterable[_Row], *, byte_order_mark: bool = False
) -> Iterator[bytes]:
    """Yield a table in pieces: a header, then a line a row, UTF-8, CRLF, quoted where needed."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(name for name, _ in columns)
    yield (codecs.BOM_UTF8 if byte_order_mark else b"") + text.getvalue().encode()
    for row in rows:
        text.seek(0)
        text.truncate()
        writer.writerow([safe_cell(cell(row)) for _, cell in columns])
        yield text.getvalue().encode()


def render_archive(files: Mapping[str, Iterable[bytes]], now_ms: int) -> Iterator[bytes]:
    """Yield a ZIP archive in pieces.

    Args:
        files: the pieces of each, by name.
        now_ms: their date, epoch milliseconds, UTC.
    """
    made = datetime.fromtimestamp(now_ms / 1000, UTC)
    sink = Sink()
    with zipfile.ZipFile(sink, "w") as archive:
        for name, pieces in files.items():
            info = zipfile.ZipInfo(name, made.timetuple()[:6])
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = _FILE_MODE
            with archive.open(info, "w") as member:
                for chunk in in_chunks(pieces):
                    member.write(chunk)
                    yield sink.take()
            yield sink.take()
    yield sink.take()
