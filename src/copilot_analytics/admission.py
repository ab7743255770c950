"""Admission: the gate between what was seen and what is stored.

An observation comes as a tracker or the application says it; an event leaves checked, bounded,
redacted and numbered. This is decided once, here, and kept in the event, so that whoever replays
or recounts events later counts the same. Whatever is left out is counted by reason.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from hashlib import blake2b
from itertools import repeat
from types import NoneType
from typing import Any

from msgspec.structs import astuple

from ._columns import COLUMN_CHECKS, ColumnCheck, Shapes, types_of, usual_names
from ._names import OTHER, Names
from ._values import CHECKS, Check, UnfitError, checked_id, checked_name, checked_text
from .events import (
    METADATA_KEYS,
    AnalyticsEvent,
    EventType,
    MetadataKey,
    MetadataValue,
    Observation,
    ValueKind,
)
from .ids import EventIds
from .periods import DAY_MS
from .redaction import MAX_TEXT_LENGTH, fingerprint, normalise_error
from .typing import Clock
from .writer import Writer

__all__ = ["OTHER", "UNKNOWN_ERROR", "Admission", "Refusal"]

UNKNOWN_ERROR = "unknown"
"""The type of an error that names none."""

MAX_NAMES = 1_000
MAX_AHEAD_MS = 5 * 60_000
MAX_AGE_MS = 90 * DAY_MS

_ERROR_KEYS = frozenset({"error_type", "error_message"})
_WITH_ERRORS = frozenset(
    event_type for event_type, keys in METADATA_KEYS.items() if "fingerprint" in keys
)

_MAX_KNOWN_IDS = 10_000
_MAX_KNOWN_TEXTS = 1_000


_Checked = tuple[EventType, str, int, str | None, str | None, dict[str, MetadataValue]]
"""The middle fields of an `AnalyticsEvent`, in their order: all but its numbers."""


class Refusal(StrEnum):
    """Why an observation became no event."""

    IN_FUTURE = "in_future"
    """It says that it happened later than in five minutes."""
    TOO_OLD = "too_old"
    """It says that it happened more than 90 days ago."""
    NO_USER = "no_user"
    """It names no user, not even an anonymous one."""
    INVALID = "invalid"
    """Its type, time or metadata are nothing of the kind."""


class Admission:
    """Turns observations into events.

    Not thread-safe: the recorder's thread alone admits; `skipped` may be read from any.

    Args:
        clock: tells what is too old and what lies in the future.
        writer: numbers the events; its id is theirs.
        error_text: `normalised` keeps the normalised messages of errors, `type_only` none.
        extra_keys: the application's own metadata keys, accepted in every event.
        max_names: how many different names are admitted per kind, UTC day and process.
        max_age_ms: how old an observation may be, in milliseconds.
        max_ahead_ms: how far in the future it may be, in milliseconds.

    Attributes:
        writer: numbers the events.
    """

    def __init__(
        self,
        clock: Clock,
        writer: Writer,
        *,
        error_text: str = "normalised",
        extra_keys: Mapping[str, ValueKind] | None = None,
        max_names: int = MAX_NAMES,
        max_age_ms: int = MAX_AGE_MS,
        max_ahead_ms: int = MAX_AHEAD_MS,
    ) -> None:
        self._clock = clock
        self.writer = writer
        self._ids = EventIds()
        self._keeps_text = error_text != "type_only"
        self._max_age_ms = max_age_ms
        self._max_ahead_ms = max_ahead_ms
        self._skipped: dict[str, int] = {}
        self._known_ids: set[str] = set()
        self._known_labels: set[str] = set()
        self._known_texts: dict[bytes, str] = {}
        self._earliest = 0
        self._latest = -1  # nothing is in the window before the clock was asked
        self._day_start = -DAY_MS
        self._names: dict[str, Names] = {}
        self._max_names = max_names
        self._fingerprints = self._names_of("fingerprint")
        own = [MetadataKey(name, name, kind, "") for name, kind in (extra_keys or {}).items()]
        self._checks: dict[EventType, dict[str, Check]] = {
            event_type: {key.name: self._check_of(key) for key in (*own, *keys.values())}
            for event_type, keys in METADATA_KEYS.items()
        }
        # What identifies errors looks at several keys.
        self._shapes = Shapes(
            {
                event_type: {key.name: self._column_check_of(key) for key in (*own, *keys.values())}
                for event_type, keys in METADATA_KEYS.items()
                if event_type not in _WITH_ERRORS
            }
        )

    @property
    def skipped(self) -> dict[str, int]:
        """How many values were left out or replaced, by reason and key, such as `empty:intent`."""
        return self._skipped.copy()

    def admit(self, observation: Observation) -> AnalyticsEvent | Refusal:
        """Return the event of an observation, or why there is none.

        Values that cannot be used are left out, and counted in `skipped`.
        """
        checked = self._checked(observation)
        if isinstance(checked, Refusal):
            return checked
        timestamp = checked[2]
        return AnalyticsEvent(
            self._ids.next(timestamp), *checked, self.writer.id, self.writer.next_sequence()
        )

    def admit_all(
        self, observations: Sequence[Observation]
    ) -> tuple[list[AnalyticsEvent], list[Refusal]]:
        """Do as `admit` for each in turn, at half the cost of what is usual.

        Metadata is kept where nothing in it needs a second look, not copied.

        Returns:
            The events in the order of their observations, and why there are none of the others.
        """
        rows: list[_Checked | Refusal] = self._usual(observations)
        if not rows:
            rows = list(map(self._checked, observations))
        refusals = [row for row in rows if isinstance(row, Refusal)]
        checked = [row for row in rows if not isinstance(row, Refusal)] if refusals else rows
        if not checked:
            return [], refusals
        columns: Any = list(zip(*checked, strict=True))
        events = map(
            AnalyticsEvent,
            self._ids.take(columns[2]),
            *columns,
            repeat(self.writer.id),
            self.writer.next_sequences(len(checked)),
        )
        return list(events), refusals

    def _usual(self, observations: Sequence[Observation]) -> list[_Checked | Refusal]:
        """Return observations checked together, those that are unusual one by one.

        Nothing if none of them can be checked together.
        """
        try:
            rows: list[Any] = list(map(astuple, observations))
            event_types, user_ids, timestamps, conversation_ids, connection_ids, seen = zip(
                *rows, strict=True
            )
        except (TypeError, ValueError):  # nothing at all, or no observations
            return []
        if (
            types_of(event_types) != {EventType}
            or types_of(seen) != {dict}
            or not self._are_of_one_day(timestamps)
            or not self._know(user_ids, (*conversation_ids, *connection_ids))
        ):
            return []
        for place in sorted(self._shapes.unfit(event_types, seen)):
            rows[place] = self._checked(observations[place])
        return rows

    def _checked(self, observation: Observation) -> _Checked | Refusal:
        """Return what the event is to hold, but for its numbers."""
        event_type = observation.event_type
        timestamp = observation.timestamp
        seen = observation.metadata
        if (
            type(event_type) is not EventType
            or type(timestamp) is not int
            or not isinstance(seen, dict)
        ):
            return Refusal.INVALID
        if not self._earliest <= timestamp <= self._latest:
            refusal = self._refusal(timestamp)
            if refusal is not None:
                return refusal
        user_id = observation.user_id
        conversation_id = observation.conversation_id
        connection_id = observation.connection_id
        known = self._known_ids
        if type(user_id) is not str or user_id not in known:
            admitted_id = self._id("user_id", user_id)
            if admitted_id is None:
                return Refusal.NO_USER
            user_id = admitted_id
        if type(conversation_id) is not str or conversation_id not in known:
            conversation_id = self._id("conversation_id", conversation_id)
        if type(connection_id) is not str or connection_id not in known:
            connection_id = self._id("connection_id", connection_id)
        if not self._day_start <= timestamp < self._day_start + DAY_MS:
            self._turn_to(timestamp // DAY_MS)
        checks = self._checks[event_type]
        metadata: dict[str, MetadataValue] = {}
        for name, value in seen.items():
            check = checks.get(name)
            if check is None:
                self._skip("unknown_key")
            elif value is not None:
                try:
                    admitted = check(value)
                except UnfitError as exc:
                    self._skip(f"{exc.reason}:{name}")
                else:
                    if admitted is not None:
                        metadata[name] = admitted
        if event_type in _WITH_ERRORS:
            self._identify_error(event_type, metadata)
        return event_type, user_id, timestamp, conversation_id, connection_id, metadata

    def _are_of_one_day(self, timestamps: Sequence[int]) -> bool:
        """Say whether times are all in the window and of one UTC day, which is turned to."""
        if types_of(timestamps) != {int}:
            return False
        first, last = min(timestamps), max(timestamps)
        if not self._earliest <= first <= last <= self._latest and (
            self._refusal(first) or self._refusal(last)
        ):
            return False
        if not self._day_start <= first <= last < self._day_start + DAY_MS:
            if first // DAY_MS != last // DAY_MS:
                return False
            self._turn_to(first // DAY_MS)
        return True

    def _know(self, user_ids: Sequence[str], others: Sequence[str | None]) -> bool:
        """Say whether ids, or None among the others, are known or may be kept as they are."""
        if types_of(user_ids) != {str} or not types_of(others) <= {str, NoneType}:
            return False
        for identifier in {*user_ids, *others} - self._known_ids:
            if identifier is not None:
                try:
                    if self._learned(identifier) != identifier:
                        return False
                except UnfitError:
                    return False
        return True

    def _refusal(self, timestamp: int) -> Refusal | None:
        """Say what is wrong with a time outside of the window, which is first moved to now.

        The clock is asked only here: as long as it goes forward, what the last window holds may be
        admitted now, too, or was when the last newer event came.
        """
        now_ms = self._clock.now_ms()
        self._earliest = now_ms - self._max_age_ms
        self._latest = now_ms + self._max_ahead_ms
        if timestamp > self._latest:
            return Refusal.IN_FUTURE
        return Refusal.TOO_OLD if timestamp < self._earliest else None

    def _id(self, name: str, value: object) -> str | None:
        if value is None:
            return None
        try:
            return self._learned(value)
        except UnfitError as exc:
            self._skip(f"{exc.reason}:{name}")
            return None

    def _learned(self, value: object) -> str:
        admitted = checked_id(value)
        if len(self._known_ids) >= _MAX_KNOWN_IDS:
            self._known_ids.clear()
        self._known_ids.add(admitted)
        return admitted

    def _check_of(self, key: MetadataKey) -> Check:
        if key.name == "fingerprint":
            return _computed
        if key.kind is ValueKind.NAME:
            return self._names_of(key.name).admit
        if key.kind is ValueKind.TEXT:
            return self._text
        if key.kind is ValueKind.LABEL:
            return self._label
        return CHECKS[key.kind]

    def _column_check_of(self, key: MetadataKey) -> ColumnCheck | None:
        if key.kind is ValueKind.NAME:
            return usual_names(self._names_of(key.name).today)
        if key.kind is ValueKind.LABEL:
            return usual_names(lambda: self._known_labels)
        return COLUMN_CHECKS.get(key.kind)

    def _names_of(self, key: str) -> Names:
        return self._names.setdefault(key, Names(key, self._max_names, self._skip))

    def _turn_to(self, day: int) -> None:
        self._day_start = day * DAY_MS
        oldest = self._earliest // DAY_MS
        for names in self._names.values():
            names.turn_to(day, oldest)

    def _label(self, value: object) -> str:
        known = self._known_labels
        if type(value) is str and value in known:
            return value
        label = checked_name(value)
        if len(known) >= _MAX_KNOWN_TEXTS:
            known.clear()
        known.add(label)
        return label

    def _text(self, value: object) -> str | None:
        text = checked_text(value)
        if not self._keeps_text:
            return None
        # By hash: a message as it was is personal data, which is not to lie around.
        start = text[: MAX_TEXT_LENGTH + 1].encode("utf-8", "surrogatepass")
        digest = blake2b(start, digest_size=16).digest()
        normalised = self._known_texts.get(digest)
        if normalised is None:
            normalised = normalise_error(text)
            if len(self._known_texts) >= _MAX_KNOWN_TEXTS:
                self._known_texts.clear()
            self._known_texts[digest] = normalised
        return normalised or None

    def _identify_error(self, event_type: EventType, metadata: dict[str, MetadataValue]) -> None:
        """Give an error a type, if it has none, and its fingerprint."""
        if event_type is not EventType.ERROR_OCCURRED and not metadata.keys() & _ERROR_KEYS:
            return
        error_type = str(metadata.setdefault("error_type", UNKNOWN_ERROR))
        mark = fingerprint(error_type, str(metadata.get("error_message", "")))
        metadata["fingerprint"] = self._fingerprints.counted(mark)
        if metadata["fingerprint"] is OTHER and "error_message" in metadata:
            # Or one message would stand for all the others.
            metadata["error_message"] = OTHER

    def _skip(self, reason: str) -> None:
        self._skipped[reason] = self._skipped.get(reason, 0) + 1


def _computed(value: object) -> MetadataValue | None:
    raise UnfitError("computed")
