"""What a connection's frames become, one rule after the other."""

from __future__ import annotations

import gc
import json
import weakref
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest

from copilot_analytics._guard import Guard
from copilot_analytics.events import EndReason, EventType, Observation
from copilot_analytics.identity import ReconnectDetector
from copilot_analytics.protocols import FrameAdapter
from copilot_analytics.protocols.omnitrack import OmnitrackAdapter
from copilot_analytics.protocols.signals import (
    Action,
    Clarification,
    ErrorReported,
    Intent,
    MultiStepEnd,
    MultiStepStart,
    Queued,
    Signal,
    Step,
    StepsReported,
    StreamContent,
    StreamEnd,
    StreamStart,
    TurnEnd,
    Usage,
    UserMessage,
)
from copilot_analytics.testing import FakeClock
from copilot_analytics.tracking import ConnectionTracker, TrackingOptions

Seen = tuple[EventType, dict[str, Any]]
E = EventType


class Spoken(FrameAdapter):
    """Says whatever a test wants: a frame is the number of its signals."""

    name = "spoken"

    def __init__(self) -> None:
        self.said: list[Sequence[Signal]] = []

    def frame(self, *signals: Signal) -> str:
        self.said.append(signals)
        return f"{len(self.said) - 1}"

    def client_frame(self, data: str | bytes) -> Sequence[Signal]:
        return self.said[int(data)]

    def server_frame(self, data: str | bytes) -> Sequence[Signal]:
        return self.said[int(data)]


class Connection:
    """A tracker, what it recorded, and the time it has."""

    def __init__(self, adapter: FrameAdapter | None = None, **options: Any) -> None:
        self.clock = FakeClock()
        self.recorded: list[Observation] = []
        self.spoken = Spoken()
        self.user: str | None = "user-1"
        self.tracker = ConnectionTracker(
            adapter or self.spoken,
            self.recorded.append,
            clock=self.clock,
            connection_id="made-up",
            resolve_user=lambda: self.user,
            guard=Guard(strict=True),
            **options,
        )

    def says(self, *signals: Signal, after: float = 10) -> None:
        self.clock.advance(after)
        self.tracker.server_frame(self.spoken.frame(*signals))

    def asks(self, conversation_id: str | None = None, after: float = 100, **more: Any) -> None:
        self.clock.advance(after)
        message = UserMessage(5, 40, conversation_id=conversation_id, **more)
        self.tracker.client_frame(self.spoken.frame(message))

    def seen(self, *kinds: EventType) -> list[Seen]:
        return [
            (event.event_type, event.metadata)
            for event in self.recorded
            if not kinds or event.event_type in kinds
        ]

    def types(self) -> list[EventType]:
        return [event.event_type for event in self.recorded]

    def only(self, kind: EventType) -> dict[str, Any]:
        [(_, metadata)] = self.seen(kind)
        return metadata


@pytest.fixture
def connection() -> Connection:
    made = Connection()
    made.tracker.opened()
    return made


class Wire:
    """A connection that speaks the default protocol."""

    def __init__(self, adapter: OmnitrackAdapter | None = None, **options: Any) -> None:
        self.connection = Connection(adapter or OmnitrackAdapter(), **options)
        self.connection.tracker.opened()

    def client(self, **frame: Any) -> None:
        self.connection.clock.advance(100)
        self.connection.tracker.client_frame(json.dumps(frame))

    def server(self, **frame: Any) -> bool:
        """Send a frame as plugins do; say whether it was told by its start to be content."""
        self.connection.clock.advance(10)
        text = json.dumps(frame)
        content = self.connection.tracker.is_content(text)
        if not content:
            self.connection.tracker.server_frame(text)
        return content


# --- the connection -------------------------------------------------------------------------------


def test_connection_is_recorded_from_accept_to_close() -> None:
    connection = Connection()
    connection.tracker.opened(subprotocol="chat.v1")
    connection.asks()
    connection.clock.advance(50)
    connection.tracker.closed(1001)
    assert connection.seen(E.WEBSOCKET_CONNECTED, E.WEBSOCKET_DISCONNECTED) == [
        (
            E.WEBSOCKET_CONNECTED,
            {"adapter": "spoken", "anonymous": False, "subprotocol": "chat.v1"},
        ),
        (
            E.WEBSOCKET_DISCONNECTED,
            {"close_code": 1001, "connection_ms": 150.0, "messages": 1},
        ),
    ]
    assert {event.user_id for event in connection.recorded} == {"user-1"}
    assert {event.connection_id for event in connection.recorded} == {"made-up"}


def test_nothing_is_recorded_before_it_is_opened_nor_of_frames_after_it_is_closed() -> None:
    connection = Connection()
    tracker = connection.tracker
    connection.asks()
    tracker.end_command(tracker.begin_command("early"))
    tracker.end_stream(tracker.begin_stream())
    tracker.failed(ValueError("early"))
    assert connection.recorded == []
    tracker.opened()
    tracker.opened()
    tracker.closed(1000)
    tracker.closed(1006)
    tracker.opened()
    connection.asks()
    connection.says(StreamStart())
    tracker.end_stream(tracker.begin_stream())
    tracker.end_steps(tracker.begin_steps())
    assert connection.types() == [E.WEBSOCKET_CONNECTED, E.WEBSOCKET_DISCONNECTED]


def test_connection_closed_before_it_was_opened_stays_unseen() -> None:
    connection = Connection()
    connection.tracker.closed(1006)
    connection.tracker.opened()
    assert connection.recorded == []


