"""Protocols that are described by a table of rules."""

from __future__ import annotations

import doctest
import json
from pathlib import Path
from typing import Any

import pytest

from copilot_analytics.errors import ConfigurationError, RuleError
from copilot_analytics.events import EndReason
from copilot_analytics.protocols import KNOWN, JsonAdapter, adapter_named
from copilot_analytics.protocols import json as json_module
from copilot_analytics.protocols.omnitrack import OmnitrackAdapter
from copilot_analytics.protocols.signals import (
    Action,
    Clarification,
    ConnectionNamed,
    ErrorReported,
    Intent,
    MultiStepEnd,
    Queued,
    Signal,
    Skipped,
    SkipReason,
    Step,
    StreamContent,
    StreamEnd,
    StreamStart,
    TurnEnd,
    Usage,
    UserMessage,
)

Frame = dict[str, Any]
Rule = dict[str, Any]

INTENT = {"intent": "metadata.intent", "confidence": "metadata.confidence"}
ACTION = {**INTENT, "command_name": "metadata.intent", "execution_ms": "metadata.executionTime"}


def told(rule: Rule, frame: Frame) -> list[Signal]:
    """Return what one rule for the server's frames tells of one frame."""
    adapter = JsonAdapter([{"direction": "server", "match": {}, **rule}])
    return list(adapter.server_frame(json.dumps(frame)))


# --- the default protocol, written as a table -----------------------------------------------------


def from_server(frame_type: str, event: str, **rest: Any) -> Rule:
    match = {"type": frame_type, **rest.pop("match", {})}
    conversation = rest.pop("conversation", "conversationId")
    return {
        "direction": "server",
        "match": match,
        "event": event,
        "conversation": conversation,
        **rest,
    }


OMNITRACK: list[Rule] = [
    {
        "direction": "client",
        "match": {"action": "message"},
        "event": "MESSAGE_SENT",
        "set": {"message_length": "message", "streaming": "streaming"},
        "conversation": "conversationId",
        "user": "context.userId",
    },
    {"direction": "client", "match": {"action": "disconnect"}, "event": "ignore"},
    {"direction": "client", "match": {"type": "pong"}, "event": "ignore"},
    from_server("connected", "connection", set={"connection_id": "connectionId"}),
    from_server("acknowledgment", "ignore"),
    from_server(
        "message",
        "CLARIFICATION_REQUESTED",
        match={"metadata.requiresClarification": True},
        set=INTENT,
    ),
    from_server("message", "ACTION_EXECUTED", match={"metadata.actionSuccess": True}, set=ACTION),
    from_server("message", "ACTION_FAILED", match={"metadata.actionSuccess": False}, set=ACTION),
    from_server(
        "message",
        "INTENT_CLASSIFIED",
        match={"metadata.intent": {"present": True}},
        set=INTENT,
        turn="ends",
    ),
    from_server("message", "ignore", turn="ends"),
    from_server("stream_start", "STREAMING_STARTED", set=INTENT),
    from_server("stream_token", "first_content", conversation=None),
    from_server(
        "stream_complete", "STREAMING_COMPLETED", set={"token_count": "metadata.tokenCount"}
    ),
    from_server(
        "stream_interrupted",
        "STREAMING_INTERRUPTED",
        set={"error_message": "error", "partial_length": "partialResponse"},
    ),
    from_server(
        "stream",
        "first_content",
        match={"isComplete": {"present": False}},
        set=INTENT,
        starts_stream=True,
    ),
    from_server(
        "request_queued",
        "queued",
        set={
            "queue_position": "position",
            "queue_total": "totalInQueue",
            "queue_wait_ms": "estimatedWaitTime",
        },
    ),
    from_server(
        "error",
        "ERROR_OCCURRED",
        set={
            "error_type": "code",
            "error_message": "error",
            "retryable": "retryable",
            "correlation_id": "correlationId",
        },
    ),
    from_server("multi_step_start", "MULTI_STEP_STARTED", set={"steps_total": "totalSteps"}),
    from_server(
        "multi_step_progress",
        "ACTION_EXECUTED",
        match={"success": True},
        set={"step_number": "stepNumber", "command_name": "intent"},
    ),
    from_server(
        "multi_step_progress",
        "ACTION_FAILED",
        match={"success": False},
        set={"step_number": "stepNumber", "command_name": "intent"},
    ),
    from_server(
        "multi_step_complete", "MULTI_STEP_COMPLETED", set={"steps_completed": "stepsExecuted"}
    ),
    from_server(
        "multi_step_failed",
        "MULTI_STEP_FAILED",
        set={"step_number": "stepNumber", "error_message": "error"},
    ),
]
META = {"intent": "add", "confidence": 0.9}

