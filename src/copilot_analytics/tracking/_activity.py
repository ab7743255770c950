"""What somebody's copilot does: its streams, runs of steps and commands, and their events."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from .._guard import Guard
from ..events import EndReason, EventType, Observation
from ..typing import Clock
from ._faults import Faults, error_type_of
from ._runs import CommandRun, StepsRun, StreamRun
from ._turns import Turn, Turns, same_conversation

__all__ = ["Activity"]

_MAX_OPEN = 64
"""Open streams, running steps and turns of one connection; beyond, the oldest ends."""

_MAX_TEXT = 4_096
"""Code points of an error's message that are handed on; admission keeps far fewer."""

_NOT_MEASURED = frozenset({EndReason.CLOSED, EndReason.SUPERSEDED})
"""Ends that come at any time after the last content: no gap is measured with them."""

_TOKEN_KEYS = frozenset(
    {
        "cache_read_tokens",
        "cache_write_tokens",
        "cost",
        "input_tokens",
        "output_tokens",
        "reasoning_tokens",
    }
)


class Activity:
    """What happens for one user, and the explicit API's half of a tracker.

    On a connection it is a `ConnectionTracker`. By itself it stands for work outside any
    connection. Sans-I/O; its methods may be called from several threads.

    Args:
        record: takes the observations, and owns them from then on.
        clock: tells the time; durations come from its monotonic part.
        user_id: whose they are, the stored id.
        stored_user_id: turns a user's id into its stored form; by default it is stored as it is.
        guard: keeps failures of what the host hands in away from it.

    Attributes:
        user_id: the stored id; "anonymous:…" for nobody.
        connection_id: the socket; None outside a connection.
        guard: as given.
    """

    __slots__ = (
        "_clock",
        "_error_seen",
        "_faults",
        "_held",
        "_live",
        "_monotonic",
        "_now",
        "_record",
        "_recording",
        "_runs",
        "_stored_user_id",
        "_streams",
        "_turns",
        "connection_id",
        "guard",
        "user_id",
    )

    connection_id: str | None

    def __init__(
        self,
        record: Callable[[Observation], None],
        *,
        clock: Clock,
        user_id: str,
        stored_user_id: Callable[[str], str] = str,
        guard: Guard | None = None,
    ) -> None:
        self.user_id = user_id
        self.connection_id = None
        self.guard = Guard() if guard is None else guard
        self._record = record
        self._clock = clock
        self._stored_user_id = stored_user_id
        self._now = clock.now_ms
        self._monotonic = clock.monotonic_ms
        self._recording = True
        self._live = True
        self._error_seen = False
        # Deques and lists, whose operations are atomic: threads of the host need no lock.
        self._held: deque[Observation] = deque()
        self._streams: list[StreamRun] = []
        self._runs: list[StepsRun] = []
        self._turns = Turns(_MAX_OPEN)
        self._faults = Faults(self._text_of)

    def apart(self, user_id: str) -> Activity:
        """Return one for another user, which records to the same place outside any connection.

        Args:
            user_id: the user's own id, not yet in its stored form.
        """
        apart = Activity(
            self._record,
            clock=self._clock,
            user_id=self._stored_user_id(user_id),
            stored_user_id=self._stored_user_id,
            guard=self.guard,
        )
        apart._faults = self._faults
        return apart

    # --- the explicit API -----------------------------------------------------------------------

    def begin_command(
        self, name: str, *, conversation_id: str | None = None, steps: StepsRun | None = None
    ) -> CommandRun:
        """Begin a command that the application runs; nothing is recorded yet.

        Actions that the frames of the same turn tell of are this command's or its like: they are
        not recorded again.

        Args:
            name: the command.
            conversation_id: the conversation; None means that of the turn at hand.
            steps: the run whose next step it is.
        """
        turn = self._turns.at_hand(conversation_id) if steps is None else steps.turn
        if not turn.begun:
            self._turns.begin(turn)
        turn.open += 1
        if steps is None:
            turn.acted = True
        turn.commands.append(name)
        return CommandRun(name, turn, self._monotonic(), steps)

    def end_command(
        self,
        run: CommandRun,
        error: BaseException | None = None,
        *,
        success: bool = True,
        error_type: str | None = None,
        error_message: str | None = None,
    ) -> None:
        """End a command: ACTION_EXECUTED, or ACTION_FAILED for an error or without success.

        A cancelled command has failed. The exception is not an ERROR_OCCURRED yet: should it leave
        the handler, that is one, linked by `fault_id`. A command that has ended stays so; one that
        outlives its connection is recorded all the same.

        Args:
            run: what `begin_command` returned.
            error: the exception that ended it.
            success: whether it did what was asked.
            error_type: what failed, where no exception tells.
            error_message: why, where no exception tells.
        """
        if run.ended:
            return
        run.ended = True
        turn = run.turn
        turn.open -= 1
        if run.name in turn.commands:
            turn.commands.remove(run.name)
        details = self._error_details(error, error_type, error_message)
        if isinstance(error, Exception):
            fault = self._faults.of(error)
            fault.command_name = run.name
            details["fault_id"] = fault.fault_id
        number = None
        if run.steps is not None:
            run.steps.completed += 1
            run.steps.last_at = self._monotonic()
            number = run.steps.completed
        else:
            for going_on in self._runs:
                if going_on.turn is turn and len(going_on.reported) < _MAX_OPEN:
                    going_on.reported.append(run.name)
        self._emit_action(
            turn,
            run.name,
            success and error is None,
            self._monotonic() - run.started_at,
            number,
            details,
            run.usage,
        )

    def begin_stream(self, *, conversation_id: str | None = None) -> StreamRun:
        """Begin an answer in pieces: STREAMING_STARTED, or take over the one that frames opened.

        Args:
            conversation_id: the conversation; None means that of the turn at hand.
        """
        turn = self._turns.at_hand(conversation_id)
        for run in self._streams:
            if not run.coded and same_conversation(run.conversation_id, turn.conversation_id):
                run.coded = True
                return run
        return self._open_stream(turn, self._monotonic(), coded=True)

    def count_content(self, run: StreamRun, count: int = 1) -> None:
        """Count pieces of a stream that the application sends and no adapter recognises."""
        if run.first_at is None:
            run.first_at = self._monotonic()
            run.turn.answered = True
        run.chunks += count

    def end_stream(
        self,
        run: StreamRun,
        error: BaseException | None = None,
        *,
        reason: EndReason = EndReason.COMPLETED,
        error_type: str | None = None,
        error_message: str | None = None,
    ) -> None:
        """End a stream: STREAMING_COMPLETED, or STREAMING_INTERRUPTED; nothing if it has ended.

        Args:
            run: what `begin_stream` returned.
            error: the exception that ended it; wins over the reason.
            reason: why it ended.
            error_type: what failed, where no exception tells.
            error_message: why, where no exception tells.
        """
        details = self._error_details(error, error_type, error_message)
        if isinstance(error, Exception):
            reason = EndReason.ERROR
            details["fault_id"] = self._faults.of(error).fault_id
        elif error is not None:
            reason = EndReason.CANCELLED
        self._end_stream(run, reason, self._monotonic(), details)

    def begin_steps(
        self, total: int | None = None, *, conversation_id: str | None = None
    ) -> StepsRun:
        """Begin a run of several steps: MULTI_STEP_STARTED, or take over the one of the frames.

        Args:
            total: how many steps there will be.
            conversation_id: the conversation; None means that of the turn at hand.
        """
        turn = self._turns.at_hand(conversation_id)
        for run in self._runs:
            if not run.coded and same_conversation(run.conversation_id, turn.conversation_id):
                run.coded = True
                return run
        return self._begin_steps(turn, total, self._monotonic(), coded=True)

    def step(
        self,
        run: StepsRun,
        name: str,
        *,
        success: bool = True,
        execution_ms: float | None = None,
    ) -> None:
        """Record that a step has ended: ACTION_EXECUTED or ACTION_FAILED with its number.

        Args:
            run: what `begin_steps` returned.
            name: the command that it was.
            success: whether it did what was asked.
            execution_ms: how long it took; since the run's start or last step by default.
        """
        now = self._monotonic()
        run.completed += 1
        took = now - run.last_at if execution_ms is None else execution_ms
        run.last_at = now
        self._emit_action(run.turn, name, success, took, run.completed, {}, None)

    def end_steps(
        self,
        run: StepsRun,
        error: BaseException | None = None,
        *,
        reason: EndReason = EndReason.COMPLETED,
        error_type: str | None = None,
        error_message: str | None = None,
    ) -> None:
        """End a run: MULTI_STEP_COMPLETED, or MULTI_STEP_FAILED; nothing if it has ended.

        Args:
            run: what `begin_steps` returned.
            error: the exception that ended it; wins over the reason.
            reason: why it ended.
            error_type: what failed, where no exception tells.
            error_message: why, where no exception tells.
        """
        details = self._error_details(error, error_type, error_message)
        if isinstance(error, Exception):
            reason = EndReason.ERROR
            details["fault_id"] = self._faults.of(error).fault_id
        elif error is not None:
            reason = EndReason.CANCELLED
        self._end_steps(run, reason, self._monotonic(), details)

    def track_intent(
        self, name: str, confidence: float | None = None, *, conversation_id: str | None = None
    ) -> None:
        """Say what the message was taken to mean: INTENT_CLASSIFIED if it is the turn's first."""
        turn = self._turns.at_hand(conversation_id)
        self._classify(turn, name, confidence, self._monotonic(), None)

    def track_clarification(
        self, intent: str | None = None, *, conversation_id: str | None = None
    ) -> None:
        """Say that the copilot asks back instead of acting: CLARIFICATION_REQUESTED."""
        turn = self._turns.at_hand(conversation_id)
        self._clarify(turn, intent, None, None, "code")

    def track_usage(
        self,
        usage: dict[str, Any],
        *,
        run: CommandRun | StreamRun | None = None,
        conversation_id: str | None = None,
    ) -> None:
        """Add what a model call used to the next event that can carry it.

        That is the end of the command or stream given, else the turn's next action, stream end or
        clarification. Numbers add up; of several models the last one is named.

        Args:
            usage: `model`, `input_tokens` … by Python names; owned from then on.
            run: the command or stream that called the model.
            conversation_id: the conversation; None means that of the turn at hand.
        """
        place = self._turns.at_hand(conversation_id) if run is None else run
        if place.usage is None:
            place.usage = usage
            return
        for key, value in usage.items():
            if key in _TOKEN_KEYS:
                value += place.usage.get(key, 0)
            place.usage[key] = value

    def track_error(
        self,
        error: BaseException | str,
        message: str | None = None,
        *,
        command_name: str | None = None,
        retryable: bool | None = None,
        conversation_id: str | None = None,
    ) -> None:
        """Record an ERROR_OCCURRED; of one exception object at most one.

        Args:
            error: an exception, or an error's type.
            message: what it says; by default the exception's own message.
            command_name: the command that it is about.
            retryable: whether a retry may help.
            conversation_id: the conversation; None means that of the turn at hand.
        """
        metadata: dict[str, Any] = {}
        if isinstance(error, BaseException):
            if not isinstance(error, Exception):
                return
            fault = self._faults.of(error)
            if fault.reported:
                return
            fault.reported = True
            command_name = command_name or fault.command_name
            metadata = self._error_details(error, None, message)
            metadata["fault_id"] = fault.fault_id
        else:
            metadata["error_type"] = error
            if message is not None:
                metadata["error_message"] = message[:_MAX_TEXT]
        turn = self._turns.at_hand(conversation_id)
        self._emit_error(turn, metadata, command_name or turn.command, retryable)

    # --- what happened, however it was told -----------------------------------------------------

    def _emit(
        self, event_type: EventType, conversation_id: str | None, metadata: dict[str, Any]
    ) -> None:
        if self._recording:
            if self._held:
                self._release()
            self._record(
                Observation(
                    event_type,
                    self.user_id,
                    self._now(),
                    conversation_id,
                    self.connection_id,
                    metadata,
                )
            )

    def _release(self) -> None:
        """Hand on what was held back."""
        held = self._held
        while held:
            try:
                observation = held.popleft()
            except IndexError:  # another thread was faster
                return
            self._record(observation)

    def _classify(
        self,
        turn: Turn,
        name: str,
        confidence: float | None,
        now: float,
        extra: dict[str, Any] | None,
    ) -> None:
        if turn.classified:
            return
        turn.classified = True
        turn.intent = name
        turn.confidence = confidence
        metadata: dict[str, Any] = {"intent": name}
        if confidence is not None:
            metadata["confidence"] = confidence
        if not turn.begun:
            self._turns.begin(turn)
        if turn.asked_at is not None:
            metadata["classification_ms"] = now - turn.asked_at
        if extra is not None:
            metadata.update(extra)
        self._emit(EventType.INTENT_CLASSIFIED, turn.conversation_id, metadata)

    def _clarify(
        self,
        turn: Turn,
        intent: str | None,
        confidence: float | None,
        extra: dict[str, Any] | None,
        source: str,
    ) -> None:
        # Frames may ask several times in a turn; but what the application reports, and the frame
        # that carries it, is one.
        if turn.clarified not in (None, source):
            return
        turn.clarified = source
        turn.begun = True
        intent = intent or turn.intent
        metadata: dict[str, Any] = {}
        if intent is not None:
            metadata["intent"] = intent
            if confidence is None and intent == turn.intent:
                confidence = turn.confidence
        if confidence is not None:
            metadata["confidence"] = confidence
        self._add_usage(metadata, turn)
        if extra is not None:
            metadata.update(extra)
        self._emit(EventType.CLARIFICATION_REQUESTED, turn.conversation_id, metadata)

    def _emit_action(
        self,
        turn: Turn,
        name: str | None,
        success: bool,
        execution_ms: float | None,
        step_number: int | None,
        details: dict[str, Any],
        usage: dict[str, Any] | None,
    ) -> None:
        metadata: dict[str, Any] = {"success": success}
        if name is not None:
            metadata["command_name"] = name
        if execution_ms is not None:
            metadata["execution_ms"] = execution_ms
        if turn.intent is not None:
            metadata["intent"] = turn.intent
        if step_number is not None:
            metadata["step_number"] = step_number
        self._add_usage(metadata, turn)
        if usage:
            metadata.update(usage)
        metadata.update(details)
        event_type = EventType.ACTION_EXECUTED if success else EventType.ACTION_FAILED
        self._emit(event_type, turn.conversation_id, metadata)

    def _emit_error(
        self,
        turn: Turn,
        metadata: dict[str, Any],
        command_name: str | None,
        retryable: bool | None,
    ) -> None:
        self._error_seen = True
        if command_name is not None:
            metadata["command_name"] = command_name
        if retryable is not None:
            metadata["retryable"] = retryable
        self._emit(EventType.ERROR_OCCURRED, turn.conversation_id, metadata)

    def _open_stream(
        self,
        turn: Turn,
        now: float,
        *,
        coded: bool,
        intent: str | None = None,
        extra: dict[str, Any] | None = None,
    ) -> StreamRun:
        if not self._live:
            return StreamRun(turn, now, coded=coded)
        self._stop_counting()
        if len(self._streams) >= _MAX_OPEN:
            self._end_stream(self._streams[0], EndReason.SUPERSEDED, now, {})
        if not turn.begun:
            self._turns.begin(turn)
        run = StreamRun(turn, now, coded=coded)
        run.intent = intent or turn.intent
        turn.streamed = True
        turn.open += 1
        self._streams.append(run)
        metadata: dict[str, Any] = {}
        if run.intent is not None:
            metadata["intent"] = run.intent
        if extra is not None:
            metadata.update(extra)
        self._emit(EventType.STREAMING_STARTED, run.conversation_id, metadata)
        return run

    def _stop_counting(self) -> None:
        """Look at every frame again; a tracker adds what it has counted to the stream."""

    def _end_stream(
        self, run: StreamRun, reason: EndReason, now: float, details: dict[str, Any]
    ) -> bool:
        """End a stream, at most once; say whether it was open."""
        self._stop_counting()
        try:
            self._streams.remove(run)
        except ValueError:
            return False
        run.ended = True
        turn = run.turn
        turn.open -= 1
        metadata: dict[str, Any] = {
            "duration_ms": now - run.started_at,
            "chunk_count": run.chunks,
            "end_reason": reason,
        }
        if run.first_at is not None:
            metadata["ttft_ms"] = run.first_at - run.asked_at
            if run.chunks > 1 and reason not in _NOT_MEASURED:
                metadata["mean_gap_ms"] = (now - run.first_at) / (run.chunks - 1)
        if run.token_count is not None:
            metadata["token_count"] = run.token_count
        intent = run.intent or turn.intent
        if intent is not None:
            metadata["intent"] = intent
        self._add_usage(metadata, turn)
        if run.usage:
            metadata.update(run.usage)
        metadata.update(details)
        self._emit(
            EventType.STREAMING_COMPLETED
            if reason is EndReason.COMPLETED
            else EventType.STREAMING_INTERRUPTED,
            run.conversation_id or turn.conversation_id,
            metadata,
        )
        return True

    def _begin_steps(
        self,
        turn: Turn,
        total: int | None,
        now: float,
        *,
        coded: bool,
        extra: dict[str, Any] | None = None,
    ) -> StepsRun:
        if not self._live:
            return StepsRun(turn, now, total, coded=coded)
        if len(self._runs) >= _MAX_OPEN:
            self._end_steps(self._runs[0], EndReason.SUPERSEDED, now, {})
        if not turn.begun:
            self._turns.begin(turn)
        run = StepsRun(turn, now, total, coded=coded)
        turn.stepped = True
        turn.open += 1
        self._runs.append(run)
        metadata: dict[str, Any] = {}
        if total is not None:
            metadata["steps_total"] = total
        if extra is not None:
            metadata.update(extra)
        self._emit(EventType.MULTI_STEP_STARTED, run.conversation_id, metadata)
        return run

    def _end_steps(
        self, run: StepsRun, reason: EndReason, now: float, details: dict[str, Any]
    ) -> bool:
        """End a run of steps, at most once; say whether it was going on."""
        try:
            self._runs.remove(run)
        except ValueError:
            return False
        run.turn.open -= 1
        metadata: dict[str, Any] = {
            "steps_completed": run.completed,
            "duration_ms": now - run.started_at,
        }
        if run.total is not None:
            metadata["steps_total"] = run.total
        completed = reason is EndReason.COMPLETED
        if not completed:
            metadata["end_reason"] = reason
        metadata.update(details)
        self._emit(
            EventType.MULTI_STEP_COMPLETED if completed else EventType.MULTI_STEP_FAILED,
            run.conversation_id or run.turn.conversation_id,
            metadata,
        )
        return True

    def _add_usage(self, metadata: dict[str, Any], turn: Turn) -> None:
        usage = turn.usage
        if usage is not None:
            turn.usage = None
            metadata.update(usage)

    def _error_details(
        self, error: BaseException | None, error_type: str | None, message: str | None
    ) -> dict[str, Any]:
        details: dict[str, Any] = {}
        if error is not None:
            error_type = error_type or error_type_of(error)
            # A cancellation's message is the canceller's, not a failure's.
            if message is None and isinstance(error, Exception):
                message = self._text_of(error)
        if error_type is not None:
            details["error_type"] = error_type
        if message:
            details["error_message"] = message[:_MAX_TEXT]
        return details

    def _text_of(self, exc: BaseException) -> str:
        # The host's code: it may do anything.
        with self.guard.attempt("exception text"):
            return str(exc)[:_MAX_TEXT]
        return ""