def test_close_without_a_code_has_none(connection: Connection) -> None:
    connection.tracker.closed(None)
    assert "close_code" not in connection.only(E.WEBSOCKET_DISCONNECTED)


def test_nobody_is_anonymous_by_connection() -> None:
    connection = Connection()
    connection.user = None
    connection.tracker.opened()
    connection.tracker.closed(1000)
    assert {event.user_id for event in connection.recorded} == {"anonymous:made-up"}
    assert connection.only(E.WEBSOCKET_CONNECTED)["anonymous"] is True


def test_identifying_changes_later_events_only() -> None:
    connection = Connection(stored_user_id=lambda user_id: f"stored {user_id}")
    connection.user = None
    connection.tracker.opened()
    connection.asks()
    connection.tracker.identify("ada")
    connection.says(Intent("add"))
    assert [event.user_id for event in connection.recorded] == [
        "anonymous:made-up",
        "anonymous:made-up",
        "stored ada",
    ]


def test_identifying_before_accept_wins() -> None:
    connection = Connection()
    connection.tracker.identify("ada")
    connection.tracker.opened()
    assert connection.tracker.user_id == "ada"


@pytest.mark.parametrize(
    ("trusted", "signed_in", "user_id"),
    [
        (True, None, "claimed"),
        (False, None, "anonymous:made-up"),
        (True, "user-1", "user-1"),
    ],
)
def test_ids_that_frames_claim_count_only_where_trusted_and_nobody_is_signed_in(
    trusted: bool, signed_in: str | None, user_id: str
) -> None:
    connection = Connection(options=TrackingOptions(trust_client_identity=trusted))
    connection.user = signed_in
    connection.tracker.opened()
    connection.asks(claimed_user_id="claimed")
    connection.says(Intent("add"))
    assert connection.recorded[-1].user_id == user_id


def test_failing_to_resolve_the_user_leaves_them_anonymous() -> None:
    recorded: list[Observation] = []
    guard = Guard()

    def resolve_user() -> str | None:
        raise LookupError

    tracker = ConnectionTracker(
        Spoken(),
        recorded.append,
        clock=FakeClock(),
        connection_id="made-up",
        resolve_user=resolve_user,
        guard=guard,
    )
    tracker.opened()
    tracker.closed(1000)
    assert {event.user_id for event in recorded} == {"anonymous:made-up"}
    assert guard.errors == {"identity": 1}


def test_user_who_lost_the_connection_comes_back() -> None:
    reconnects = ReconnectDetector()
    flags = []
    for code in (1006, 1000, 1000):
        connection = Connection(reconnects=reconnects)
        connection.tracker.opened()
        connection.tracker.closed(code)
        flags.append(connection.only(E.WEBSOCKET_CONNECTED)["reconnect"])
    assert flags == [False, True, False]


def test_servers_greeting_names_all_events_of_the_connection() -> None:
    wire = Wire()
    wire.server(type="connected", connectionId="named")
    wire.client(action="message", message="hi")
    wire.server(type="connected", connectionId="too late")
    wire.connection.tracker.closed(1000)
    assert {event.connection_id for event in wire.connection.recorded} == {"named"}


def test_greeted_socket_is_seen_although_it_stays_idle() -> None:
    wire = Wire()
    wire.server(type="connected", connectionId="named")
    (connected,) = wire.connection.recorded
    assert connected.event_type is E.WEBSOCKET_CONNECTED
    assert connected.connection_id == "named"


def test_frames_that_tell_nothing_are_counted_by_reason() -> None:
    skipped: Counter[str] = Counter()
    wire = Wire(skipped=skipped)
    wire.connection.tracker.server_frame("not json")
    wire.connection.tracker.client_frame(b"\x00")
    wire.server(type="never heard of")
    assert skipped["frame_malformed"] == 2
    assert skipped["frame_unknown"] == 1


# --- a message ------------------------------------------------------------------------------------


def test_message_waits_for_the_queue_notice_and_for_its_conversations_name() -> None:
    wire = Wire()
    wire.client(action="message", message="Grüße", streaming=True)
    wire.server(type="acknowledgment")
    wire.server(type="request_queued", position=2, totalInQueue=3, estimatedWaitTime=400)
    assert wire.connection.types() == [E.WEBSOCKET_CONNECTED]
    wire.server(type="stream_start", conversationId="c-1")
    message = wire.connection.recorded[1]
    assert message.event_type is E.MESSAGE_SENT
    assert message.timestamp == wire.connection.recorded[0].timestamp + 100
    assert message.conversation_id == "c-1"
    assert message.metadata.pop("message_bytes") > 5
    assert message.metadata == {
        "message_length": 5,
        "streaming": True,
        "queued": True,
        "queue_position": 2,
        "queue_total": 3,
        "queue_wait_ms": 400,
    }


def test_message_waits_no_longer_than_for_the_next_message_or_the_close(
    connection: Connection,
) -> None:
    connection.asks()
    connection.asks()
    assert connection.types() == [E.WEBSOCKET_CONNECTED, E.MESSAGE_SENT]
    connection.tracker.closed(1000)
    assert connection.types() == [
        E.WEBSOCKET_CONNECTED,
        E.MESSAGE_SENT,
        E.MESSAGE_SENT,
        E.WEBSOCKET_DISCONNECTED,
    ]


# --- turns ----------------------------------------------------------------------------------------