CLIENT_FRAMES: list[Frame] = [
    {"action": "message", "message": "Grüße", "conversationId": "c", "streaming": True},
    {"action": "message", "message": "", "context": {"userId": "u"}},
    {"action": "disconnect"},
    {"type": "pong", "timestamp": 1},
    {"action": "dance"},
]
SERVER_FRAMES: list[Frame] = [
    {"type": "connected", "connectionId": "k"},
    {"type": "connected"},
    {"type": "acknowledgment"},
    {"type": "message", "content": "Hi", "conversationId": "c"},
    {"type": "message", "content": "Hi", "metadata": META},
    {"type": "message", "metadata": {**META, "requiresClarification": True}},
    {"type": "message", "metadata": {**META, "actionSuccess": True, "executionTime": 2.5}},
    {"type": "message", "conversationId": "c", "metadata": {"actionSuccess": False}},
    {"type": "stream_start", "conversationId": "c", "metadata": META},
    {"type": "stream_start"},
    {"type": "stream_token", "token": "x"},
    {"type": "stream_complete", "metadata": {"tokenCount": 5}},
    {"type": "stream_interrupted", "error": "lost", "partialResponse": "Dear"},
    {"type": "stream", "token": "x", "metadata": META, "conversationId": "c"},
    {"type": "request_queued", "position": 2, "totalInQueue": 3, "estimatedWaitTime": 400.0},
    {"type": "error", "error": "boom", "code": "X", "retryable": False, "correlationId": "k"},
    {"type": "error", "error": "boom", "code": 429},
    {"type": "error", "error": "boom"},
    {"type": "multi_step_start", "totalSteps": 2, "conversationId": "c"},
    {"type": "multi_step_progress", "stepNumber": 1, "intent": "find", "success": True},
    {"type": "multi_step_progress", "stepNumber": 2, "intent": "find", "success": False},
    {"type": "multi_step_complete", "stepsExecuted": 2},
    {"type": "multi_step_failed", "stepNumber": 2, "error": "no stock"},
    {"type": "novelty"},
]
TABLE = JsonAdapter(OMNITRACK)
CODE = OmnitrackAdapter()


@pytest.mark.parametrize("frame", CLIENT_FRAMES)
def test_table_tells_of_client_frames_what_the_code_tells(frame: Frame) -> None:
    text = json.dumps(frame)

    assert list(TABLE.client_frame(text)) == list(CODE.client_frame(text))
    assert list(TABLE.client_frame(text.encode())) == list(CODE.client_frame(text))


@pytest.mark.parametrize("frame", SERVER_FRAMES)
def test_table_tells_of_server_frames_what_the_code_tells(frame: Frame) -> None:
    text = json.dumps(frame)

    assert list(TABLE.server_frame(text)) == list(CODE.server_frame(text))
    assert TABLE.content_prefix(text) == CODE.content_prefix(text)


@pytest.mark.parametrize("text", ["", "[]", "7", '"x"', '{"a"', b"\xff", "\ud800"])
def test_what_is_no_object_is_skipped(text: str | bytes) -> None:
    assert TABLE.client_frame(text) == (Skipped(SkipReason.MALFORMED),)
    assert TABLE.server_frame(text) == (Skipped(SkipReason.MALFORMED),)


# --- what rules can say ---------------------------------------------------------------------------


