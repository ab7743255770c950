"""Where an export of events goes on: the place of an event, as a text that anybody can make.

It is `TIMESTAMP:EVENT_ID`, both as they stand in a line of NDJSON: whoever holds the last whole
line of a download that broke off knows where to go on.
"""

from __future__ import annotations

import re

from ..errors import QuestionError
from ..event_log import EventPosition

__all__ = ["parse_position", "position_text"]

# An SQLite integer, an epoch millisecond until far beyond the year 9999; an id as stores keep it.
_POSITION = re.compile(r"(-?[0-9]{1,15}):(.{1,256})", re.DOTALL)
_SHOWN = 80


def position_text(position: EventPosition) -> str:
    """Return a place as text."""
    return f"{position.timestamp}:{position.event_id}"


def parse_position(text: str) -> EventPosition:
    """Return the place that a text means.

    Raises:
        QuestionError: it means none.
    """
    found = _POSITION.fullmatch(text)
    if found is None:
        raise QuestionError(
            "after",
            text[:_SHOWN],
            "give TIMESTAMP:EVENT_ID of the last line that you have, such as "
            "1764072000000:01KAXW4E00ABCDEFGHJKMNPQRS",
        )
    return EventPosition(int(found[1]), found[2])