def test_turn_has_one_intent_and_one_action_besides_its_steps(connection: Connection) -> None:
    connection.asks()
    connection.says(Intent("add", 0.5), Action(True), Intent("other"), Action(False))
    connection.says(MultiStepStart(1), Step(True, 1, "find"), MultiStepEnd(), TurnEnd())
    connection.asks()
    connection.says(Intent("remove"), Action(False), TurnEnd())
    assert connection.seen(E.INTENT_CLASSIFIED, E.ACTION_EXECUTED, E.ACTION_FAILED) == [
        (E.INTENT_CLASSIFIED, {"intent": "add", "confidence": 0.5, "classification_ms": 10.0}),
        (
            E.ACTION_EXECUTED,
            {"success": True, "command_name": "add", "execution_ms": 10.0, "intent": "add"},
        ),
        (
            E.ACTION_EXECUTED,
            {
                "success": True,
                "command_name": "find",
                "execution_ms": 0.0,
                "intent": "add",
                "step_number": 1,
            },
        ),
        (E.INTENT_CLASSIFIED, {"intent": "remove", "classification_ms": 10.0}),
        (
            E.ACTION_FAILED,
            {"success": False, "command_name": "remove", "execution_ms": 10.0, "intent": "remove"},
        ),
    ]


def test_turns_are_answered_in_order_within_their_conversation(connection: Connection) -> None:
    connection.asks("a")
    connection.asks("b")
    connection.says(Intent("of b", conversation_id="b"), TurnEnd(conversation_id="b"))
    connection.says(Intent("of a"), TurnEnd())
    assert [
        (event.conversation_id, event.metadata["intent"])
        for event in connection.recorded
        if event.event_type is E.INTENT_CLASSIFIED
    ] == [("b", "of b"), ("a", "of a")]


def test_frames_after_a_tentative_end_are_of_the_same_turn(connection: Connection) -> None:
    connection.asks()
    connection.says(StreamStart(), Intent("add"), StreamEnd(), TurnEnd(tentative=True))
    connection.says(Intent("add"), Action(True, execution_ms=7), TurnEnd())
    assert Counter(connection.types())[E.INTENT_CLASSIFIED] == 1
    assert connection.only(E.ACTION_EXECUTED)["execution_ms"] == 7


def test_next_message_ends_what_ended_tentatively(connection: Connection) -> None:
    connection.asks()
    connection.says(Intent("one"), Action(True), TurnEnd(tentative=True))
    connection.asks()
    connection.says(Intent("two"), Action(True), TurnEnd())
    assert [data["intent"] for _, data in connection.seen(E.INTENT_CLASSIFIED)] == ["one", "two"]
    assert len(connection.seen(E.ACTION_EXECUTED)) == 2


def test_tentative_turn_that_had_all_gives_way_to_a_message_that_waits(
    connection: Connection,
) -> None:
    connection.asks()
    connection.asks()
    connection.says(Intent("one"), Action(True), TurnEnd(tentative=True))
    connection.says(Intent("two"), Action(True), TurnEnd())
    assert [data["intent"] for _, data in connection.seen(E.INTENT_CLASSIFIED)] == ["one", "two"]


def test_adapter_that_tells_no_ends_still_has_turns(connection: Connection) -> None:
    for name in ("one", "two"):
        connection.asks()
        connection.says(Intent(name), Action(True))
    assert [data["intent"] for _, data in connection.seen(E.INTENT_CLASSIFIED)] == ["one", "two"]
    assert [data["execution_ms"] for _, data in connection.seen(E.ACTION_EXECUTED)] == [10.0, 10.0]


def test_times_count_from_the_last_unanswered_message(connection: Connection) -> None:
    connection.asks()
    connection.asks(after=5_000)
    connection.says(StreamStart(), after=20)
    connection.says(StreamContent(), after=30)
    connection.says(StreamEnd(), TurnEnd())
    assert connection.only(E.STREAMING_COMPLETED)["ttft_ms"] == 50.0


def test_clarification_carries_what_the_turn_was_taken_for(connection: Connection) -> None:
    connection.asks()
    connection.says(Intent("add", 0.4), Clarification(), TurnEnd())
    connection.asks()
    connection.says(Clarification("guess", 0.2), TurnEnd())
    assert connection.seen(E.CLARIFICATION_REQUESTED) == [
        (E.CLARIFICATION_REQUESTED, {"intent": "add", "confidence": 0.4}),
        (E.CLARIFICATION_REQUESTED, {"intent": "guess", "confidence": 0.2}),
    ]


def test_usage_goes_to_the_next_event_that_ends_something(connection: Connection) -> None:
    connection.asks()
    connection.says(StreamStart(), Usage({"model": "m", "input_tokens": 1}))
    connection.says(Usage({"input_tokens": 5, "output_tokens": 2}), Intent("add"))
    connection.says(StreamEnd(), Action(True), TurnEnd())
    ended = connection.only(E.STREAMING_COMPLETED)
    assert (ended["model"], ended["input_tokens"], ended["output_tokens"]) == ("m", 5, 2)
    assert "model" not in connection.only(E.INTENT_CLASSIFIED)
    assert "model" not in connection.only(E.ACTION_EXECUTED)


def test_what_frames_say_wins_over_what_is_measured(connection: Connection) -> None:
    connection.asks()
    connection.says(StreamStart(extra={"variant": "b"}), StreamEnd(extra={"duration_ms": 3}))
    connection.says(Action(True, "x", 4, error_type="T", error_message="m", extra={"variant": "b"}))
    assert connection.only(E.STREAMING_STARTED) == {"variant": "b"}
    assert connection.only(E.STREAMING_COMPLETED)["duration_ms"] == 3
    assert connection.only(E.ACTION_EXECUTED) == {
        "success": True,
        "command_name": "x",
        "execution_ms": 4,
        "error_type": "T",
        "error_message": "m",
        "variant": "b",
    }