def test_documented_example_runs() -> None:
    assert doctest.testmod(json_module).failed == 0


def test_first_rule_that_matches_wins() -> None:
    adapter = JsonAdapter(
        [
            {"direction": "server", "match": {"a": 1, "b": None}, "event": "ignore"},
            {"direction": "server", "match": {"a": 1}, "event": "first_content"},
            {"direction": "server", "match": {}, "event": "STREAMING_STARTED"},
        ]
    )

    assert list(adapter.server_frame('{"a": 1, "b": null}')) == []
    assert list(adapter.server_frame('{"a": 1}')) == [StreamContent()]
    assert list(adapter.server_frame('{"a": true}')) == [StreamStart()]
    assert list(adapter.server_frame('{"a": 1.0, "b": 0}')) == [StreamContent()]
    assert list(adapter.client_frame('{"a": 1}')) == [Skipped(SkipReason.UNKNOWN)]


def test_paths_reach_into_objects_and_arrays() -> None:
    rule = {
        "match": {"choices[0].delta": {"present": True}, "choices[1]": {"present": False}},
        "event": "usage",
        "set": {"model": "meta.models[1].name", "input_tokens": "usage.in"},
    }
    frame = {
        "choices": [{"delta": None}],
        "meta": {"models": [{}, {"name": "m-2"}]},
        "usage": {"in": 7},
    }

    assert told(rule, frame) == [Usage({"model": "m-2", "input_tokens": 7})]
    assert told(rule, {**frame, "meta": {"models": {"1": "x"}}}) == [Usage({"input_tokens": 7})]
    assert told(rule, {**frame, "choices": "text"}) == [Skipped(SkipReason.UNKNOWN)]


def test_further_metadata_goes_along() -> None:
    rule = {
        "event": "ACTION_EXECUTED",
        "set": {"command_name": {"value": "search"}, "model": "m", "cost": "usd", "variant": "v"},
        "turn": "goes_on",
    }

    assert told(rule, {"m": "m-1", "usd": 0.25, "v": "B"}) == [
        Action(True, "search", extra={"model": "m-1", "cost": 0.25, "variant": "B"})
    ]


def test_values_of_another_kind_count_as_absent() -> None:
    rule = {
        "event": "ACTION_FAILED",
        "set": {
            "command_name": "name",
            "execution_ms": "ms",
            "output_tokens": "tokens",
            "error_type": "code",
            "error_message": "text",
        },
    }
    frame = {"name": ["x"], "ms": True, "tokens": "many", "code": 10**30, "text": {}}

    assert told(rule, frame) == [Action(False), TurnEnd()]


def test_lengths_are_taken_of_texts_or_as_given() -> None:
    rule = {"event": "STREAMING_INTERRUPTED", "set": {"partial_length": "partial"}}

    assert told(rule, {"partial": "Grüße 🤖"})[0] == StreamEnd(
        EndReason.INTERRUPTED, partial_length=7
    )
    assert told(rule, {"partial": 7})[0] == StreamEnd(EndReason.INTERRUPTED, partial_length=7)


def test_end_reasons_come_from_the_frame_if_known() -> None:
    rule = {"event": "STREAMING_COMPLETED", "set": {"end_reason": "why"}}

    assert told(rule, {"why": "max_tokens"})[0] == StreamEnd(EndReason.MAX_TOKENS)
    assert told(rule, {"why": "tired"})[0] == StreamEnd()
    assert told(rule, {"why": ["max_tokens"]})[0] == StreamEnd()


def test_a_client_that_stops_a_stream_cancels_it() -> None:
    adapter = JsonAdapter(
        [{"direction": "client", "match": {"op": "stop"}, "event": "STREAMING_INTERRUPTED"}]
    )

    assert list(adapter.client_frame('{"op": "stop"}')) == [
        StreamEnd(EndReason.CANCELLED),
        TurnEnd(),
    ]


