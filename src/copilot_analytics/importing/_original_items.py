"""The items of an original copilot's table, read as what they say; pure functions.

| item | PK | SK |
|---|---|---|
| event | `EVENT#<eventType>` | `<userId>#<timestamp>#<randomId>` |
| command, per day | `COMMAND#<commandName>` | `STATS#<date>` |
| error pattern | `ERROR#<errorType>` | `PATTERN#<errorHash>` |

Attributes win over what the keys say. Times are epoch milliseconds or ISO 8601 texts, lists may be
sets, metadata may be a map or a JSON text.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from types import MappingProxyType
from typing import Any

import msgspec

from .._values import UnfitError, checked_name
from ..encoding import from_stored_names
from ..events import EventType, Observation
from ..ndjson import time_of

__all__ = [
    "COMMAND",
    "ERROR",
    "EVENT",
    "CommandRow",
    "ErrorRow",
    "ItemError",
    "command_row",
    "error_row",
    "observation_of",
    "plain",
]

EVENT = "EVENT#"
COMMAND = "COMMAND#"
ERROR = "ERROR#"

_STATS = "STATS#"
_PATTERN = "PATTERN#"
_MOST = 10**12
"""No row counts more, in executions or milliseconds; it keeps sums far below 2**63."""

_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "executionTime": "executionMs",
        "executionTimeMs": "executionMs",
        "command": "commandName",
        "action": "commandName",
        "error": "errorMessage",
        "tokensUsed": "tokenCount",
        "duration": "durationMs",
        "timeToFirstToken": "ttftMs",
        "code": "closeCode",
        "totalSteps": "stepsTotal",
        "completedSteps": "stepsCompleted",
        "stepsExecuted": "stepsCompleted",
    }
)
"""The stored names of metadata that the original called otherwise."""


class ItemError(Exception):
    """An item that cannot be used.

    Attributes:
        reason: why, without anything of the item.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandRow:
    """What was counted of one command on one day."""

    name: str
    day: str
    executions: int
    successes: int
    failures: int
    execution_us: int
    last: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorRow:
    """What was counted of one error; its text is as it was, not to be kept."""

    error_type: str
    message: str
    count: int
    first: int
    last: int
    users: tuple[str, ...]


def plain(value: Mapping[str, Any]) -> Any:
    """Return a typed value as the API has it as a plain one; None for what is neither."""
    ((kind, content),) = value.items()
    match kind:
        case "S" | "BOOL" | "SS":
            return content
        case "N":
            return _number(content)
        case "NS":
            return [_number(one) for one in content]
        case "M":
            return {name: plain(one) for name, one in content.items()}
        case "L":
            return [plain(one) for one in content]
        case _:
            return None


def observation_of(pk: str, sk: str, item: Mapping[str, Any]) -> Observation:
    """Return what an event's item says: unchecked.

    Raises:
        ItemError: it is no event.
    """
    user_id, timestamp, _ = _event_key(sk)
    try:
        event_type = EventType(str(item.get("eventType") or pk.removeprefix(EVENT)))
    except ValueError:
        raise ItemError("unknown_type") from None
    found = time_of(item.get("timestamp", timestamp))
    if found is None:
        raise ItemError("bad_time")
    metadata = item.get("metadata")
    if isinstance(metadata, str):
        try:
            metadata = msgspec.json.decode(metadata)
        except msgspec.DecodeError:
            raise ItemError("bad_metadata") from None
    if metadata is None:
        metadata = {}
    if not isinstance(metadata, dict):
        raise ItemError("bad_metadata")
    return Observation(
        event_type,
        item.get("userId") or user_id,
        found,
        item.get("conversationId"),
        item.get("connectionId"),
        from_stored_names(_renamed(metadata)),
    )


def command_row(pk: str, sk: str, item: Mapping[str, Any]) -> CommandRow:
    """Return what a command's row of a day says.

    Raises:
        ItemError: it is none, or counts what cannot be counted.
    """
    day = sk.removeprefix(_STATS)
    try:
        if day == sk or dt.date.fromisoformat(day).isoformat() != day:
            raise ValueError
        name = checked_name(item.get("commandName") or pk.removeprefix(COMMAND))
    except (ValueError, UnfitError):
        raise ItemError("bad_command_row") from None
    successes = _count(item, "successfulExecutions", "bad_command_row")
    failures = _count(item, "failedExecutions", "bad_command_row")
    executions = _count(item, "totalExecutions", "bad_command_row", default=successes + failures)
    return CommandRow(
        name=name,
        day=day,
        executions=executions,
        successes=successes,
        failures=failures,
        execution_us=_microseconds(item.get("totalExecutionTime")),
        last=time_of(item.get("lastExecuted")),
    )


def error_row(pk: str, sk: str, item: Mapping[str, Any]) -> ErrorRow:
    """Return what an error's row says.

    Raises:
        ItemError: it is none, or says no count or time.
    """
    first, last = time_of(item.get("firstOccurrence")), time_of(item.get("lastOccurrence"))
    if last is None:
        last = first
    if first is None:
        first = last
    count = _count(item, "count", "bad_error_row")
    if not sk.startswith(_PATTERN) or first is None or last is None or not count:
        raise ItemError("bad_error_row")
    try:
        error_type = checked_name(item.get("errorType") or pk.removeprefix(ERROR))
    except UnfitError:
        raise ItemError("bad_error_row") from None
    listed = item.get("affectedUsers")
    users = listed if isinstance(listed, list) else ()
    message = item.get("errorMessage")
    return ErrorRow(
        error_type=error_type,
        message=message if isinstance(message, str) else "",
        count=count,
        first=min(first, last),
        last=max(first, last),
        users=tuple(
            one
            for one in (users if isinstance(users, list) else ())
            if isinstance(one, str) and one
        ),
    )


def _event_key(sk: str) -> tuple[str, str | None, str]:
    """Return the user, the time and the rest of an event's sort key; the user may have a `#`."""
    user_id, _, rest = sk.rpartition("#")
    user_id, separator, timestamp = user_id.rpartition("#")
    return user_id, timestamp if separator else None, rest


def _renamed(metadata: Mapping[str, Any]) -> dict[str, Any]:
    renamed = {_NAMES[name]: value for name, value in metadata.items() if name in _NAMES}
    # A name of today's wins over the one that it has replaced.
    return renamed | {name: value for name, value in metadata.items() if name not in _NAMES}


def _number(text: str) -> int | float:
    try:
        return int(text)
    except ValueError:
        return float(text)


def _count(item: Mapping[str, Any], name: str, reason: str, *, default: int = 0) -> int:
    value = item.get(name, default)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if type(value) is not int or not 0 <= value <= _MOST:
        raise ItemError(reason)
    return value


def _microseconds(value: Any) -> int:
    try:
        milliseconds = Decimal(str(value or 0))
    except InvalidOperation:
        raise ItemError("bad_command_row") from None
    # What is no number compares with none.
    if not milliseconds.is_finite() or not 0 <= milliseconds <= _MOST:
        raise ItemError("bad_command_row")
    return round(milliseconds * 1000)