# --- streams --------------------------------------------------------------------------------------


def test_stream_has_ttft_gaps_and_counts() -> None:
    wire = Wire()
    wire.client(action="message", message="tell me")
    wire.server(type="stream_start", metadata={"intent": "tell"})
    told_by_start = [wire.server(type="stream_token", token="w") for _ in range(4)]
    wire.connection.clock.advance(-10)  # the end comes with the last content
    wire.server(type="stream_complete", metadata={"tokenCount": 4})
    assert told_by_start == [False, True, True, True]
    assert wire.connection.only(E.STREAMING_COMPLETED) == {
        "ttft_ms": 20.0,
        "duration_ms": 40.0,
        "mean_gap_ms": 10.0,
        "chunk_count": 4,
        "token_count": 4,
        "end_reason": EndReason.COMPLETED,
        "intent": "tell",
    }


def test_stream_without_a_message_counts_from_its_start(connection: Connection) -> None:
    connection.says(StreamStart())
    connection.says(StreamContent())
    connection.says(StreamEnd(), TurnEnd())
    assert connection.only(E.STREAMING_COMPLETED)["ttft_ms"] == 10.0


def test_second_stream_of_a_turn_counts_from_its_own_start(connection: Connection) -> None:
    connection.asks()
    for _ in range(2):
        connection.says(StreamStart())
        connection.says(StreamContent())
        connection.says(StreamEnd())
    assert [data["ttft_ms"] for _, data in connection.seen(E.STREAMING_COMPLETED)] == [20.0, 10.0]


def test_stream_that_starts_while_one_is_open_ends_it() -> None:
    wire = Wire()
    wire.server(type="stream_start")
    wire.server(type="stream_token", token="w")
    wire.server(type="stream_token", token="w")
    wire.server(type="stream_start")
    assert not wire.server(type="stream_token", token="w")
    wire.server(type="stream_complete")
    assert wire.connection.only(E.STREAMING_INTERRUPTED) == {
        "ttft_ms": 10.0,
        "duration_ms": 30.0,
        "chunk_count": 2,
        "end_reason": EndReason.SUPERSEDED,
    }
    assert wire.connection.only(E.STREAMING_COMPLETED)["chunk_count"] == 1


def test_streams_of_two_conversations_are_apart(connection: Connection) -> None:
    for name in "ab":
        connection.says(StreamStart(conversation_id=name))
    for name in "aab":
        connection.says(StreamContent(conversation_id=name))
    for name in "ab":
        connection.says(StreamEnd(conversation_id=name))
    assert [
        (event.conversation_id, event.metadata["chunk_count"])
        for event in connection.recorded
        if event.event_type is E.STREAMING_COMPLETED
    ] == [("a", 2), ("b", 1)]


def test_start_that_frames_repeat_is_one(connection: Connection) -> None:
    for _ in range(3):
        connection.says(StreamStart(unless_open=True), StreamContent())
    assert len(connection.seen(E.STREAMING_STARTED)) == 1


def test_second_streams_turn_is_the_next_ones_where_a_message_waits(
    connection: Connection,
) -> None:
    connection.asks()
    connection.asks()
    connection.says(StreamStart(), Intent("one"), StreamEnd())
    connection.says(StreamStart(), Intent("two"), StreamEnd())
    assert [data["intent"] for _, data in connection.seen(E.INTENT_CLASSIFIED)] == ["one", "two"]


def test_content_and_ends_without_a_stream_are_nothing(connection: Connection) -> None:
    connection.says(StreamContent(), StreamEnd(), MultiStepEnd(), TurnEnd())
    connection.tracker.closed(1000)
    assert connection.types() == [E.WEBSOCKET_CONNECTED, E.WEBSOCKET_DISCONNECTED]


class Reader(OmnitrackAdapter):
    """Reads the default protocol, and notes what it has read."""

    def __init__(self) -> None:
        super().__init__()
        self.read: list[str | bytes] = []

    def server_frame(self, data: str | bytes) -> Sequence[Signal]:
        self.read.append(data)
        return super().server_frame(data)


def test_first_content_of_a_later_stream_need_not_be_read() -> None:
    reader = Reader()
    wire = Wire(reader)
    for _ in range(2):
        wire.client(action="message", message="tell me")
        wire.server(type="stream_start")
        for _ in range(3):
            wire.server(type="stream_token", token="w")
        wire.server(type="stream_complete")
    tokens = [text for text in reader.read if "stream_token" in str(text)]
    assert len(tokens) == 1
    first, second = wire.connection.seen(E.STREAMING_COMPLETED)
    assert first == second
    assert (first[1]["chunk_count"], first[1]["ttft_ms"]) == (3, 20.0)


def test_content_that_names_conversations_is_read_with_every_stream() -> None:
    wire = Wire()
    for conversation_id in ("one", "two"):
        wire.server(type="stream_start", conversationId=conversation_id)
        wire.server(type="stream_token", token="w", conversationId="one")
        wire.server(type="stream_token", token="w", conversationId=conversation_id)
        wire.server(type="stream_complete", conversationId=conversation_id)
    assert [data["chunk_count"] for _, data in wire.connection.seen(E.STREAMING_COMPLETED)] == [
        2,
        1,
    ]


