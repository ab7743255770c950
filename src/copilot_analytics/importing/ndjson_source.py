"""Imports files of one event a line, see `copilot_analytics.ndjson`."""

from __future__ import annotations

import gzip
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import IO

from ..admission import Refusal
from ..events import AnalyticsEvent
from ..ndjson import MAX_LINE_BYTES, LineError, decode_event
from ._admitting import Admitter
from .errors import ImportRefusedError
from .report import ImportReport
from .sources import Progress, WantedDays
from .staging import Stage

__all__ = ["NDJSONSource"]

_TOGETHER = 1_000
_GZIP = b"\x1f\x8b"
_BOM = b"\xef\xbb\xbf"
_CHUNK = 1 << 20
_KNOWN_REPEATS = 100_000


class NDJSONSource:
    """A file of events, plain or compressed by gzip, or standard input.

    An event's number is that of its line. Ids of events are kept; where one is missing it follows
    from the line, and from how many equal lines come before it.

    Args:
        path: the file; None is standard input, which can be read once.
        admitter: checks what the lines say.
        days: which days are wanted.
        strict: refuse the whole file for one bad line.
    """

    def __init__(
        self,
        path: Path | None,
        admitter: Admitter,
        *,
        days: WantedDays | None = None,
        strict: bool = False,
    ) -> None:
        self._path = path
        self._admitter = admitter
        self._days = days or WantedDays()
        self._strict = strict
        self._repeats: dict[bytes, int] = {}

    @property
    def name(self) -> str:
        """The file's absolute path; `-` for standard input."""
        return "-" if self._path is None else str(self._path.absolute())

    def digest(self) -> str | None:
        """Return a digest of what the file says, uncompressed; None of standard input."""
        if self._path is None:
            return None
        digest = blake2b(digest_size=16)
        with self._reading() as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
        return digest.hexdigest()

    def stage(self, stage: Stage, report: ImportReport, progress: Progress) -> str:
        """See `Source.stage`; the digest is that of the lines as they were read here."""
        stage.clear_records()
        digest = blake2b(digest_size=16)
        waiting: dict[str, AnalyticsEvent] = {}
        with self._reading() as file:
            for number, line in enumerate(_lines(file, digest), start=1):
                if line.isspace() or not line:
                    continue
                report.read += 1
                event = self._event(line, number, stage, waiting, report)
                if event is not None:
                    waiting[event.event_id] = event
                    if len(waiting) == _TOGETHER:
                        stage.add(waiting.values())
                        waiting.clear()
                if report.read % _TOGETHER == 0:
                    progress("reading", report.read, None)
        stage.add(waiting.values())
        progress("reading", report.read, report.read)
        report.dropped_values.update(self._admitter.dropped_values)
        return digest.hexdigest()

    def _event(
        self,
        line: bytes,
        number: int,
        stage: Stage,
        waiting: dict[str, AnalyticsEvent],
        report: ImportReport,
    ) -> AnalyticsEvent | None:
        try:
            found = decode_event(line)
        except LineError as exc:
            self._leave_out(exc.reason, number, report)
            return None
        if not self._days.has_time(found.observation.timestamp):
            report.skip("outside_range")
            return None
        content = blake2b(line.strip(), digest_size=16).digest()
        repeats = self._repeats.get(content, 0)
        while True:
            # Admission takes what it is given: each try needs its own.
            one = found if found.event_id is not None else decode_event(line)
            event = self._admitter.admit(
                one.observation, one.event_id, content + repeats.to_bytes(4, "big"), number
            )
            if isinstance(event, Refusal):
                self._leave_out(event.value, number, report)
                return None
            if event.event_id not in waiting and not stage.has_event(event.event_id):
                if found.event_id is None:
                    self._know(content, repeats + 1)
                return event
            if found.event_id is not None:
                report.skip("duplicate", number)
                return None
            repeats += 1

    def _know(self, content: bytes, repeats: int) -> None:
        if len(self._repeats) >= _KNOWN_REPEATS:
            self._repeats.clear()  # what is known merely saves tries
        self._repeats[content] = repeats

    def _leave_out(self, reason: str, number: int, report: ImportReport) -> None:
        if self._strict:
            raise ImportRefusedError(
                self.name,
                f"line {number} is no event that can be kept ({reason}), and --strict was asked "
                "for; nothing was written",
                "correct the line, or leave --strict out",
            )
        report.skip(reason, number)

    @contextmanager
    def _reading(self) -> Iterator[IO[bytes]]:
        try:
            if self._path is None:
                yield sys.stdin.buffer
                return
            with self._path.open("rb") as file:
                compressed = file.read(2) == _GZIP
                file.seek(0)
                if not compressed:
                    yield file
                    return
                with gzip.GzipFile(fileobj=file) as unpacked:
                    yield unpacked  # type: ignore[misc]  # it reads as any file does
        except (OSError, EOFError, zlib.error) as exc:
            reason = exc.strerror if isinstance(exc, OSError) and exc.strerror else str(exc)
            raise ImportRefusedError(
                self.name, f"it cannot be read ({reason})", "give a whole file that may be read"
            ) from exc


def _lines(file: IO[bytes], digest: blake2b) -> Iterator[bytes]:
    """Yield the lines; of one that is too long, its start alone."""
    first = True
    while line := file.readline(MAX_LINE_BYTES + 2):
        digest.update(line)
        if first and line.startswith(_BOM):
            line = line[len(_BOM) :]
        first = False
        if not line.endswith(b"\n"):
            start = line
            while start and not start.endswith(b"\n"):
                start = file.readline(_CHUNK)
                digest.update(start)
        yield line
