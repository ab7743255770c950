"""Any interleaving of frames, code, closes and exceptions keeps the tracker's books."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    rule,
)

from copilot_analytics._guard import Guard
from copilot_analytics.admission import Admission
from copilot_analytics.aggregation import aggregate
from copilot_analytics.events import (
    METADATA_KEYS,
    AnalyticsEvent,
    EndReason,
    EventType,
    Observation,
    ValueKind,
)
from copilot_analytics.protocols import FrameAdapter
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
    Usage,
    UserMessage,
)
from copilot_analytics.rollups import RollupKind
from copilot_analytics.testing import FakeClock
from copilot_analytics.tracking import CommandRun, ConnectionTracker, StepsRun, StreamRun
from copilot_analytics.writer import Writer

E = EventType
CONTENT = "content:"

conversations = st.sampled_from([None, None, "a", "b"])
reasons = st.sampled_from(EndReason)
names = st.sampled_from(["find", "order", "tell"])
maybe = st.none() | st.integers(1, 5)
signals = st.one_of(
    st.builds(Queued, position=maybe, conversation_id=conversations),
    st.builds(Intent, names, st.none() | st.floats(0, 1), conversations),
    st.builds(Action, st.booleans(), st.none() | names, conversation_id=conversations),
    st.builds(Clarification, st.none() | names, conversation_id=conversations),
    st.builds(StreamStart, st.booleans(), conversation_id=conversations),
    st.builds(StreamEnd, reasons, st.booleans(), token_count=maybe, conversation_id=conversations),
    st.builds(MultiStepStart, maybe, conversation_id=conversations),
    st.builds(Step, st.booleans(), maybe, st.none() | names, conversation_id=conversations),
    st.builds(MultiStepEnd, reasons, steps_completed=maybe, conversation_id=conversations),
    st.builds(StepsReported, st.integers(2, 5), conversation_id=conversations),
    st.builds(ErrorReported, names, st.none() | names, conversation_id=conversations),
    st.builds(Usage, st.just({"model": "m", "input_tokens": 7}), conversations),
    st.builds(ConnectionNamed, names),
    st.builds(TurnEnd, st.booleans(), conversations),
    st.builds(Skipped, st.sampled_from(SkipReason)),
)


class Script(FrameAdapter):
    """A frame is the number of its signals, or a piece of content."""

    name = "script"

    def __init__(self) -> None:
        self.lines: list[Sequence[Signal]] = []

    def client_frame(self, data: str | bytes) -> Sequence[Signal]:
        return self.lines[int(data)]

    def server_frame(self, data: str | bytes) -> Sequence[Signal]:
        return (StreamContent(),) if data == CONTENT else self.lines[int(data)]

    def content_prefix(self, data: str | bytes) -> str | None:
        return CONTENT if data == CONTENT else None


class TrackedConnection(RuleBasedStateMachine):
    """One connection after the other; the guard is strict, so that no exception goes unnoticed."""

    commands = Bundle("commands")
    streams = Bundle("streams")
    step_runs = Bundle("step_runs")
    faults = Bundle("faults")

    @initialize()
    def start(self) -> None:
        self.clock = FakeClock()
        self.recorded: list[Observation] = []
        self.script = Script()
        self.expected: Counter[EventType] = Counter()
        self.opened_trackers: list[ConnectionTracker] = []
        self.faults_made = 0
        self.commands_ended = 0
        self.content = 0
        self.connect()

    def connect(self) -> None:
        self.is_open = self.is_closed = False
        self.tracker = ConnectionTracker(
            self.script,
            self.recorded.append,
            clock=self.clock,
            connection_id=f"c-{len(self.recorded)}",
            resolve_user=lambda: "user-1",
            guard=Guard(strict=True),
        )

    # --- the socket ---

    @rule()
    def opened(self) -> None:
        if not self.is_open and not self.is_closed:
            self.is_open = True
            self.expected[E.WEBSOCKET_CONNECTED] += 1
            self.opened_trackers.append(self.tracker)
        self.tracker.opened()

    @rule(code=st.sampled_from([None, 1000, 1001, 1006, 1009, 1011, 4000]))
    def closed(self, code: int | None) -> None:
        if self.is_open and not self.is_closed:
            self.expected[E.WEBSOCKET_DISCONNECTED] += 1
        self.is_closed = True
        self.tracker.closed(code)

    @rule()
    def next_connection(self) -> None:
        self.closed(1000)
        self.connect()

    @rule(ms=st.floats(0, 10_000))
    def time_passes(self, ms: float) -> None:
        self.clock.advance(ms)

    @property
    def is_live(self) -> bool:
        return self.is_open and not self.is_closed

    @rule(conversation_id=conversations, streaming=st.none() | st.booleans())
    def client_speaks(self, conversation_id: str | None, streaming: bool | None) -> None:
        if self.is_live:
            self.expected[E.MESSAGE_SENT] += 1
        message = UserMessage(3, 30, streaming, conversation_id)
        self.tracker.client_frame(self.frame(message))

    @rule(said=st.lists(signals, min_size=1, max_size=4))
    def server_speaks(self, said: list[Signal]) -> None:
        text = self.frame(*said)
        assert not self.tracker.is_content(text)
        self.tracker.server_frame(text)

    @rule(count=st.integers(1, 3))
    def server_streams(self, count: int) -> None:
        for _ in range(count):
            if self.is_live and self.open_streams:
                self.content += 1
            if not self.tracker.is_content(CONTENT):
                self.tracker.server_frame(CONTENT)

    def frame(self, *said: Signal) -> str:
        self.script.lines.append(said)
        return str(len(self.script.lines) - 1)

    # --- the handler ---

    @rule(target=faults, kind=st.sampled_from([ValueError, LookupError, RuntimeError]))
    def a_fault(self, kind: type[Exception]) -> Exception:
        self.faults_made += 1
        return kind(f"fault {self.faults_made}")

    @rule(fault=faults)
    def handler_raises(self, fault: Exception) -> None:
        self.tracker.failed(fault)

    @rule(fault=faults)
    def code_reports_an_error(self, fault: Exception) -> None:
        self.tracker.track_error(fault)

    @rule(target=commands, name=names)
    def command_begins(self, name: str) -> tuple[ConnectionTracker, CommandRun]:
        return self.tracker, self.tracker.begin_command(f"code-{name}")

    @rule(command=commands, fault=st.none() | faults)
    def command_ends(
        self, command: tuple[ConnectionTracker, CommandRun], fault: Exception | None
    ) -> None:
        tracker, run = command
        if not run.ended and tracker in self.opened_trackers:
            self.commands_ended += 1
        tracker.end_command(run, fault)

    @rule(target=streams, conversation_id=conversations)
    def code_streams(self, conversation_id: str | None) -> tuple[ConnectionTracker, StreamRun]:
        return self.tracker, self.tracker.begin_stream(conversation_id=conversation_id)

    @rule(stream=consumes(streams), fault=st.none() | faults)
    def code_ends_its_stream(
        self, stream: tuple[ConnectionTracker, StreamRun], fault: Exception | None
    ) -> None:
        stream[0].end_stream(stream[1], fault)

    @rule(target=step_runs, total=maybe)
    def code_takes_steps(self, total: int | None) -> tuple[ConnectionTracker, StepsRun]:
        return self.tracker, self.tracker.begin_steps(total)

    @rule(run=step_runs, name=names)
    def code_takes_a_step(self, run: tuple[ConnectionTracker, StepsRun], name: str) -> None:
        run[0].step(run[1], name)

    @rule(run=consumes(step_runs), fault=st.none() | faults)
    def code_ends_its_steps(
        self, run: tuple[ConnectionTracker, StepsRun], fault: Exception | None
    ) -> None:
        run[0].end_steps(run[1], fault)

    @rule(name=names, conversation_id=conversations)
    def code_tells(self, name: str, conversation_id: str | None) -> None:
        self.tracker.track_intent(name, conversation_id=conversation_id)
        self.tracker.track_clarification(conversation_id=conversation_id)
        self.tracker.track_usage({"input_tokens": 3}, conversation_id=conversation_id)

    # --- the books ---

    @property
    def counts(self) -> Counter[EventType]:
        """What has happened, handed on or not."""
        return Counter(event.event_type for event in (*self.recorded, *self.tracker._held))

    @property
    def open_streams(self) -> int:
        counts = self.counts
        ended = counts[E.STREAMING_COMPLETED] + counts[E.STREAMING_INTERRUPTED]
        return counts[E.STREAMING_STARTED] - ended

    @property
    def runs_going_on(self) -> int:
        counts = self.counts
        ended = counts[E.MULTI_STEP_COMPLETED] + counts[E.MULTI_STEP_FAILED]
        return counts[E.MULTI_STEP_STARTED] - ended

    @invariant()
    def nothing_ends_that_has_not_started(self) -> None:
        assert self.open_streams >= 0
        assert self.runs_going_on >= 0
        if not self.is_live:
            assert self.open_streams == self.runs_going_on == 0

    def teardown(self) -> None:
        if not hasattr(self, "tracker"):
            return
        self.closed(1000)
        counts = self.counts
        assert self.open_streams == self.runs_going_on == 0
        for kind in (E.WEBSOCKET_CONNECTED, E.WEBSOCKET_DISCONNECTED, E.MESSAGE_SENT):
            assert counts[kind] == self.expected[kind]
        of_code = [
            event
            for event in self.recorded
            if str(event.metadata.get("command_name", "")).startswith("code-")
            and event.event_type in (E.ACTION_EXECUTED, E.ACTION_FAILED)
        ]
        assert len(of_code) == self.commands_ended
        texts = [
            event.metadata.get("error_message")
            for event in self.recorded
            if event.event_type is E.ERROR_OCCURRED
        ]
        for number in range(1, self.faults_made + 1):
            assert texts.count(f"fault {number}") <= len(self.opened_trackers)
        assert self.total("chunk_count") == self.content
        assert self.total("messages") == counts[E.MESSAGE_SENT]
        for event in self.recorded:
            self.check(event)
        self.recount()

    def total(self, key: str) -> int:
        return sum(event.metadata.get(key, 0) for event in self.recorded)

    def check(self, event: Observation) -> None:
        keys = METADATA_KEYS[event.event_type]
        assert event.metadata.keys() <= keys.keys()
        for key, value in event.metadata.items():
            if keys[key].kind is ValueKind.DURATION:
                assert value >= 0

    def recount(self) -> None:
        gate = Admission(self.clock, Writer())
        admitted = [gate.admit(event) for event in self.recorded]
        events = [event for event in admitted if isinstance(event, AnalyticsEvent)]
        assert len(events) == len(self.recorded)
        assert not gate.skipped
        totals: Counter[str] = Counter()
        for key, rollup in aggregate(events).rollups.items():
            if key.kind is RollupKind.ACTIVITY and len(key.period) == len("2026-01-01"):
                totals.update(rollup.counters)
        for kind, count in self.counts.items():
            assert totals[f"e.{kind}"] == count


TestTrackedConnection: Any = TrackedConnection.TestCase
TestTrackedConnection.settings = settings(max_examples=150, stateful_step_count=40)