def test_content_that_names_no_conversation_any_more_is_known_again() -> None:
    reader = Reader()
    wire = Wire(reader)
    for named in ({"conversationId": "one"}, {}, {}):
        wire.server(type="stream_start", conversationId="one")
        wire.server(type="stream_token", token="w", **named)
        wire.server(type="stream_complete", conversationId="one")
    assert sum("stream_token" in str(text) for text in reader.read) == 2


def test_contents_of_two_streams_are_all_read() -> None:
    reader = Reader()
    wire = Wire(reader)
    wire.server(type="stream_start")
    wire.server(type="stream_token", token="w")
    wire.server(type="stream_complete")
    for conversation_id in ("one", "two"):
        wire.server(type="stream_start", conversationId=conversation_id)
    for conversation_id in ("one", "two", "two"):
        wire.server(type="stream_token", token="w", conversationId=conversation_id)
    for conversation_id in ("one", "two"):
        wire.server(type="stream_complete", conversationId=conversation_id)
    assert [data["chunk_count"] for _, data in wire.connection.seen(E.STREAMING_COMPLETED)] == [
        1,
        1,
        2,
    ]
    assert sum("stream_token" in str(text) for text in reader.read) == 4


def test_socket_that_closes_with_a_stream_open_has_interrupted_it() -> None:
    wire = Wire()
    wire.server(type="stream_start")
    wire.server(type="stream_token", token="w")
    wire.server(type="stream_token", token="w")
    wire.connection.tracker.closed(1001)
    assert wire.connection.only(E.STREAMING_INTERRUPTED) == {
        "ttft_ms": 10.0,
        "duration_ms": 20.0,
        "chunk_count": 2,
        "end_reason": EndReason.CLOSED,
        "close_code": 1001,
    }
    assert not wire.server(type="stream_token", token="w")


def test_close_after_the_terminal_frame_is_success() -> None:
    wire = Wire()
    wire.server(type="stream_start")
    wire.server(type="stream_complete")
    wire.server(type="multi_step_start", totalSteps=1)
    wire.server(type="multi_step_complete", stepsExecuted=1)
    wire.connection.tracker.closed(1006)
    assert Counter(wire.connection.types()) == {
        E.WEBSOCKET_CONNECTED: 1,
        E.STREAMING_STARTED: 1,
        E.STREAMING_COMPLETED: 1,
        E.MULTI_STEP_STARTED: 1,
        E.MULTI_STEP_COMPLETED: 1,
        E.WEBSOCKET_DISCONNECTED: 1,
    }


def test_only_so_many_streams_and_steps_are_open(connection: Connection) -> None:
    for number in range(100):
        connection.asks(f"c-{number}")
        connection.says(StreamStart(conversation_id=f"c-{number}"))
        connection.says(MultiStepStart(conversation_id=f"c-{number}"))
    reasons = Counter(
        data["end_reason"]
        for _, data in connection.seen(E.STREAMING_INTERRUPTED, E.MULTI_STEP_FAILED)
    )
    assert reasons == {EndReason.SUPERSEDED: 72}
    connection.tracker.closed(1000)
    assert len(connection.seen(E.STREAMING_INTERRUPTED, E.MULTI_STEP_FAILED)) == 200


# --- several steps --------------------------------------------------------------------------------


def test_run_of_steps_counts_them(connection: Connection) -> None:
    connection.asks()
    connection.says(MultiStepStart(2))
    connection.says(Step(True, 1, "find"))
    connection.says(Step(False, 2, "order", error_type="NoStock"), after=30)
    connection.says(MultiStepEnd(EndReason.ERROR, step_number=2, error_message="no"), TurnEnd())
    steps = connection.seen(E.ACTION_EXECUTED, E.ACTION_FAILED)
    assert [(data["command_name"], data["execution_ms"]) for _, data in steps] == [
        ("find", 10.0),
        ("order", 30.0),
    ]
    assert connection.only(E.MULTI_STEP_FAILED) == {
        "steps_total": 2,
        "steps_completed": 2,
        "step_number": 2,
        "duration_ms": 50.0,
        "end_reason": EndReason.ERROR,
        "error_message": "no",
    }


def test_run_that_is_going_on_ends_with_the_next_or_the_close(connection: Connection) -> None:
    connection.says(MultiStepStart(2))
    connection.says(MultiStepStart(3))
    connection.tracker.closed(1006)
    assert [
        (data["end_reason"], data.get("close_code"))
        for _, data in connection.seen(E.MULTI_STEP_FAILED)
    ] == [(EndReason.SUPERSEDED, None), (EndReason.CLOSED, 1006)]


def test_steps_reported_afterwards_are_a_run_without_actions(connection: Connection) -> None:
    connection.asks()
    connection.says(StepsReported(3), TurnEnd())
    connection.asks()
    connection.says(MultiStepStart(3), MultiStepEnd(steps_completed=3), StepsReported(3))
    assert connection.seen(E.MULTI_STEP_STARTED, E.MULTI_STEP_COMPLETED) == [
        (E.MULTI_STEP_STARTED, {"steps_total": 3}),
        (E.MULTI_STEP_COMPLETED, {"steps_total": 3, "steps_completed": 3}),
        (E.MULTI_STEP_STARTED, {"steps_total": 3}),
        (E.MULTI_STEP_COMPLETED, {"steps_total": 3, "steps_completed": 3, "duration_ms": 0.0}),
    ]


def test_step_without_a_run_is_recorded_and_starts_none(connection: Connection) -> None:
    connection.says(Step(True, 1, "find"))
    assert connection.types() == [E.WEBSOCKET_CONNECTED, E.ACTION_EXECUTED]