def test_what_was_understood_comes_before_what_was_done() -> None:
    intent = {"intent": "i", "confidence": "p"}
    frame = {"i": "add", "p": 0.5}

    assert told({"event": "ACTION_EXECUTED", "set": intent}, frame) == [
        Intent("add", 0.5),
        Action(True),
        TurnEnd(),
    ]
    assert told({"event": "CLARIFICATION_REQUESTED", "set": intent}, frame) == [
        Intent("add", 0.5),
        Clarification("add", 0.5),
        TurnEnd(),
    ]
    assert told({"event": "STREAMING_COMPLETED", "set": intent}, frame) == [
        StreamEnd(),
        Intent("add", 0.5),
        TurnEnd(),
    ]
    assert told({"event": "INTENT_CLASSIFIED", "set": intent}, frame) == [Intent("add", 0.5)]


def test_a_rule_says_what_becomes_of_the_turn() -> None:
    assert told({"event": "ACTION_EXECUTED", "turn": "may_end"}, {}) == [
        Action(True),
        TurnEnd(tentative=True),
    ]
    assert told({"event": "ignore", "turn": "ends", "conversation": "c"}, {"c": 7}) == [
        TurnEnd(conversation_id="7")
    ]
    assert told({"event": "MULTI_STEP_COMPLETED"}, {}) == [MultiStepEnd(), TurnEnd(tentative=True)]


def test_signals_that_lack_what_they_are_about_are_skipped() -> None:
    assert told({"event": "INTENT_CLASSIFIED", "set": {"intent": "i"}}, {"i": ""}) == [
        Skipped(SkipReason.INVALID)
    ]
    assert told({"event": "connection", "set": {"connection_id": "k"}}, {}) == [
        Skipped(SkipReason.INVALID)
    ]


def test_other_events_than_event_types() -> None:
    assert told({"event": "connection", "set": {"connection_id": "k"}}, {"k": "k1"}) == [
        ConnectionNamed("k1")
    ]
    assert told({"event": "queued", "set": {"queue_position": "at"}}, {"at": 2}) == [Queued(2)]
    assert told({"event": "ERROR_OCCURRED"}, {}) == [ErrorReported(), TurnEnd()]
    assert told({"event": "MESSAGE_SENT"}, {}) == [UserMessage(None, 2)]
    assert told({"event": "ACTION_EXECUTED", "set": {"step_number": "n"}}, {"n": 2}) == [
        Step(True, 2)
    ]


# --- content by its start -------------------------------------------------------------------------


def prefix_of(rules: list[Rule], frame: Frame) -> str | None:
    text = json.dumps(frame)
    return JsonAdapter([{"direction": "server", **rule} for rule in rules]).content_prefix(text)


CONTENT: Rule = {"match": {"type": "delta"}, "event": "first_content"}


@pytest.mark.parametrize(
    ("rules", "prefix"),
    [
        ([CONTENT], '{"type": "delta"'),
        ([{**CONTENT, "starts_stream": True}], '{"type": "delta"'),
        ([{"match": {"type": "end"}, "event": "STREAMING_COMPLETED"}, CONTENT], '{"type": "delta"'),
        ([{"match": {"last": True}, "event": "STREAMING_COMPLETED"}, CONTENT], None),
        ([{"match": {"type": {"present": True}}, "event": "ignore"}, CONTENT], None),
        ([{**CONTENT, "match": {"type": "delta", "last": False}}], None),
        ([{**CONTENT, "match": {"meta.type": "delta"}}], None),
        ([{**CONTENT, "match": {"type": {"present": True}}}], None),
        ([{**CONTENT, "conversation": "thread"}], None),
        ([{**CONTENT, "turn": "ends"}], None),
        ([{**CONTENT, "starts_stream": True, "set": {"intent": "i"}}], None),
        ([{"match": {}, "event": "ignore"}], None),
    ],
)
def test_prefix_only_where_it_decides_alone(rules: list[Rule], prefix: str | None) -> None:
    assert prefix_of(rules, {"type": "delta", "text": "x"}) == prefix


def test_prefix_only_where_it_comes_first() -> None:
    assert prefix_of([CONTENT], {"text": "x", "type": "delta"}) is None


