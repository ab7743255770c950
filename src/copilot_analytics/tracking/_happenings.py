"""What happens, however it is told: open streams and runs of steps, and their events."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from .._guard import Guard
from ..events import EndReason, EventType, Observation
from ..typing import Clock
from ._faults import MAX_TEXT, Faults, error_type_of
from ._runs import StepsRun, StreamRun
from ._turns import Turn, Turns

__all__ = ["MAX_OPEN", "Happenings", "add_usage"]

MAX_OPEN = 64
"""Open streams, running steps and turns of one connection; beyond, the oldest ends."""

# Members of an enumeration cost 0.1 µs a look-up before Python 3.12.
_CLARIFICATION_REQUESTED = EventType.CLARIFICATION_REQUESTED
_INTENT_CLASSIFIED = EventType.INTENT_CLASSIFIED
_ACTION_EXECUTED = EventType.ACTION_EXECUTED
_ACTION_FAILED = EventType.ACTION_FAILED
_STREAMING_STARTED = EventType.STREAMING_STARTED
_STREAMING_COMPLETED = EventType.STREAMING_COMPLETED
_STREAMING_INTERRUPTED = EventType.STREAMING_INTERRUPTED
_COMPLETED = EndReason.COMPLETED
_CLOSED = EndReason.CLOSED
_SUPERSEDED = EndReason.SUPERSEDED

_NUMBERS = frozenset(
    {
        "cache_read_tokens",
        "cache_write_tokens",
        "cost",
        "input_tokens",
        "output_tokens",
        "reasoning_tokens",
    }
)
"""What adds up over several model calls."""


class Happenings:
    """What happens for one user: the state of it, and the only makers of its events.

    Every stream and every run of steps that has started ends exactly once.

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
        self._turns = Turns(MAX_OPEN)
        self._faults = Faults(self.guard)

    def _emit(
        self,
        event_type: EventType,
        conversation_id: str | None,
        metadata: dict[str, Any],
        hold: bool = False,
    ) -> None:
        if not self._recording:
            return
        if self._held:
            self._release()
        # Calling an attribute that is no method is slow before Python 3.12, a variable is not.
        now_ms = self._now
        observation = Observation(
            event_type, self.user_id, now_ms(), conversation_id, self.connection_id, metadata
        )
        if hold:
            self._held.append(observation)
        else:
            record = self._record
            record(observation)

    def _release(self) -> None:
        """Hand on what was held back."""
        held = self._held
        record = self._record
        while held:
            try:
                observation = held.popleft()
            except IndexError:  # another thread was faster
                return
            record(observation)

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
        self._emit(_INTENT_CLASSIFIED, turn.conversation_id, metadata)

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
        self._emit(_CLARIFICATION_REQUESTED, turn.conversation_id, metadata)

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
        if turn.usage is not None or usage is not None:
            self._add_usage(metadata, turn, usage)
        if details:
            metadata.update(details)
        event_type = _ACTION_EXECUTED if success else _ACTION_FAILED
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
        coded: bool,
        intent: str | None = None,
        extra: dict[str, Any] | None = None,
    ) -> StreamRun:
        if not self._live:
            return StreamRun(turn, None, now, now, coded=coded, framed=not coded, intent=intent)
        self._stop_counting()
        if len(self._streams) >= MAX_OPEN:
            self._end_stream(self._streams[0], _SUPERSEDED, now, {})
        if not turn.begun:
            self._turns.begin(turn)
        intent = intent or turn.intent
        asked_at = now if turn.asked_at is None or turn.answered else turn.asked_at
        run = StreamRun(turn, turn.conversation_id, now, asked_at, coded, not coded, intent)
        turn.streamed = True
        turn.open += 1
        self._streams.append(run)
        metadata: dict[str, Any] = {} if intent is None else {"intent": intent}
        if extra is not None:
            metadata.update(extra)
        self._emit(_STREAMING_STARTED, run.conversation_id, metadata)
        return run

    def _count_content(self, run: StreamRun, count: int = 1, now: float | None = None) -> None:
        """Count content of a stream; `now` spares reading the clock again."""
        if run.first_at is None:
            run.first_at = self._monotonic() if now is None else now
            run.turn.answered = True
        run.chunks += count

    def _stop_counting(self) -> None:
        """Look at every frame again; a tracker adds what it has counted to the stream."""

    def _end_stream(
        self,
        run: StreamRun,
        reason: EndReason,
        now: float,
        details: dict[str, Any],
        hold: bool = False,
    ) -> bool:
        """End a stream, at most once; say whether it was open.

        With `hold`, its event is handed on with what follows it.
        """
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
            # A close or another stream comes at any time after the last content.
            if run.chunks > 1 and reason is not _CLOSED and reason is not _SUPERSEDED:
                metadata["mean_gap_ms"] = (now - run.first_at) / (run.chunks - 1)
        if run.token_count is not None:
            metadata["token_count"] = run.token_count
        intent = run.intent or turn.intent
        if intent is not None:
            metadata["intent"] = intent
        if turn.usage is not None or run.usage is not None:
            self._add_usage(metadata, turn, run.usage)
        if details:
            metadata.update(details)
        self._emit(
            _STREAMING_COMPLETED if reason is _COMPLETED else _STREAMING_INTERRUPTED,
            run.conversation_id or turn.conversation_id,
            metadata,
            hold,
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
            return StepsRun(turn, None, now, now, total, coded=coded, framed=not coded)
        if len(self._runs) >= MAX_OPEN:
            self._end_steps(self._runs[0], _SUPERSEDED, now, {})
        if not turn.begun:
            self._turns.begin(turn)
        run = StepsRun(turn, turn.conversation_id, now, now, total, coded=coded, framed=not coded)
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
        completed = reason is _COMPLETED
        if not completed:
            metadata["end_reason"] = reason
        metadata.update(details)
        self._emit(
            EventType.MULTI_STEP_COMPLETED if completed else EventType.MULTI_STEP_FAILED,
            run.conversation_id or run.turn.conversation_id,
            metadata,
        )
        return True

    def _add_usage(
        self, metadata: dict[str, Any], turn: Turn, usage: dict[str, Any] | None = None
    ) -> None:
        """Add what waits in the turn, and what its command or stream has used itself."""
        waiting = turn.usage
        if waiting is not None:
            turn.usage = None
            metadata.update(waiting)
        if usage is not None:
            add_usage(metadata, usage)

    def _error_details(
        self, error: BaseException | None, error_type: str | None, message: str | None
    ) -> dict[str, Any]:
        details: dict[str, Any] = {}
        if error is not None:
            error_type = error_type or error_type_of(error)
            # A cancellation's message is the canceller's, not a failure's.
            if message is None and isinstance(error, Exception):
                message = self._faults.text_of(error)
        if error_type is not None:
            details["error_type"] = error_type
        if message:
            details["error_message"] = message[:MAX_TEXT]
        return details


def add_usage(total: dict[str, Any], usage: dict[str, Any]) -> None:
    """Add the numbers of a model call to others; of several models the last one is named."""
    for key, value in usage.items():
        so_far = total.get(key)
        # What frames say is not checked yet.
        if key in _NUMBERS and isinstance(so_far, (int, float)) and isinstance(value, (int, float)):
            value += so_far
        total[key] = value