# --- faults ---------------------------------------------------------------------------------------


def test_error_frame_interrupts_the_stream_and_is_linked_to_it() -> None:
    wire = Wire()
    wire.server(type="stream_start")
    wire.server(type="error", error="lost", code="ModelDown", retryable=True, correlationId="x-1")
    wire.connection.tracker.closed(1011)
    error = wire.connection.only(E.ERROR_OCCURRED)
    stream = wire.connection.only(E.STREAMING_INTERRUPTED)
    assert error.pop("fault_id") == stream.pop("fault_id")
    assert error == {
        "error_type": "ModelDown",
        "error_message": "lost",
        "retryable": True,
        "correlation_id": "x-1",
    }
    assert (stream["end_reason"], stream["error_type"]) == (EndReason.ERROR, "ModelDown")


def test_exception_that_leaves_the_handler_is_one_error_and_ends_what_is_open(
    connection: Connection,
) -> None:
    connection.says(StreamStart(), MultiStepStart(2))
    fault = RuntimeError("at ada@example.com")
    connection.tracker.failed(fault)
    connection.tracker.failed(fault)
    connection.tracker.closed(1011)
    error = connection.only(E.ERROR_OCCURRED)
    assert (error["error_type"], error["error_message"]) == ("RuntimeError", "at ada@example.com")
    for kind in (E.STREAMING_INTERRUPTED, E.MULTI_STEP_FAILED):
        ended = connection.only(kind)
        assert (ended["end_reason"], ended["fault_id"]) == (EndReason.ERROR, error["fault_id"])


def test_command_that_fails_is_no_error_until_its_exception_leaves_the_handler(
    connection: Connection,
) -> None:
    connection.asks()
    fault = LookupError("gone")
    connection.tracker.end_command(connection.tracker.begin_command("find"), fault)
    failed = connection.only(E.ACTION_FAILED)
    assert connection.seen(E.ERROR_OCCURRED) == []
    connection.tracker.failed(fault)
    error = connection.only(E.ERROR_OCCURRED)
    assert error["fault_id"] == failed["fault_id"]
    assert (error["command_name"], error["error_type"]) == ("find", "LookupError")


def test_group_around_a_known_exception_is_the_same_fault(connection: Connection) -> None:
    fault = LookupError("gone")
    connection.tracker.end_command(connection.tracker.begin_command("find"), fault)
    connection.tracker.failed(ExceptionGroup("unhandled", [fault]))
    error = connection.only(E.ERROR_OCCURRED)
    assert (error["error_type"], error["command_name"]) == ("LookupError", "find")


def test_other_exceptions_of_the_same_kind_are_other_faults(connection: Connection) -> None:
    class Broken(Exception):
        pass

    for _ in range(3):
        connection.tracker.track_error(Broken("same"))
    first, second = ValueError("one"), ValueError("two")
    connection.tracker.track_error(first)
    connection.tracker.track_error(second)
    assert len(connection.seen(E.ERROR_OCCURRED)) == 5


def test_error_frame_sent_where_an_exception_is_handled_tells_of_it(
    connection: Connection,
) -> None:
    wire = Wire()
    tracker = wire.connection.tracker
    fault = LookupError("gone")
    try:
        try:
            raise fault
        except LookupError as exc:
            tracker.end_command(tracker.begin_command("find"), exc)
            wire.server(type="error", error="not found", code="NotFound")
            raise
    except LookupError as exc:
        tracker.failed(exc)
    error = wire.connection.only(E.ERROR_OCCURRED)
    assert error["fault_id"] == wire.connection.only(E.ACTION_FAILED)["fault_id"]
    assert (error["error_type"], error["command_name"]) == ("NotFound", "find")


@pytest.mark.parametrize("stop", [KeyboardInterrupt(), SystemExit(), GeneratorExit()])
def test_being_stopped_is_no_failure(connection: Connection, stop: BaseException) -> None:
    connection.tracker.failed(stop)
    assert connection.seen(E.ERROR_OCCURRED) == []


@pytest.mark.parametrize("code", [1002, 1003, 1007, 1008, 1009, 1010, 1011])
def test_abnormal_close_is_an_error_unless_one_was_recorded(code: int) -> None:
    clean, known = Connection(), Connection()
    for connection in (clean, known):
        connection.tracker.opened()
        connection.says(StreamStart())
    known.tracker.failed(ValueError())
    for connection in (clean, known):
        connection.tracker.closed(code)
    error = clean.only(E.ERROR_OCCURRED)
    assert error["close_code"] == code
    assert error["fault_id"] == clean.only(E.STREAMING_INTERRUPTED)["fault_id"]
    assert known.only(E.ERROR_OCCURRED)["error_type"] == "ValueError"


def test_error_of_an_earlier_turn_does_not_excuse_an_abnormal_close(
    connection: Connection,
) -> None:
    connection.tracker.track_error("Earlier")
    connection.asks()
    connection.tracker.closed(1011)
    assert [data["error_type"] for _, data in connection.seen(E.ERROR_OCCURRED)] == [
        "Earlier",
        "WebSocketInternalError",
    ]


def test_exception_behind_a_close_that_was_an_error_is_not_a_second_one(
    connection: Connection,
) -> None:
    connection.tracker.closed(1011)
    connection.tracker.failed(ValueError())
    assert len(connection.seen(E.ERROR_OCCURRED)) == 1


@pytest.mark.parametrize("code", [1000, 1001, 1005, 1006, 1012, 1015, 3000, 4999])
def test_other_closes_are_no_errors(connection: Connection, code: int) -> None:
    connection.tracker.closed(code)
    assert connection.seen(E.ERROR_OCCURRED) == []


