"""What an import has done."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

__all__ = ["MAX_BAD_LINES", "ImportReport"]

MAX_BAD_LINES = 1_000
"""Bad lines that are told one by one; all are counted."""


@dataclass(slots=True, kw_only=True)
class ImportReport:
    """What an import has read, written and left out; over all its runs where it was resumed.

    Attributes:
        source: what was imported, without credentials.
        destination: where to, without credentials.
        read: events, lines or items read.
        events: events to write: what was read and is fit, not held already and in the range.
        supplements: rows of the source that count what no event backs.
        written: events and supplements that the destination has confirmed.
        held: events that the destination held already, from another writer; left as they are.
        skipped: what was left out, by reason; events, lines or items.
        dropped_values: values left out of events that were kept, by reason and key.
        bad_lines: line numbers and reasons of lines left out, the first 1,000.
        days: UTC days that anything is of.
        patterns: error patterns whose lifetime rows are supplemented.
        finished: whether everything is written.
        notes: what whoever started it should know, as sentences.
    """

    source: str
    destination: str
    read: int = 0
    events: int = 0
    supplements: int = 0
    written: int = 0
    held: int = 0
    skipped: dict[str, int] = field(default_factory=dict)
    dropped_values: dict[str, int] = field(default_factory=dict)
    bad_lines: list[tuple[int, str]] = field(default_factory=list)
    days: int = 0
    patterns: int = 0
    finished: bool = False
    notes: list[str] = field(default_factory=list)

    def skip(self, reason: str, line: int | None = None) -> None:
        """Count something that is left out."""
        self.skipped[reason] = self.skipped.get(reason, 0) + 1
        if line is not None and len(self.bad_lines) < MAX_BAD_LINES:
            self.bad_lines.append((line, reason))

    def as_json(self) -> dict[str, Any]:
        """Return it with camelCase names."""
        found = asdict(self)
        return {
            "source": found["source"],
            "destination": found["destination"],
            "finished": found["finished"],
            "read": found["read"],
            "events": found["events"],
            "supplements": found["supplements"],
            "written": found["written"],
            "alreadyHeld": found["held"],
            "skipped": found["skipped"],
            "droppedValues": found["dropped_values"],
            "badLines": [{"line": line, "reason": reason} for line, reason in self.bad_lines],
            "days": found["days"],
            "patterns": found["patterns"],
            "notes": found["notes"],
        }

    def as_state(self) -> dict[str, Any]:
        """Return what `from_state` makes it of again; JSON can hold it."""
        return asdict(self)

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> ImportReport:
        """Return the report of a state that was kept."""
        report = cls(**state)
        report.bad_lines = [(line, reason) for line, reason in report.bad_lines]
        return report
