"""No frame raises, none is kept, and what a start is said to tell is true."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from copilot_analytics.protocols import FrameAdapter, JsonAdapter
from copilot_analytics.protocols.omnitrack import OmnitrackAdapter
from copilot_analytics.protocols.signals import (
    Signal,
    StreamContent,
)

TYPES = [
    "acknowledgment",
    "complete",
    "connected",
    "error",
    "message",
    "multi_step_complete",
    "multi_step_failed",
    "multi_step_progress",
    "multi_step_start",
    "ping",
    "pong",
    "request_queued",
    "stream",
    "stream_complete",
    "stream_interrupted",
    "stream_start",
    "stream_token",
    "suggestions",
    "typing",
]
FIELDS = [
    "action",
    "message",
    "content",
    "conversationId",
    "metadata",
    "token",
    "isComplete",
    "error",
    "code",
    "retryable",
    "correlationId",
    "partialResponse",
    "connectionId",
    "position",
    "totalInQueue",
    "estimatedWaitTime",
    "totalSteps",
    "stepNumber",
    "stepsExecuted",
    "intent",
    "success",
    "streaming",
    "context",
]
METADATA = [
    "intent",
    "confidence",
    "actionSuccess",
    "executionTime",
    "requiresClarification",
    "tokenCount",
    "tokensUsed",
    "stepsExecuted",
    "userId",
    "conversationId",
]

RULES: list[dict[str, object]] = [
    {
        "direction": "client",
        "match": {"action": "message"},
        "event": "MESSAGE_SENT",
        "set": {"message_length": "message", "streaming": "streaming"},
        "conversation": "conversationId",
        "user": "context.userId",
    },
    {
        "direction": "server",
        "match": {"type": "message", "metadata.actionSuccess": True},
        "event": "ACTION_EXECUTED",
        "set": {
            "intent": "metadata.intent",
            "confidence": "metadata.confidence",
            "execution_ms": "metadata.executionTime",
            "output_tokens": "metadata.tokensUsed",
            "step_number": "stepNumber",
        },
    },
    {
        "direction": "server",
        "match": {"type": "error"},
        "event": "ERROR_OCCURRED",
        "set": {"error_type": "code", "error_message": "error", "retryable": "retryable"},
    },
    {
        "direction": "server",
        "match": {"type": "stream_interrupted"},
        "event": "STREAMING_INTERRUPTED",
        "set": {"end_reason": "code", "partial_length": "partialResponse"},
    },
    {"direction": "server", "match": {"type": "stream_token"}, "event": "first_content"},
    {
        "direction": "server",
        "match": {"type": "stream", "isComplete": {"present": False}},
        "event": "first_content",
        "set": {"intent": "metadata.intent"},
        "starts_stream": True,
    },
    {"direction": "server", "match": {"type": {"present": True}}, "event": "ignore"},
]
ADAPTERS: list[FrameAdapter] = [OmnitrackAdapter(), JsonAdapter(RULES)]

anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=10**300, max_value=10**310)
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["\ud800", "completed", "closed"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=3,
)
metadata = st.dictionaries(st.sampled_from(METADATA), anything, max_size=6)
frames = st.builds(
    lambda kind, rest, more, context: {**kind, **rest, **more, **context},
    st.fixed_dictionaries({}, optional={"type": st.sampled_from(TYPES) | anything}),
    st.dictionaries(st.sampled_from(FIELDS), anything, max_size=6),
    st.fixed_dictionaries({}, optional={"metadata": metadata, "context": metadata}),
    st.fixed_dictionaries({}, optional={"action": st.sampled_from(["message", "disconnect"])}),
)
texts = st.builds(
    lambda frame, ascii_only, separators: json.dumps(
        frame, ensure_ascii=ascii_only, separators=separators
    ),
    frames | anything,
    st.booleans(),
    st.sampled_from([(",", ":"), (", ", ": ")]),
)


def check_signals(signals: Sequence[Signal]) -> None:
    """What signals hold is of the types that they promise, whatever the frame held."""
    for signal in signals:
        for field in signal.__struct_fields__:
            value = getattr(signal, field)
            if field in ("conversation_id", "claimed_user_id", "error_message", "command_name"):
                assert value is None or (isinstance(value, str) and value)
            elif field in ("execution_ms", "confidence", "wait_ms"):
                assert value is None or type(value) in (int, float)
            elif field in ("length", "total", "number", "token_count", "partial_length"):
                assert value is None or type(value) is int


@pytest.mark.parametrize("adapter", ADAPTERS, ids=lambda adapter: adapter.name)
@settings(deadline=None, max_examples=100)
@given(texts)
@example('{"type": "error", "code": ' + "9" * 5_000 + "}")
@example('{"type": "error", "code": -' + "9" * 30 + "}")
@example('{"type": "message", "metadata": {"executionTime": 1e999}}')
@example('{"type": "message", "metadata": {"tokensUsed": 1.5, "actionSuccess": true}}')
def test_json_never_raises(adapter: FrameAdapter, text: str) -> None:
    check_signals(adapter.client_frame(text))
    check_signals(adapter.server_frame(text))
    adapter.content_prefix(text)
    data = text.encode("utf-8", "surrogatepass")
    check_signals(adapter.client_frame(data))
    check_signals(adapter.server_frame(data))


@pytest.mark.parametrize("adapter", ADAPTERS, ids=lambda adapter: adapter.name)
@settings(deadline=None, max_examples=100)
@given(st.binary() | st.text() | st.text(alphabet='{}[]":,tye0 \\u'))
def test_noise_never_raises(adapter: FrameAdapter, data: bytes | str) -> None:
    check_signals(adapter.client_frame(data))
    check_signals(adapter.server_frame(data))
    adapter.content_prefix(data)


@pytest.mark.parametrize("adapter", ADAPTERS, ids=lambda adapter: adapter.name)
@pytest.mark.parametrize("opening", ["[", '{"a":', '{"type":"ping","x":['])
def test_nesting_without_end_never_raises(adapter: FrameAdapter, opening: str) -> None:
    for depth in (1_000, 60_000, 2_000_000):
        adapter.client_frame(opening * depth)
        adapter.server_frame(opening * depth)


# --- soundness of the start ---------------------------------------------------------------------


@pytest.mark.parametrize("adapter", ADAPTERS, ids=lambda adapter: adapter.name)
@settings(deadline=None, max_examples=100)
@given(
    content=st.builds(
        lambda first, rest: json.dumps({**first, **rest}),
        st.sampled_from([{"type": "stream_token"}, {"type": "stream"}]),
        st.dictionaries(st.sampled_from(FIELDS), anything, max_size=2),
    ),
    other=frames,
)
def test_no_other_frame_starts_like_content(
    adapter: FrameAdapter, content: str, other: dict[str, Any]
) -> None:
    prefix = adapter.content_prefix(content)
    if prefix is None:
        return
    for text in (json.dumps(other), json.dumps({"type": "stream_token", **other})):
        if text.startswith(prefix):
            kinds = [type(signal) for signal in adapter.server_frame(text)]
            assert kinds == [StreamContent]


def test_plain_content_can_be_told_by_its_start() -> None:
    text = '{"type": "stream_token", "token": "a"}'

    for adapter in ADAPTERS:
        assert adapter.content_prefix(text) == '{"type": "stream_token"'


# --- privacy ------------------------------------------------------------------------------------


@pytest.mark.parametrize("adapter", ADAPTERS, ids=lambda adapter: adapter.name)
@settings(deadline=None)
@given(
    kind=st.sampled_from(TYPES),
    secret=st.text(alphabet="αβγδε", min_size=12, max_size=40),
)
def test_no_text_of_a_conversation_gets_through(
    adapter: FrameAdapter, kind: str, secret: str
) -> None:
    text_fields = ("message", "content", "token", "partialResponse", "suggestions", "query")
    frame = {
        "action": "message",
        "type": kind,
        **dict.fromkeys(text_fields, secret),
        "metadata": {"prompt": secret, "intent": "i", "actionSuccess": True},
    }

    assert secret not in repr(adapter.client_frame(json.dumps(frame)))
    assert secret not in repr(adapter.server_frame(json.dumps(frame)))