def test_exceptions_are_not_kept_alive(connection: Connection) -> None:
    class Broken(Exception):
        pass

    fault = Broken()
    alive = weakref.ref(fault)
    connection.tracker.failed(fault)
    del fault
    assert alive() is None


def test_exception_whose_text_cannot_be_had_is_recorded_by_its_type(
    connection: Connection,
) -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    connection.tracker.failed(Mute())
    assert connection.only(E.ERROR_OCCURRED)["error_type"] == "Mute"
    assert connection.tracker.guard.errors == {"exception text": 1}


# --- what the application says itself -------------------------------------------------------------


def test_command_that_code_reports_is_not_counted_again_by_frames(connection: Connection) -> None:
    connection.asks()
    run = connection.tracker.begin_command("add")
    connection.says(Intent("add"), Action(True))
    connection.tracker.end_command(run)
    connection.tracker.end_command(run)
    connection.says(Action(True), TurnEnd())
    assert connection.only(E.ACTION_EXECUTED)["command_name"] == "add"
    connection.asks()
    connection.says(Intent("add"), Action(True), TurnEnd())
    assert len(connection.seen(E.ACTION_EXECUTED)) == 2


def test_step_that_code_reports_is_not_counted_again_by_frames(connection: Connection) -> None:
    connection.asks()
    connection.says(MultiStepStart(2))
    connection.tracker.end_command(connection.tracker.begin_command("find"))
    connection.says(Step(True, 1, "find"), Step(True, 2, "order"), MultiStepEnd())
    assert [data["command_name"] for _, data in connection.seen(E.ACTION_EXECUTED)] == [
        "find",
        "order",
    ]
    assert connection.only(E.MULTI_STEP_COMPLETED)["steps_completed"] == 2


@pytest.mark.parametrize("code_first", [True, False])
def test_stream_that_code_and_frames_tell_of_is_one(
    connection: Connection, code_first: bool
) -> None:
    tracker = connection.tracker
    connection.asks()
    if code_first:
        run = tracker.begin_stream()
        connection.says(StreamStart())
    else:
        connection.says(StreamStart())
        run = tracker.begin_stream()
    connection.says(StreamContent())
    connection.says(StreamEnd(token_count=9))
    tracker.end_stream(run)
    assert len(connection.seen(E.STREAMING_STARTED)) == 1
    ended = connection.only(E.STREAMING_COMPLETED)
    assert (ended["chunk_count"], ended["token_count"]) == (1, 9)


@pytest.mark.parametrize("code_first", [True, False])
def test_run_of_steps_that_code_and_frames_tell_of_is_one(
    connection: Connection, code_first: bool
) -> None:
    tracker = connection.tracker
    connection.asks()
    if code_first:
        run = tracker.begin_steps()
        connection.says(MultiStepStart(2))
    else:
        connection.says(MultiStepStart(2))
        run = tracker.begin_steps()
    tracker.step(run, "find", execution_ms=5)
    connection.says(MultiStepEnd())
    tracker.end_steps(run)
    assert len(connection.seen(E.MULTI_STEP_STARTED)) == 1
    ended = connection.only(E.MULTI_STEP_COMPLETED)
    assert (ended["steps_total"], ended["steps_completed"]) == (2, 1)


def test_clarification_that_code_and_frames_tell_of_is_one(connection: Connection) -> None:
    connection.asks()
    connection.tracker.track_clarification("add")
    connection.says(Clarification(), TurnEnd())
    connection.asks()
    connection.says(Clarification(), Clarification())
    assert len(connection.seen(E.CLARIFICATION_REQUESTED)) == 3


def test_code_without_frames_has_turns_too(connection: Connection) -> None:
    for name in ("one", "two"):
        connection.asks()
        connection.tracker.track_intent(name)
        connection.tracker.end_command(connection.tracker.begin_command(name))
    assert [data["intent"] for _, data in connection.seen(E.INTENT_CLASSIFIED)] == ["one", "two"]
    assert [data["intent"] for _, data in connection.seen(E.ACTION_EXECUTED)] == ["one", "two"]


def test_command_that_outlives_its_connection_is_recorded(connection: Connection) -> None:
    run = connection.tracker.begin_command("slow")
    connection.tracker.closed(1001)
    connection.tracker.end_command(run)
    assert connection.types()[-1] is E.ACTION_EXECUTED


def test_usage_adds_up_within_what_called_the_model(connection: Connection) -> None:
    tracker = connection.tracker
    run = tracker.begin_command("add")
    tracker.track_usage({"model": "a", "input_tokens": 1, "cost": 0.5}, run=run)
    tracker.track_usage({"model": "b", "input_tokens": 2, "output_tokens": 3}, run=run)
    tracker.track_usage({"input_tokens": 100})
    tracker.end_command(run)
    action = connection.only(E.ACTION_EXECUTED)
    assert {key: action[key] for key in ("model", "input_tokens", "output_tokens", "cost")} == {
        "model": "b",
        "input_tokens": 103,
        "output_tokens": 3,
        "cost": 0.5,
    }


def test_another_conversation_can_be_named(connection: Connection) -> None:
    connection.asks("a")
    connection.asks("b")
    connection.tracker.track_intent("of a", conversation_id="a")
    connection.tracker.track_intent("of b")
    connection.tracker.track_intent("of c", conversation_id="c")
    assert [
        (event.conversation_id, event.metadata["intent"])
        for event in connection.recorded
        if event.event_type is E.INTENT_CLASSIFIED
    ] == [("a", "of a"), ("b", "of b"), ("c", "of c")]


