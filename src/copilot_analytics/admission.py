"""Admission: the gate between what was seen and what is stored.

An observation comes as a tracker or the application says it; an event leaves checked, bounded,
redacted and numbered. This is decided once, here, and kept in the event, so that whoever replays
or recounts events later counts the same. Whatever is left out is counted by reason.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from hashlib import blake2b

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

OTHER = "(other)"
"""The name of what comes after the first 1,000 different names of a kind and day."""

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
        self._writer = writer
        self._next_id = EventIds().next
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
        self._names: dict[str, _Names] = {}
        self._max_names = max_names
        self._fingerprints = self._names_of("fingerprint")
        own = [MetadataKey(name, name, kind, "") for name, kind in (extra_keys or {}).items()]
        self._checks: dict[EventType, dict[str, Check]] = {
            event_type: {key.name: self._check_of(key) for key in (*own, *keys.values())}
            for event_type, keys in METADATA_KEYS.items()
        }

    @property
    def skipped(self) -> dict[str, int]:
        """How many values were left out or replaced, by reason and key, such as `empty:intent`."""
        return self._skipped.copy()

    def admit(self, observation: Observation) -> AnalyticsEvent | Refusal:
        """Return the event of an observation, or why there is none.

        Values that cannot be used are left out, and counted in `skipped`.
        """
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
        return AnalyticsEvent(
            self._next_id(timestamp),
            event_type,
            user_id,
            timestamp,
            conversation_id,
            connection_id,
            metadata,
            self._writer.id,
            self._writer.next_sequence(),
        )

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
            admitted = checked_id(value)
        except UnfitError as exc:
            self._skip(f"{exc.reason}:{name}")
            return None
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

    def _names_of(self, key: str) -> _Names:
        return self._names.setdefault(key, _Names(key, self._max_names, self._skip))

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


class _Names:
    """The different names of one kind that were admitted, by UTC day."""

    __slots__ = ("_days", "_key", "_limit", "_skip", "_today")

    def __init__(self, key: str, limit: int, skip: Callable[[str], None]) -> None:
        self._key = key
        self._limit = limit
        self._skip = skip
        self._days: dict[int, set[str]] = {}
        self._today: set[str] = set()

    def admit(self, value: object) -> str:
        """Return the name to keep for a value."""
        if type(value) is str and value in self._today:
            return value
        return self.counted(checked_name(value))

    def counted(self, name: str) -> str:
        """Return a name, or `OTHER` if it is one too many."""
        if name not in self._today:
            if len(self._today) >= self._limit:
                self._skip(f"over_limit:{self._key}")
                return OTHER
            self._today.add(name)
        return name

    def turn_to(self, day: int, oldest: int) -> None:
        """Go on with the names of a day; a new one makes those before the oldest forgotten."""
        today = self._days.get(day)
        if today is None:
            for past in [past for past in self._days if past < oldest]:
                del self._days[past]
            today = self._days[day] = set()
        self._today = today


def _computed(value: object) -> MetadataValue | None:
    raise UnfitError("computed")
