"""Runs an import: stage the source, leave out what the destination holds, write the rest once."""

from __future__ import annotations

import datetime as dt
import time
from base64 import b32encode
from collections.abc import Callable, Sequence
from hashlib import blake2b
from itertools import islice
from typing import Any

from ..batch import Batch
from ..errors import StoreUnavailableError
from ..stores import Store
from .errors import ImportRefusedError
from .report import ImportReport
from .sources import Progress, Source, WantedDays
from .staging import Stage, place_of

__all__ = ["Importer"]

_REMOTE_BATCH = 500
_LOCAL_BATCH = 2_000
_PAGE = 1_000
_PAUSES = (1.0, 2.0, 4.0, 8.0, 16.0)
"""Seconds between tries of a write, after others have succeeded."""

_STAGING, _STAGED, _DONE = "staging", "staged", "done"


class Importer:
    """Moves one source into one destination; every event and count exactly once.

    The import is a writer of its own. Its id follows from the source's content and the days wanted,
    its numbers are places in the source: whatever is written again, after an interruption or with
    other batches, the destination passes over.

    An unfinished import is gone on with from the frozen copy in its stage. Of a source that was
    imported before and has changed since, new events are imported, and nothing that no event
    backs: that was added before, and cannot be told from what is new.

    Args:
        source: what to import.
        destination: where to; not closed.
        stage: how far it has come; not closed.
        days: which days are wanted; the source has to be made for the same.
        progress: told how it goes.
        batch_size: events and supplements in one write; by default what suits the destination.
        sleep: waits so many seconds before a write is tried again; in all, half a minute.
    """

    def __init__(
        self,
        source: Source,
        destination: Store,
        stage: Stage,
        *,
        days: WantedDays | None = None,
        progress: Progress | None = None,
        batch_size: int | None = None,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._source = source
        self._destination = destination
        self._stage = stage
        self._days = days or WantedDays()
        self._progress: Progress = progress or _ignore
        self._sleep = sleep
        self._batch_size = batch_size or (_REMOTE_BATCH if destination.remote else _LOCAL_BATCH)

    def run(self, *, dry: bool = False, as_begun: bool = False) -> ImportReport:
        """Import what is not imported yet.

        Args:
            dry: only find out what would be written; the stage is to be one of its own.
            as_begun: finish an import whose source has changed since, as the source was then.

        Raises:
            ImportRefusedError: it cannot be done as asked.
            StoreError: the source or the destination does not do what it should; as after the
                death of the process, another run goes on where this one ended.
        """
        stage = self._stage
        ours = [self._source.name, place_of(self._destination.url)]
        known = [stage.get("source"), stage.get("destination")]
        if known not in (ours, [None, None]):
            raise ImportRefusedError(
                str(stage.path),
                f"it is the state of an import of {known[0]} into {known[1]}",
                "name another file with --state",
            )
        if stage.get("phase") == _STAGED:
            self._check_unchanged(as_begun=as_begun)
            report = self._resumed()
        else:
            report = self._staged()
        if not report.finished and not dry:
            self._write(report)
        return report

    def _check_unchanged(self, *, as_begun: bool) -> None:
        begun = WantedDays.of(*self._stage.get("days"))
        if begun != self._days:
            raise ImportRefusedError(
                self._source.name,
                f"an import of its days {begun} is unfinished",
                "finish that first, with the same --from and --to",
            )
        digest = None if as_begun else self._source.digest()
        if digest is not None and digest != self._stage.get("digest"):
            raise ImportRefusedError(
                self._source.name,
                "it has changed since an import of it began, which is unfinished",
                "finish that one with --as-begun, from the copy that was made then; after that, "
                "import it again for what is new",
            )

    def _staged(self) -> ImportReport:
        """Freeze the source in the stage, without what the destination need not get."""
        stage = self._stage
        before = self._before()
        if stage.get("phase") != _STAGING:
            stage.clear()
        stage.note(
            source=self._source.name,
            destination=place_of(self._destination.url),
            phase=_STAGING,
            days=_dates(self._days),
        )
        report = ImportReport(source=self._source.name, destination=self._destination.url)
        digest = self._source.stage(stage, report, self._progress)
        if any(one["digest"] == digest for one in before):
            report.notes.append(
                "It was imported before, and has not changed since. If the store was emptied "
                f"meanwhile, delete {stage.path} and import it again."
            )
            report.finished = True
            stage.note(phase=_DONE)
            stage.clear()
            return report
        if before:
            dropped = stage.drop_supplements()
            if dropped:
                report.notes.append(
                    "It was imported before: what no event backs was added then, and is left out."
                )
        writer = _writer_id(digest, self._days)
        report.held = self._leave_out_held(writer)
        found = stage.tally()
        report.events, report.supplements = found["events"], found["supplements"]
        report.days, report.patterns = found["days"], found["patterns"]
        stage.note(
            phase=_STAGED, digest=digest, writer=writer, confirmed=0, report=report.as_state()
        )
        return report

    def _before(self) -> list[dict[str, Any]]:
        """Return the finished imports of the same days; of others, none may overlap."""
        same = []
        for one in self._stage.get("finished") or ():
            days = WantedDays.of(*one["days"])
            if days == self._days:
                same.append(one)
            elif days.overlaps(self._days):
                raise ImportRefusedError(
                    self._source.name,
                    f"its days {days} were imported before",
                    "leave them out with --from and --to, or ask for exactly these again",
                )
        return same

    def _resumed(self) -> ImportReport:
        """Return the report of what was begun; others may have written some of it since."""
        stage = self._stage
        report = ImportReport.from_state(stage.get("report"))
        held = self._leave_out_held(stage.get("writer"))
        if held:
            report.held += held
            report.events -= held
            stage.note(report=report.as_state())
        left = stage.count(stage.get("confirmed"))
        report.written = report.events + report.supplements - left
        return report

    def _leave_out_held(self, writer: str) -> int:
        """Take events out of the stage that the destination holds from another writer."""
        held = 0
        days = self._stage.event_days()
        for done, day in enumerate(days):
            self._progress("comparing", done, len(days))
            # Whole days, because that also finds events past their retention that are still there.
            with self._destination.snapshot(dt.date.fromisoformat(day)) as snapshot:
                events = snapshot.events()
                while page := list(islice(events, _PAGE)):
                    held += self._stage.drop_events(
                        one.event_id for one in page if one.writer != writer
                    )
        self._progress("comparing", len(days), len(days))
        return held

    def _write(self, report: ImportReport) -> None:
        stage = self._stage
        writer = stage.get("writer")
        confirmed = stage.get("confirmed")
        total = report.events + report.supplements
        began = False
        while True:
            self._progress("writing", report.written, total)
            events, supplements = stage.records(confirmed, self._batch_size, writer)
            if not events and not supplements:
                break
            batch = Batch(writer, events, supplements=supplements)
            # What fails from the start is nothing to wait for.
            self._write_batch(batch, _PAUSES if began else ())
            began = True
            confirmed = batch.last
            stage.note(confirmed=confirmed)
            report.written += len(events) + len(supplements)
        report.finished = True
        self._finish()

    def _write_batch(self, batch: Batch, pauses: Sequence[float]) -> None:
        for pause in pauses:
            try:
                self._destination.write(batch)
            except StoreUnavailableError:
                self._sleep(pause)
            else:
                return
        self._destination.write(batch)

    def _finish(self) -> None:
        stage = self._stage
        mine = {"digest": stage.get("digest"), "days": _dates(self._days)}
        stage.note(phase=_DONE, finished=[*(stage.get("finished") or ()), mine])
        stage.clear()


def _ignore(_step: str, _done: int, _total: int | None) -> None:
    pass


def _writer_id(digest: str, days: WantedDays) -> str:
    content = f"{digest}\0{days}".encode()
    return "i" + b32encode(blake2b(content, digest_size=10).digest()).decode().lower()[:15]


def _dates(days: WantedDays) -> list[str | None]:
    return [None if day is None else day.isoformat() for day in (days.first, days.last)]