# --- clocks and memory ----------------------------------------------------------------------------


class BackwardsClock(FakeClock):
    """Its wall time goes back while its monotonic time goes on."""

    def now_ms(self) -> int:
        return 1_750_000_000_000 - int(self.monotonic_ms())


def test_durations_do_not_care_that_the_clock_steps_back() -> None:
    connection = Connection()
    connection.clock = BackwardsClock()
    tracker = ConnectionTracker(
        connection.spoken,
        connection.recorded.append,
        clock=connection.clock,
        connection_id="made-up",
        resolve_user=lambda: None,
    )
    connection.tracker = tracker
    tracker.opened()
    connection.asks()
    connection.says(StreamStart())
    connection.says(StreamContent())
    tracker.closed(1000)
    assert connection.only(E.STREAMING_INTERRUPTED)["ttft_ms"] == 20.0
    assert connection.only(E.WEBSOCKET_DISCONNECTED)["connection_ms"] == 120.0


def test_tracker_is_freed_without_the_collector() -> None:
    guard = Guard()
    alive = weakref.ref(guard)
    tracker = ConnectionTracker(
        OmnitrackAdapter(),
        lambda observation: None,
        clock=FakeClock(),
        connection_id="made-up",
        resolve_user=lambda: None,
        guard=guard,
    )
    del guard
    gc.disable()
    try:
        tracker.opened()
        tracker.client_frame('{"action": "message", "message": "hi"}')
        tracker.server_frame('{"type": "stream_start"}')
        tracker.end_command(tracker.begin_command("find"), ValueError())
        tracker.closed(1000)
        del tracker
        assert alive() is None
    finally:
        gc.enable()


def test_messages_without_answers_are_bounded(connection: Connection) -> None:
    for _ in range(1_000):
        connection.asks()
    connection.tracker.closed(1000)
    assert connection.only(E.WEBSOCKET_DISCONNECTED)["messages"] == 1_000
    assert len(connection.seen(E.MESSAGE_SENT)) == 1_000


# --- corners --------------------------------------------------------------------------------------


def test_queue_notice_without_a_message_that_waits_is_nothing(connection: Connection) -> None:
    connection.says(Queued(1))
    connection.asks()
    connection.says(Intent("add"))
    connection.says(Queued(1))
    assert "queued" not in connection.only(E.MESSAGE_SENT)


def test_frames_add_what_else_they_say(connection: Connection) -> None:
    variant = {"variant": "b"}
    connection.asks(extra=variant)
    connection.says(Intent("add", extra=variant), Clarification(extra=variant))
    connection.says(MultiStepStart(1, extra=variant), Step(True, 1, extra=variant))
    connection.says(MultiStepEnd(extra=variant), StreamStart(extra=variant))
    interrupted = StreamEnd(
        EndReason.INTERRUPTED, partial_length=9, error_message="lost", extra=variant
    )
    connection.says(interrupted, ErrorReported("X", extra=variant), TurnEnd())
    events = connection.seen()[1:]
    assert [data["variant"] for _, data in events] == ["b"] * len(events)
    assert len(events) == 9
    ended = connection.only(E.STREAMING_INTERRUPTED)
    assert (ended["partial_length"], ended["error_message"]) == (9, "lost")


def test_figures_may_follow_a_tentative_end(connection: Connection) -> None:
    connection.asks("a")
    connection.says(StreamStart(), StreamEnd(tentative=True), TurnEnd(tentative=True))
    assert E.STREAMING_COMPLETED not in connection.types()
    connection.says(StreamEnd(token_count=7, conversation_id="b"))
    connection.says(StreamEnd(token_count=8), Action(True, "add"), TurnEnd())
    assert connection.only(E.STREAMING_COMPLETED)["token_count"] == 8


def test_turn_is_ended_where_something_of_it_is_going_on(connection: Connection) -> None:
    connection.asks("a")
    connection.asks("b")
    connection.says(StreamStart(conversation_id="b"), TurnEnd(), StreamEnd())
    connection.says(MultiStepStart(conversation_id="a"), Intent("of a"), TurnEnd())
    assert [
        event.conversation_id
        for event in connection.recorded
        if event.event_type is E.INTENT_CLASSIFIED
    ] == ["a"]


def test_second_run_of_the_same_command_is_recorded_by_its_step(connection: Connection) -> None:
    connection.says(MultiStepStart(2))
    connection.says(Step(True, 1, "find", execution_ms=3), Step(True, 2, "find"))
    assert [data["execution_ms"] for _, data in connection.seen(E.ACTION_EXECUTED)] == [3, 0.0]


def test_usage_that_is_no_number_is_replaced(connection: Connection) -> None:
    connection.asks()
    connection.says(Usage({"input_tokens": "many"}))
    connection.tracker.track_usage({"input_tokens": 3})
    connection.says(Action(True, "add"))
    assert connection.only(E.ACTION_EXECUTED)["input_tokens"] == 3


def test_only_exceptions_and_types_are_errors(connection: Connection) -> None:
    connection.tracker.track_error(KeyboardInterrupt())
    assert connection.seen(E.ERROR_OCCURRED) == []


def test_second_clarification_of_code_is_recorded(connection: Connection) -> None:
    connection.asks()
    connection.tracker.track_clarification("add")
    connection.tracker.track_clarification("remove")
    assert len(connection.seen(E.CLARIFICATION_REQUESTED)) == 2
