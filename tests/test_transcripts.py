"""Conversations written by hand leave the events that were written beside them.

`transcripts/README.md` says how they are written.
"""

from __future__ import annotations

import builtins
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from copilot_analytics.events import ALL_METADATA_KEYS, METADATA_KEYS, EventType, Observation
from copilot_analytics.protocols.omnitrack import OmnitrackAdapter
from copilot_analytics.testing import FakeClock
from copilot_analytics.tracking import ConnectionTracker

Frame = dict[str, Any] | str
Event = dict[str, Any]
Encode = Callable[[Frame], str | bytes]

MADE_UP_ID = "made-up"
LEFT_OUT = ("adapter", "message_bytes")


class Raised(msgspec.Struct, forbid_unknown_fields=True):
    type: str
    message: str


class Step(msgspec.Struct, forbid_unknown_fields=True):
    at_ms: int
    client: Frame | None = None
    server: Frame | None = None
    raises: Raised | None = None
    closes: int | None = None


class Expected(msgspec.Struct, forbid_unknown_fields=True):
    at_ms: int
    type: EventType
    metadata: dict[str, Any]
    conversation_id: str | None = None


class Transcript(msgspec.Struct, forbid_unknown_fields=True):
    about: str
    user: str | None
    connection_id: str | None
    skipped: dict[str, int]
    steps: list[Step]
    events: list[Expected]


FOLDER = Path(__file__).parent / "transcripts"
TRANSCRIPTS = {
    path.stem: msgspec.json.decode(path.read_bytes(), type=Transcript)
    for path in sorted(FOLDER.glob("*.json"))
}


def spaced(frame: Frame) -> str:
    return frame if isinstance(frame, str) else json.dumps(frame)


def compact(frame: Frame) -> str:
    if isinstance(frame, str):
        return frame
    return json.dumps(frame, separators=(",", ":"), ensure_ascii=False)


def turned(frame: Frame) -> str:
    return spaced(frame if isinstance(frame, str) else dict(reversed(frame.items())))


def binary(frame: Frame) -> bytes:
    return spaced(frame).encode()


def play(transcript: Transcript, encode: Encode) -> tuple[list[Observation], Counter[str]]:
    """Return what is observed of a transcript, and what was skipped."""
    clock = FakeClock()
    observed: list[Observation] = []
    skipped: Counter[str] = Counter()
    tracker = ConnectionTracker(
        OmnitrackAdapter(),
        observed.append,
        clock=clock,
        connection_id=MADE_UP_ID,
        resolve_user=lambda: transcript.user,
        skipped=skipped,
    )
    tracker.opened()
    for step in transcript.steps:
        clock.advance(step.at_ms - clock.monotonic_ms())
        if step.client is not None:
            tracker.client_frame(encode(step.client))
        elif step.server is not None:
            data = encode(step.server)
            if isinstance(data, bytes) or not tracker.is_content(data):
                tracker.server_frame(data)
        elif step.raises is not None:
            tracker.failed(getattr(builtins, step.raises.type)(step.raises.message))
        else:
            tracker.closed(step.closes)
    return observed, skipped


def named(fault_ids: dict[str, str], metadata: dict[str, Any]) -> dict[str, Any]:
    """Return metadata with each fault's id replaced by a letter, in order of appearance."""
    named = {key: value for key, value in metadata.items() if key not in LEFT_OUT}
    if "fault_id" in named:
        letter = chr(ord("a") + len(fault_ids))
        named["fault_id"] = fault_ids.setdefault(named["fault_id"], f"<{letter}>")
    return named


def comparable(observed: list[Observation], start_ms: int) -> list[Event]:
    fault_ids: dict[str, str] = {}
    return [
        {
            "at_ms": event.timestamp - start_ms,
            "type": event.event_type,
            "conversation_id": event.conversation_id,
            "metadata": named(fault_ids, event.metadata),
        }
        for event in observed
    ]


@pytest.mark.parametrize("encode", [spaced, compact, turned, binary])
@pytest.mark.parametrize("name", TRANSCRIPTS)
def test_transcript_leaves_its_events(name: str, encode: Encode) -> None:
    transcript = TRANSCRIPTS[name]

    observed, skipped = play(transcript, encode)

    expected = [msgspec.structs.asdict(event) for event in transcript.events]
    events = comparable(observed, FakeClock().now_ms())
    for event, written in zip(events, expected, strict=False):
        assert event == written
    assert len(events) == len(expected)
    assert skipped == transcript.skipped


@pytest.mark.parametrize("name", TRANSCRIPTS)
def test_all_events_carry_the_connection_and_the_user(name: str) -> None:
    transcript = TRANSCRIPTS[name]

    observed, _ = play(transcript, spaced)

    user_id = transcript.user or f"anonymous:{MADE_UP_ID}"
    assert {event.connection_id for event in observed} == {transcript.connection_id or MADE_UP_ID}
    assert {event.user_id for event in observed} == {user_id}


@pytest.mark.parametrize("name", TRANSCRIPTS)
def test_no_text_of_the_conversation_is_observed(name: str) -> None:
    transcript = TRANSCRIPTS[name]

    observed, _ = play(transcript, spaced)

    texts = [
        text
        for step in transcript.steps
        for frame in (step.client, step.server)
        if isinstance(frame, dict)
        for key in ("message", "content", "token", "partialResponse", "text")
        if len(text := frame.get(key) or "") > 6
    ]
    told = repr(observed)
    assert texts
    assert not [text for text in texts if text in told]


@pytest.mark.parametrize("name", TRANSCRIPTS)
def test_only_documented_metadata_is_expected(name: str) -> None:
    for event in TRANSCRIPTS[name].events:
        assert event.metadata.keys() <= METADATA_KEYS[event.type].keys()
        assert event.metadata.keys() <= ALL_METADATA_KEYS.keys() - set(LEFT_OUT)


def test_one_transcript_has_all_event_types() -> None:
    assert {event.type for event in TRANSCRIPTS["all-event-types"].events} == set(EventType)


def test_every_transcript_is_described() -> None:
    described = (FOLDER / "README.md").read_text()

    assert not [name for name in TRANSCRIPTS if f"`{name}.json`" not in described]