# --- rules that cannot be used --------------------------------------------------------------------

MESSAGE: Rule = {"direction": "client", "match": {}, "event": "MESSAGE_SENT"}


@pytest.mark.parametrize(
    ("change", "remedy"),
    [
        ({"direction": "up"}, "Invalid enum value 'up'"),
        ({"match": ["type"]}, "Expected `object`"),
        ({"match": {"a": [1]}}, "got `array`"),
        ({"match": {"a": {"presnt": True}}}, "unknown field `presnt`"),
        ({"match": {"a..b": 1}}, "'a..b' is no path"),
        ({"match": {"": 1}}, "'' is no path"),
        ({"match": {"a[x]": 1}}, "'a[x]' is no path"),
        ({"event": "MESSAGE_SEND"}, "event is one of MESSAGE_SENT, INTENT_CLASSIFIED"),
        ({"event": "WEBSOCKET_CONNECTED"}, "comes from the socket itself"),
        ({"set": {"message_length": 7}}, "Expected `str | object`"),
        ({"set": {"text": "message"}}, "set cannot name 'text'; for MESSAGE_SENT it may name"),
        ({"set": {"message_bytes": "n"}}, "set cannot name 'message_bytes'"),
        ({"set": {"streaming": "["}}, "'[' is no path"),
        ({"set": {"streaming": {"value": "yes"}}}, "'yes' is no flag for 'streaming'"),
        ({"event": "ignore", "set": {"intent": "i"}}, "for ignore it may name nothing"),
        ({"event": "INTENT_CLASSIFIED"}, "set has to name 'intent'"),
        ({"event": "connection"}, "set has to name 'connection_id'"),
        ({"event": "ignore", "user": "u"}, "user is for MESSAGE_SENT"),
        ({"starts_stream": True}, "starts_stream is for first_content"),
        ({"conversation": "a b[-1]"}, "is no path"),
        ({"turn": "over"}, "Invalid enum value 'over'"),
        ({"events": "ignore"}, "unknown field `events`"),
    ],
)
def test_rule_that_cannot_be_used_says_which_and_why(change: Rule, remedy: str) -> None:
    with pytest.raises(RuleError) as caught:
        JsonAdapter([MESSAGE, {**MESSAGE, **change}])

    assert caught.value.index == 1
    assert str(caught.value).startswith("rules[1] cannot be ")
    assert remedy in str(caught.value)


def test_rule_lacks_its_event() -> None:
    with pytest.raises(RuleError, match="missing required field `event`"):
        JsonAdapter([{"direction": "client", "match": {}}])


# --- by name and from files -----------------------------------------------------------------------


def test_adapters_by_name(tmp_path: Path) -> None:
    path = tmp_path / "rules.json"
    path.write_text(json.dumps([MESSAGE]))

    assert isinstance(adapter_named("omnitrack"), OmnitrackAdapter)
    assert all(adapter_named(name).name == name for name in KNOWN)
    assert list(adapter_named(f"json:{path}").client_frame("{}")) == [UserMessage(None, 2)]
    assert JsonAdapter.from_file(path, name="mine").name == "mine"


@pytest.mark.parametrize("name", ["", "Omnitrack", "json", "yaml:x"])
def test_unknown_name_says_which_are_known(name: str) -> None:
    with pytest.raises(ConfigurationError, match="the known ones are omnitrack and json:FILE"):
        adapter_named(name)


@pytest.mark.parametrize("content", [None, "", "{}", "[1]", "not json"])
def test_file_without_rules_says_so(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "rules.json"
    if content is not None:
        path.write_text(content)

    with pytest.raises(ConfigurationError, match="give a JSON file with an array of rules"):
        adapter_named(f"json:{path}")


def test_rule_at_fault_in_a_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "rules.json"
    path.write_text('[{"direction": "client", "match": {}, "event": "nothing"}]')

    with pytest.raises(RuleError, match=r"rules\[0\] cannot be .*: event is one of"):
        adapter_named(f"json:{path}")
