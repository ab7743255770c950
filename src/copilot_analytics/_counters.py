"""The counters that a group of events adds to a rollup; their names are those of `rollups.py`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .events import ANONYMOUS_PREFIX, AnalyticsEvent, EventType
from .histogram import buckets

__all__ = [
    "ACTIONS",
    "USER_COUNTERS",
    "Groups",
    "activity_counters",
    "add_times",
    "by_metadata",
    "intent_counters",
]

Groups = Mapping[EventType, Sequence[AnalyticsEvent]]
"""Events by type, in order of time."""

ACTIONS = (EventType.ACTION_EXECUTED, EventType.ACTION_FAILED)
"""What counts as an execution."""

_STREAM_ENDS = (EventType.STREAMING_COMPLETED, EventType.STREAMING_INTERRUPTED)

USER_COUNTERS = (
    ("messages", (EventType.MESSAGE_SENT,)),
    ("executions", ACTIONS),
    ("failures", (EventType.ACTION_FAILED,)),
    ("errors", (EventType.ERROR_OCCURRED,)),
    ("connections", (EventType.WEBSOCKET_CONNECTED,)),
)
"""The counters of a user and the types of event that each counts."""

_ACTIVITY_COUNTERS = (
    *USER_COUNTERS,
    ("clarifications", (EventType.CLARIFICATION_REQUESTED,)),
    ("streams", _STREAM_ENDS),
)


def activity_counters(groups: Groups) -> dict[str, int]:
    """Return the activity counters of one hour's events."""
    counters = {f"e.{event_type.value}": len(group) for event_type, group in groups.items()}
    counters["events"] = sum(counters.values())
    for name, event_types in _ACTIVITY_COUNTERS:
        if count := sum(len(groups.get(event_type, ())) for event_type in event_types):
            counters[name] = count
    for event_type, group in groups.items():
        if event_type in ACTIONS:
            add_times(counters, group, "execution_ms", "execution", "x.")
        elif event_type in _STREAM_ENDS:
            _add_streams(counters, group)
        elif event_type is EventType.WEBSOCKET_CONNECTED:
            _add_connections(counters, group)
        elif event_type is EventType.WEBSOCKET_DISCONNECTED:
            add_times(counters, group, "connection_ms", "connection", "k.")
            _add_family(counters, "close.", _values(group, "close_code"))
    return counters


def intent_counters(event_type: EventType, group: Sequence[AnalyticsEvent]) -> dict[str, int]:
    """Return the counters of one intent's events of one type that bear on intents."""
    counters: dict[str, int] = {}
    if event_type is EventType.INTENT_CLASSIFIED:
        counters["count"] = len(group)
        shares: list[Any] = [
            event.metadata["confidence"] for event in group if "confidence" in event.metadata
        ]
        _add_family(counters, "c.", [min(int(share * 20), 19) for share in shares])
    elif event_type is EventType.CLARIFICATION_REQUESTED:
        counters["clarifications"] = len(group)
    else:
        if event_type is EventType.ACTION_FAILED:
            counters["failures"] = len(group)
        _add_family(counters, "command.", _values(group, "command_name"))
    return counters


def add_times(
    counters: dict[str, int],
    group: Iterable[AnalyticsEvent],
    key: str,
    name: str,
    prefix: str,
) -> None:
    """Add the durations of a metadata key: samples and sum under `name`, buckets under `prefix`."""
    times = _values(group, key)
    if times:
        _add(counters, f"{name}_samples", len(times))
        _add(counters, f"{name}_us", sum([round(ms * 1000) for ms in times]))
        _add_family(counters, prefix, buckets(times))


def by_metadata(group: Iterable[AnalyticsEvent], key: str) -> dict[str, list[AnalyticsEvent]]:
    """Return events by the name under a metadata key, without those that have none."""
    parts: dict[str, list[AnalyticsEvent]] = {}
    for event in group:
        name: Any = event.metadata.get(key)
        if name is not None:
            part = parts.get(name)
            if part is None:
                parts[name] = [event]
            else:
                part.append(event)
    return parts


def _add_streams(counters: dict[str, int], group: Sequence[AnalyticsEvent]) -> None:
    add_times(counters, group, "ttft_ms", "ttft", "t.")
    add_times(counters, group, "duration_ms", "stream", "s.")
    _add_family(counters, "end.", _values(group, "end_reason"))
    reporting = [event for event in group if "token_count" in event.metadata]
    if reporting:
        times = _values(reporting, "duration_ms")
        _add(counters, "token_streams", len(reporting))
        _add(counters, "tokens", sum(_values(reporting, "token_count")))
        _add(counters, "token_us", sum([round(ms * 1000) for ms in times]))


def _add_connections(counters: dict[str, int], group: Iterable[AnalyticsEvent]) -> None:
    for event in group:
        if event.metadata.get("anonymous", event.user_id.startswith(ANONYMOUS_PREFIX)):
            _add(counters, "anonymous_connections", 1)
        if event.metadata.get("reconnect"):
            _add(counters, "reconnects", 1)


def _values(group: Iterable[AnalyticsEvent], key: str) -> list[Any]:
    # Admission has checked that each is of its key's kind.
    return [event.metadata[key] for event in group if key in event.metadata]


def _add_family(counters: dict[str, int], prefix: str, members: Sequence[object]) -> None:
    # A `Counter` of nothing takes as long as of fifty.
    if members:
        for member, count in Counter(members).items():
            _add(counters, f"{prefix}{member}", count)


def _add(counters: dict[str, int], name: str, count: int) -> None:
    counters[name] = counters.get(name, 0) + count
