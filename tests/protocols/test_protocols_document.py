"""docs/protocols.md: its frames are the adapter's, its table and its code run."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from copilot_analytics.events import EventType
from copilot_analytics.protocols import FrameAdapter, JsonAdapter
from copilot_analytics.protocols.omnitrack import OmnitrackAdapter
from copilot_analytics.protocols.signals import Skipped, SkipReason
from copilot_analytics.testing import FakeClock
from copilot_analytics.tracking import ConnectionTracker

DOCUMENT = (Path(__file__).parents[2] / "docs" / "protocols.md").read_text()


def block(language: str) -> str:
    found = re.search(rf"^```{language}\n(.*?)^```", DOCUMENT, flags=re.MULTILINE | re.DOTALL)
    assert found
    return found[1]


def recorded(adapter: FrameAdapter, frames: list[tuple[str, str]]) -> list[tuple[str, Any]]:
    """Return what is recorded between connecting and disconnecting."""
    events: list[tuple[str, Any]] = []
    tracker = ConnectionTracker(
        adapter,
        lambda observed: events.append((observed.event_type, observed.metadata)),
        clock=FakeClock(),
        connection_id="k",
        resolve_user=lambda: "ada",
    )
    tracker.opened()
    for sender, text in frames:
        if sender == "client":
            tracker.client_frame(text)
        elif not tracker.is_content(text):
            tracker.server_frame(text)
    tracker.closed(1000)
    return events[1:-1]


@pytest.mark.parametrize("row", re.findall(r"^\| (`.*?) \|", DOCUMENT, flags=re.MULTILINE))
def test_every_frame_of_the_table_is_known(row: str) -> None:
    for frame_type in re.findall(r"`(\w+)`", row):
        signals = OmnitrackAdapter().server_frame(json.dumps({"type": frame_type}))
        assert Skipped(SkipReason.UNKNOWN) not in signals


def test_the_table_of_rules_records_a_conversation() -> None:
    frames: list[tuple[str, dict[str, Any]]] = [
        ("client", {"op": "ask", "thread": "t", "body": {"text": "Where is it?"}}),
        ("server", {"op": "tool", "tool": "track", "result": {"ms": 8}}),
        ("server", {"op": "delta", "text": "On "}),
        ("server", {"op": "delta", "text": "its way."}),
        ("server", {"op": "hello"}),
        (
            "server",
            {
                "op": "done",
                "thread": "t",
                "result": {"intent": "track-order"},
                "usage": {"output": 5, "models": [{"name": "m-1"}]},
            },
        ),
        ("client", {"op": "ask", "thread": "t", "body": {"text": "Stop it"}}),
        ("server", {"op": "tool", "tool": "stop", "result": {"error": {"code": "TooLate"}}}),
    ]

    events = recorded(
        JsonAdapter(json.loads(block("json"))),
        [(sender, json.dumps(frame)) for sender, frame in frames],
    )

    told = [
        (event, {name: value for name, value in metadata.items() if not name.endswith("_ms")})
        for event, metadata in events
    ]
    for _, metadata in told:
        metadata.pop("message_bytes", None)
    assert told == [
        (EventType.MESSAGE_SENT, {"message_length": 12}),
        (EventType.ACTION_EXECUTED, {"command_name": "track", "success": True}),
        (EventType.STREAMING_STARTED, {}),
        (
            EventType.STREAMING_COMPLETED,
            {"chunk_count": 2, "end_reason": "completed", "token_count": 5, "model": "m-1"},
        ),
        (EventType.INTENT_CLASSIFIED, {"intent": "track-order"}),
        (EventType.MESSAGE_SENT, {"message_length": 7}),
        (
            EventType.ACTION_FAILED,
            {"command_name": "stop", "success": False, "error_type": "TooLate"},
        ),
    ]


def test_the_adapter_written_as_code_records_a_conversation() -> None:
    namespace: dict[str, Any] = {}
    exec(compile(block("python"), "docs/protocols.md", "exec"), namespace)
    adapter: FrameAdapter = namespace["LineAdapter"]()

    frames = [("client", "hello"), ("server", "hi "), ("server", "there"), ("server", "")]
    events = [event for event, _ in recorded(adapter, frames)]

    assert adapter.content_prefix("hi ") is None
    assert events == [
        EventType.MESSAGE_SENT,
        EventType.STREAMING_STARTED,
        EventType.STREAMING_COMPLETED,
    ]
