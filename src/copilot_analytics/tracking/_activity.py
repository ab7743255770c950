"""The explicit API's half of a tracker: what the application says itself."""

from __future__ import annotations

from typing import Any

from ..events import EndReason
from ._faults import MAX_TEXT
from ._happenings import MAX_OPEN, Happenings, add_usage
from ._runs import CommandRun, StepsRun, StreamRun
from ._turns import same_conversation

__all__ = ["Activity"]


class Activity(Happenings):
    """What happens for one user, as the application tells it.

    On a connection it is a `ConnectionTracker`. By itself it stands for work outside any
    connection. Sans-I/O; its methods may be called from several threads. Its arguments and
    attributes are those of `Happenings`.
    """

    __slots__ = ()

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
                if going_on.turn is turn and len(going_on.reported) < MAX_OPEN:
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
        return self._open_stream(turn, self._monotonic(), True)

    def count_content(self, run: StreamRun, count: int = 1) -> None:
        """Count pieces of a stream that the application sends and no adapter recognises."""
        self._count_content(run, count)

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
        if error is not None:
            reason = self._ended_by(error, details)
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
        if error is not None:
            reason = self._ended_by(error, details)
        self._end_steps(run, reason, self._monotonic(), details)

    def _ended_by(self, error: BaseException, details: dict[str, Any]) -> EndReason:
        """Return why what an exception has left has ended; a fault is noted in the details."""
        if not isinstance(error, Exception):
            return EndReason.CANCELLED
        details["fault_id"] = self._faults.of(error).fault_id
        return EndReason.ERROR

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
        else:
            add_usage(place.usage, usage)

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
                metadata["error_message"] = message[:MAX_TEXT]
        turn = self._turns.at_hand(conversation_id)
        self._emit_error(turn, metadata, command_name or turn.command, retryable)
