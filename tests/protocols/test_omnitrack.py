"""The default protocol: every frame of its table, with the fine print, both variants."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from copilot_analytics.events import EndReason
from copilot_analytics.protocols.omnitrack import OmnitrackAdapter
from copilot_analytics.protocols.signals import (
    Action,
    Clarification,
    ConnectionNamed,
    ErrorReported,
    Intent,
    MultiStepEnd,
    MultiStepStart,
    Queued,
    Signal,
    Skipped,
    SkipReason,
    Step,
    StepsReported,
    StreamContent,
    StreamEnd,
    StreamStart,
    TurnEnd,
    UserMessage,
)

ADAPTER = OmnitrackAdapter()
SECRET = "jane.doe@example.com"

Frame = dict[str, Any]


def server(frame: Frame) -> list[Signal]:
    return list(ADAPTER.server_frame(json.dumps(frame)))


def client(frame: Frame) -> list[Signal]:
    return list(ADAPTER.client_frame(json.dumps(frame)))


# --- the client's frames ------------------------------------------------------------------------


def test_message_tells_its_length_and_what_the_client_states() -> None:
    text = json.dumps(
        {
            "action": "message",
            "message": "Grüße 🤖",
            "conversationId": "c1",
            "streaming": True,
            "context": {"userId": "u1", "sessionId": "s1", "conversationId": "c2"},
        },
        ensure_ascii=False,
    )

    assert ADAPTER.client_frame(text) == (UserMessage(7, len(text.encode()), True, "c1", "u1"),)


def test_message_takes_the_conversation_of_its_context() -> None:
    frame = {"action": "message", "message": "", "context": {"conversationId": "c2"}}

    assert client(frame) == [UserMessage(0, len(json.dumps(frame)), conversation_id="c2")]


@pytest.mark.parametrize("escaped", [True, False])
def test_a_code_point_outside_the_basic_plane_counts_once(escaped: bool) -> None:
    text = json.dumps({"action": "message", "message": "🤖"}, ensure_ascii=escaped)
    (signal,) = ADAPTER.client_frame(text)

    assert signal == UserMessage(1, len(text.encode()))


@pytest.mark.parametrize(
    "frame",
    [{"action": "disconnect"}, {"type": "pong"}, {"type": "pong", "timestamp": 1_750_000_000_000}],
)
def test_goodbye_and_heartbeat_tell_nothing(frame: Frame) -> None:
    assert client(frame) == []


# --- the server's frames ------------------------------------------------------------------------

END = TurnEnd()
END_C = TurnEnd(conversation_id="c")
MAY_END = TurnEnd(tentative=True)

TABLE: list[tuple[Frame, list[Signal]]] = [
    ({"type": "connected", "connectionId": "k1"}, [ConnectionNamed("k1")]),
    ({"type": "acknowledgment", "conversationId": "c"}, []),
    ({"type": "typing"}, []),
    ({"type": "suggestions", "suggestions": ["yes"]}, []),
    ({"type": "ping", "timestamp": 1}, []),
    ({"type": "message", "content": SECRET}, [END]),
    (
        {
            "type": "message",
            "content": SECRET,
            "conversationId": "c",
            "metadata": {"intent": "i", "confidence": 0.9},
        },
        [Intent("i", 0.9, "c"), END_C],
    ),
    (
        {
            "type": "message",
            "conversationId": "c",
            "metadata": {
                "intent": "i",
                "confidence": 1,
                "actionSuccess": True,
                "executionTime": 12.5,
            },
        },
        [Intent("i", 1.0, "c"), Action(True, "i", 12.5, "c"), END_C],
    ),
    (
        {"type": "message", "metadata": {"intent": "i", "actionSuccess": False}},
        [Intent("i"), Action(False, "i"), END],
    ),
    ({"type": "message", "metadata": {"actionSuccess": True}}, [Action(True), END]),
    ({"type": "message", "metadata": {"intent": "", "executionTime": 3}}, [END]),
    (
        {
            "type": "message",
            "metadata": {
                "intent": "i",
                "confidence": 0.4,
                "actionSuccess": True,
                "requiresClarification": True,
            },
        },
        [Intent("i", 0.4), Clarification("i", 0.4), END],
    ),
    (
        {"type": "message", "metadata": {"requiresClarification": False, "actionSuccess": True}},
        [Action(True), END],
    ),
    (
        {"type": "message", "metadata": {"actionSuccess": True, "stepsExecuted": 3}},
        [StepsReported(3), Action(True), END],
    ),
    (
        {"type": "message", "metadata": {"actionSuccess": True, "stepsExecuted": 1}},
        [Action(True), END],
    ),
    ({"type": "stream_start"}, [StreamStart()]),
    (
        {
            "type": "stream_start",
            "conversationId": "c",
            "metadata": {"intent": "i", "confidence": 0.8},
        },
        [StreamStart(False, "i", "c"), Intent("i", 0.8, "c")],
    ),
    ({"type": "stream_token", "token": SECRET}, [StreamContent()]),
    ({"type": "stream_token", "token": ""}, [StreamContent()]),
    ({"type": "stream_token", "token": "x", "conversationId": "c"}, [StreamContent("c")]),
    ({"type": "stream_complete"}, [StreamEnd(), END]),
    (
        {
            "type": "stream_complete",
            "conversationId": "c",
            "metadata": {"tokenCount": 50, "actionSuccess": True},
        },
        [StreamEnd(token_count=50, conversation_id="c"), Action(True, conversation_id="c"), END_C],
    ),
    (
        {"type": "stream_complete", "metadata": {"tokenCount": 50, "actionSuccess": False}},
        [StreamEnd(token_count=50), Action(False), END],
    ),
    (
        {"type": "stream_complete", "metadata": {"executionTime": 7}},
        [StreamEnd(), Action(True, None, 7.0), END],
    ),
    (
        {
            "type": "stream_interrupted",
            "conversationId": "c",
            "error": "lost",
            "partialResponse": "Dear 🤖",
        },
        [
            StreamEnd(
                EndReason.INTERRUPTED,
                partial_length=6,
                error_message="lost",
                conversation_id="c",
            ),
            END_C,
        ],
    ),
    ({"type": "stream_interrupted"}, [StreamEnd(EndReason.INTERRUPTED), END]),
    (
        {
            "type": "stream",
            "token": SECRET,
            "isComplete": False,
            "metadata": {"intent": "i", "confidence": 0.7},
        },
        [StreamStart(True, "i"), Intent("i", 0.7), StreamContent()],
    ),
    (
        {"type": "stream", "token": "end.", "isComplete": True},
        [
            StreamStart(True),
            StreamContent(),
            StreamEnd(tentative=True),
            MAY_END,
        ],
    ),
    (
        {"type": "stream", "token": "", "isComplete": True, "conversationId": "c"},
        [
            StreamStart(True, conversation_id="c"),
            StreamEnd(tentative=True, conversation_id="c"),
            TurnEnd(True, "c"),
        ],
    ),
    ({"type": "stream", "token": ""}, [StreamStart(True), StreamContent()]),
    (
        {
            "type": "complete",
            "content": SECRET,
            "metadata": {
                "intent": "i",
                "confidence": 0.7,
                "executionTime": 20,
                "tokensUsed": 12,
            },
            "suggestions": [SECRET],
        },
        [StreamEnd(token_count=12), Intent("i", 0.7), Action(True, "i", 20.0), END],
    ),
    (
        {"type": "complete", "metadata": {"intent": "i", "tokensUsed": 12}},
        [StreamEnd(token_count=12), Intent("i"), END],
    ),
    (
        {
            "type": "request_queued",
            "requestId": "r",
            "position": 2,
            "totalInQueue": 3,
            "estimatedWaitTime": 400,
        },
        [Queued(2, 3, 400.0)],
    ),
    (
        {
            "type": "error",
            "error": "declined",
            "code": "PaymentDeclined",
            "retryable": True,
            "correlationId": "x1",
        },
        [ErrorReported("PaymentDeclined", "declined", True, "x1"), END],
    ),
    ({"type": "error", "error": "boom"}, [ErrorReported("CopilotError", "boom"), END]),
    ({"type": "error", "code": "", "error": ""}, [ErrorReported("CopilotError"), END]),
    (
        {"type": "error", "code": 429, "conversationId": "c"},
        [ErrorReported("429", conversation_id="c"), END_C],
    ),
    ({"type": "multi_step_start", "totalSteps": 3}, [MultiStepStart(3)]),
    (
        {"type": "multi_step_progress", "stepNumber": 1, "intent": "i", "success": True},
        [Step(True, 1, "i")],
    ),
    (
        {"type": "multi_step_progress", "stepNumber": 2, "intent": "i", "success": False},
        [Step(False, 2, "i")],
    ),
    (
        {"type": "multi_step_complete", "stepsExecuted": 3},
        [MultiStepEnd(steps_completed=3), MAY_END],
    ),
    (
        {"type": "multi_step_failed", "stepNumber": 2, "error": "no stock"},
        [MultiStepEnd(EndReason.ERROR, step_number=2, error_message="no stock"), MAY_END],
    ),
]


@pytest.mark.parametrize(("frame", "signals"), TABLE)
def test_server_frame_tells(frame: Frame, signals: list[Signal]) -> None:
    assert server(frame) == signals


@pytest.mark.parametrize(("frame", "signals"), TABLE)
def test_order_spacing_and_encoding_do_not_matter(frame: Frame, signals: list[Signal]) -> None:
    turned = dict(reversed(frame.items()))

    assert list(ADAPTER.server_frame(json.dumps(turned, indent=2))) == signals
    assert list(ADAPTER.server_frame(json.dumps(turned, separators=(",", ":")))) == signals
    assert list(ADAPTER.server_frame(json.dumps(frame, ensure_ascii=False).encode())) == signals


@pytest.mark.parametrize(("frame", "signals"), TABLE)
def test_no_signal_holds_any_text_of_a_message(frame: Frame, signals: list[Signal]) -> None:
    told = msgspec.json.encode(server(frame)).decode()

    assert SECRET not in told
    assert "Dear" not in told


def test_no_signal_holds_any_text_of_the_user() -> None:
    assert SECRET not in repr(client({"action": "message", "message": SECRET}))


# --- what is not as it should be ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", SkipReason.MALFORMED),
        ("hello", SkipReason.MALFORMED),
        ("[1]", SkipReason.MALFORMED),
        ("null", SkipReason.MALFORMED),
        ('{"type": "message"', SkipReason.MALFORMED),
        ('{"type": "message"} x', SkipReason.MALFORMED),
        ("\ud800", SkipReason.MALFORMED),
        (b"\x00\xff\xfe", SkipReason.MALFORMED),
        ('{"type": ' + "[" * 100_000, SkipReason.MALFORMED),
        ('{"type": "ping", "x": ' + "[" * 50_000 + "]" * 50_000 + "}", SkipReason.MALFORMED),
        ("{}", SkipReason.UNKNOWN),
        ('{"type": null}', SkipReason.UNKNOWN),
        ('{"type": 7}', SkipReason.UNKNOWN),
        ('{"type": "MESSAGE"}', SkipReason.UNKNOWN),
        ('{"type": ["message"], "x": NaN}', SkipReason.UNKNOWN),
        ('{"type": "novelty", "metadata": 3}', SkipReason.UNKNOWN),
        ('{"type": "connected"}', SkipReason.INVALID),
        ('{"type": "multi_step_progress", "success": "yes"}', SkipReason.INVALID),
        ('{"type": "message", "metadata": 7, "x": "' + "x" * 100_000 + '"}', SkipReason.INVALID),
    ],
)
def test_server_frame_that_tells_nothing_is_skipped(text: str | bytes, reason: SkipReason) -> None:
    assert ADAPTER.server_frame(text) == (Skipped(reason),)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", SkipReason.MALFORMED),
        ("[]", SkipReason.MALFORMED),
        (b"\x80", SkipReason.MALFORMED),
        ("\udfff", SkipReason.MALFORMED),
        ('{"action": "message", "message": "' + "x" * 100_000, SkipReason.MALFORMED),
        ("{}", SkipReason.UNKNOWN),
        ('{"action": "dance"}', SkipReason.UNKNOWN),
        ('{"type": "message", "message": "hi"}', SkipReason.UNKNOWN),
        ('{"action": "message"}', SkipReason.INVALID),
        ('{"action": "message", "message": {"text": "hi"}}', SkipReason.INVALID),
    ],
)
def test_client_frame_that_tells_nothing_is_skipped(text: str | bytes, reason: SkipReason) -> None:
    assert ADAPTER.client_frame(text) == (Skipped(reason),)


def test_a_lone_surrogate_does_not_hide_a_message() -> None:
    """Browsers escape half of a character that was cut in two; the server still reads it."""
    text = r'{"action": "message", "message": "cut \ud83e"}'
    raw = '{"action": "message", "message": "cut \ud83e"}'

    assert ADAPTER.client_frame(text) == (UserMessage(5, len(text)),)
    assert ADAPTER.client_frame(raw) == (UserMessage(5, len(raw) + 2),)


def test_an_odd_field_costs_only_itself() -> None:
    answer = {
        "type": "message",
        "conversationId": 7,
        "metadata": {"intent": "i", "confidence": "high", "actionSuccess": True},
    }
    error = {"type": "error", "error": {"text": SECRET}, "code": ["x"], "retryable": "no"}
    message = {
        "action": "message",
        "message": "hi",
        "streaming": "yes",
        "conversationId": None,
        "context": {"userId": 5, "conversationId": "c"},
    }

    assert server(answer) == [Intent("i"), Action(True, "i"), END]
    assert server(error) == [ErrorReported(), END]
    assert client(message) == [UserMessage(2, len(json.dumps(message)), conversation_id="c")]
    assert server({"type": "message", "metadata": [1]}) == [END]


def test_not_a_number_is_passed_on_to_be_counted() -> None:
    (intent, _) = ADAPTER.server_frame(
        '{"type": "message", "metadata": {"intent": "i", "confidence": NaN}}'
    )

    assert repr(intent) == repr(Intent("i", float("nan")))


def test_a_message_of_ten_megabytes_is_only_measured() -> None:
    text = "x" * 10_000_000

    assert client({"action": "message", "message": text}) == [
        UserMessage(len(text), len(text) + len(json.dumps({"action": "message", "message": ""})))
    ]


# --- telling content by its start ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "prefix"),
    [
        ('{"type": "stream_token", "token": "a"}', '{"type": "stream_token"'),
        ('{"type":"stream_token","token":"a"}', '{"type":"stream_token"'),
        (' {\n  "type" : "stream_token"\n}', ' {\n  "type" : "stream_token"'),
        ('{"token": "a", "type": "stream_token"}', None),
        ('{"type": "stream", "token": "a", "isComplete": false}', None),
        ('{"type": "stream_complete"}', None),
        (b'{"type": "stream_token", "token": "a"}', None),
    ],
)
def test_content_prefix(text: str | bytes, prefix: str | None) -> None:
    assert ADAPTER.content_prefix(text) == prefix
