"""What a wire protocol does not carry: said by the application, where it happens.

    with command("add-supplier"):
        ...

On a tracked connection (found through a context variable, so also in the tasks and
`asyncio.to_thread` calls that its handler starts) this belongs to the connection and to the user's
message that is being answered. Outside of any it needs a `user_id`, and goes to the only
`Analytics` in use or the one given. Where there is neither, and where analytics is switched off,
nothing happens. Nothing here raises into the application, except that a strict `Analytics` shows
its own failures.
"""

from __future__ import annotations

import functools
import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextvars import Token
from types import TracebackType
from typing import Any, Generic, ParamSpec, Self, TypeVar, cast

from ._live import LiveAnalytics
from ._place import Place, bind, current_place, enter, find, leave, miss
from .events import EndReason
from .tracking import Activity, CommandRun, ConnectionTracker, StepsRun, StreamRun

__all__ = [
    "bind",
    "command",
    "identify_connection",
    "multi_step",
    "stream",
    "track_clarification",
    "track_error",
    "track_intent",
    "track_usage",
]

P = ParamSpec("P")
R = TypeVar("R")
RunT = TypeVar("RunT", CommandRun, StreamRun, StepsRun)


class _Piece(ABC, Generic[RunT]):
    """A piece of the application's work: a context manager, and a decorator of functions.

    As a context manager each is entered once; a decorator begins a new one with every call. An
    exception passes untouched.
    """

    def __init__(
        self,
        user_id: str | None,
        conversation_id: str | None,
        analytics: LiveAnalytics | None,
    ) -> None:
        self._user_id = user_id
        self._conversation_id = conversation_id
        self._analytics = analytics
        self._activity: Activity | None = None
        self._run: RunT | None = None
        self._token: Token[Place | None] | None = None
        self._failure: tuple[str | None, str | None] | None = None

    def __enter__(self) -> Self:
        activity = self._find()
        if activity is not None:
            with activity.guard("current.begin"):
                run = self._begin(activity)
                self._activity, self._run = activity, run
                self._token = enter((activity, run))
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        activity, run = self._activity, self._run
        if activity is not None and run is not None:
            leave(self._token)
            with activity.guard("current.end"):
                self._end(activity, run, exc)

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """Return the function, each call of which is such a piece of work.

        Raises:
            TypeError: it is a generator function, whose calls end before its work begins.
        """
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise TypeError(
                f"{type(self).__name__} decorates functions and coroutine functions, not the "
                f"generator function {function.__qualname__}: use `with` inside of it"
            )
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def call_async(*args: P.args, **kwargs: P.kwargs) -> Any:
                with self._again():
                    return await function(*args, **kwargs)

            return cast("Callable[P, R]", call_async)

        @functools.wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            with self._again():
                return function(*args, **kwargs)

        return call

    def fail(self, error_type: str | None = None, message: str | None = None) -> None:
        """Say that it has failed, where no exception does.

        Args:
            error_type: what failed.
            message: why; without personal data before it is stored.
        """
        self._failure = (error_type, message)

    def _find(self) -> Activity | None:
        return find(type(self).__name__, self._user_id, self._analytics)

    @abstractmethod
    def _again(self) -> Self:
        """Return one like this that was not entered yet."""

    @abstractmethod
    def _begin(self, activity: Activity) -> RunT:
        """Begin the work."""

    @abstractmethod
    def _end(self, activity: Activity, run: RunT, exc: BaseException | None) -> None:
        """End the work."""


class command(_Piece[CommandRun]):  # reads as the function it is used as
    """A command that the copilot runs: ACTION_EXECUTED, or ACTION_FAILED with an exception's type.

    A failed command alone is no error; its exception is one if it leaves the connection's handler,
    or is given to `track_error`. A cancelled command has failed. While one runs, and after it,
    actions that frames of the same answer tell of are not recorded again.

    Args:
        name: the command.
        user_id: whose it is, outside a connection or for somebody else.
        conversation_id: the thread of messages; by default that of the user's message.
        analytics: where it goes, outside a connection; by default the only one in use.
    """

    def __init__(
        self,
        name: str,
        *,
        user_id: str | None = None,
        conversation_id: str | None = None,
        analytics: LiveAnalytics | None = None,
    ) -> None:
        super().__init__(user_id, conversation_id, analytics)
        self._name = name

    def _again(self) -> Self:
        return type(self)(
            self._name,
            user_id=self._user_id,
            conversation_id=self._conversation_id,
            analytics=self._analytics,
        )

    def _begin(self, activity: Activity) -> CommandRun:
        return activity.begin_command(self._name, conversation_id=self._conversation_id)

    def _end(self, activity: Activity, run: CommandRun, exc: BaseException | None) -> None:
        error_type, message = self._failure or (None, None)
        activity.end_command(
            run,
            exc,
            success=self._failure is None,
            error_type=error_type,
            error_message=message,
        )


class stream(_Piece[StreamRun]):  # reads as the function it is used as
    """An answer in pieces: STREAMING_STARTED, then STREAMING_COMPLETED or STREAMING_INTERRUPTED.

    Where frames tell of the same stream it is recorded once, whoever is first.

    Args:
        user_id: whose it is, outside a connection or for somebody else.
        conversation_id: the thread of messages; by default that of the user's message.
        analytics: where it goes, outside a connection; by default the only one in use.
    """

    def __init__(
        self,
        *,
        user_id: str | None = None,
        conversation_id: str | None = None,
        analytics: LiveAnalytics | None = None,
    ) -> None:
        super().__init__(user_id, conversation_id, analytics)
        self._reason = EndReason.COMPLETED

    def content(self, count: int = 1) -> None:
        """Count pieces that no adapter recognises; the first gives the time to first token."""
        if self._activity is not None and self._run is not None:
            with self._activity.guard("current.content"):
                self._activity.count_content(self._run, count)

    def tokens(self, count: int) -> None:
        """Add to the tokens of the answer."""
        if self._run is not None:
            self._run.token_count = (self._run.token_count or 0) + count

    def interrupt(self, reason: EndReason = EndReason.INTERRUPTED) -> None:
        """Say that it ends before it is complete."""
        self._reason = reason

    def fail(self, error_type: str | None = None, message: str | None = None) -> None:
        """Say that it ends with a failure, where no exception does; see `command`."""
        super().fail(error_type, message)
        self._reason = EndReason.ERROR

    def _again(self) -> Self:
        return type(self)(
            user_id=self._user_id,
            conversation_id=self._conversation_id,
            analytics=self._analytics,
        )

    def _begin(self, activity: Activity) -> StreamRun:
        return activity.begin_stream(conversation_id=self._conversation_id)

    def _end(self, activity: Activity, run: StreamRun, exc: BaseException | None) -> None:
        error_type, message = self._failure or (None, None)
        activity.end_stream(
            run, exc, reason=self._reason, error_type=error_type, error_message=message
        )


class multi_step(_Piece[StepsRun]):  # reads as the function it is used as
    """A run of several steps: MULTI_STEP_STARTED, then MULTI_STEP_COMPLETED or MULTI_STEP_FAILED.

        with multi_step(total=2) as steps:
            with steps.step("find-supplier"):
                ...

    Where frames tell of the same run it is recorded once, whoever is first.

    Args:
        total: how many steps there will be, if known.
        user_id: whose it is, outside a connection or for somebody else.
        conversation_id: the thread of messages; by default that of the user's message.
        analytics: where it goes, outside a connection; by default the only one in use.
    """

    def __init__(
        self,
        total: int | None = None,
        *,
        user_id: str | None = None,
        conversation_id: str | None = None,
        analytics: LiveAnalytics | None = None,
    ) -> None:
        super().__init__(user_id, conversation_id, analytics)
        self._total = total

    def step(self, name: str) -> _Step:
        """Return the next step, a command: a context manager, and a decorator."""
        return _Step(name, self._activity, self._run)

    def _again(self) -> Self:
        return type(self)(
            self._total,
            user_id=self._user_id,
            conversation_id=self._conversation_id,
            analytics=self._analytics,
        )

    def _begin(self, activity: Activity) -> StepsRun:
        return activity.begin_steps(self._total, conversation_id=self._conversation_id)

    def _end(self, activity: Activity, run: StepsRun, exc: BaseException | None) -> None:
        error_type, message = self._failure or (None, None)
        activity.end_steps(
            run,
            exc,
            reason=EndReason.COMPLETED if self._failure is None else EndReason.ERROR,
            error_type=error_type,
            error_message=message,
        )


class _Step(command):
    """A step of a run."""

    def __init__(self, name: str, activity: Activity | None, steps: StepsRun | None) -> None:
        super().__init__(name)
        self._steps = (activity, steps)

    def _find(self) -> Activity | None:
        return self._steps[0]

    def _again(self) -> Self:
        return type(self)(self._name, *self._steps)

    def _begin(self, activity: Activity) -> CommandRun:
        return activity.begin_command(self._name, steps=self._steps[1])


def identify_connection(user_id: str) -> None:
    """Say who is on the current connection, once that is known; earlier events stay as they are.

    Args:
        user_id: the application's id of the user; stored as configuration says.
    """
    place = current_place()
    if place is None or not isinstance(place[0], ConnectionTracker):
        miss("identify_connection", "called outside a tracked connection")
        return
    with place[0].guard("current.identify"):
        place[0].identify(user_id)


def track_intent(
    name: str,
    confidence: float | None = None,
    *,
    user_id: str | None = None,
    conversation_id: str | None = None,
    analytics: LiveAnalytics | None = None,
) -> None:
    """Say what the user's message was taken to mean: INTENT_CLASSIFIED, the first one an answer.

    Args:
        name: the intent.
        confidence: the classifier's, 0..1.
        user_id: whose message it was, outside a connection or for somebody else.
        conversation_id: the thread of messages; by default that of the user's message.
        analytics: where it goes, outside a connection; by default the only one in use.
    """
    activity = find("track_intent", user_id, analytics)
    if activity is not None:
        with activity.guard("current.track_intent"):
            activity.track_intent(name, confidence, conversation_id=conversation_id)


def track_clarification(
    intent: str | None = None,
    *,
    user_id: str | None = None,
    conversation_id: str | None = None,
    analytics: LiveAnalytics | None = None,
) -> None:
    """Say that the copilot asks back instead of acting: CLARIFICATION_REQUESTED.

    Args:
        intent: what it guessed; by default the intent of the user's message.
        user_id: whose message it was, outside a connection or for somebody else.
        conversation_id: the thread of messages; by default that of the user's message.
        analytics: where it goes, outside a connection; by default the only one in use.
    """
    activity = find("track_clarification", user_id, analytics)
    if activity is not None:
        with activity.guard("current.track_clarification"):
            activity.track_clarification(intent, conversation_id=conversation_id)


def track_error(
    error: BaseException | str,
    message: str | None = None,
    *,
    command_name: str | None = None,
    retryable: bool | None = None,
    user_id: str | None = None,
    conversation_id: str | None = None,
    analytics: LiveAnalytics | None = None,
) -> None:
    """Record an ERROR_OCCURRED; one exception object is one error, however often it is seen.

    Args:
        error: the exception, or the error's type.
        message: what it says, without personal data before it is stored; an exception has its own.
        command_name: the command that it is about; by default the one that failed or runs.
        retryable: whether a retry may help.
        user_id: whose it is, outside a connection or for somebody else.
        conversation_id: the thread of messages; by default that of the user's message.
        analytics: where it goes, outside a connection; by default the only one in use.
    """
    activity = find("track_error", user_id, analytics)
    if activity is not None:
        with activity.guard("current.track_error"):
            activity.track_error(
                error,
                message,
                command_name=command_name,
                retryable=retryable,
                conversation_id=conversation_id,
            )


def track_usage(
    *,
    model: str | None = None,
    input_tokens: int | None = None,
    output_tokens: int | None = None,
    cache_read_tokens: int | None = None,
    cache_write_tokens: int | None = None,
    reasoning_tokens: int | None = None,
    cost: float | None = None,
    conversation_id: str | None = None,
) -> None:
    """Add what a model call used to the command or stream around it, else to the answer's next end.

    That is an action, a stream's end or a clarification: call it before the answer is over. Numbers
    of several calls add up. It has no user id of its own: outside a connection it belongs inside of
    a `command` or `stream`.

    Args:
        model: the model; of several the last one is named.
        input_tokens: uncached input tokens.
        output_tokens: output tokens without reasoning.
        cache_read_tokens: input tokens read from the provider's cache.
        cache_write_tokens: input tokens written to the provider's cache.
        reasoning_tokens: reasoning tokens.
        cost: what the call cost, in US dollars.
        conversation_id: the thread of messages; by default that of the user's message.
    """
    usage = {
        "model": model,
        "input_tokens": input_tokens,
        "output_tokens": output_tokens,
        "cache_read_tokens": cache_read_tokens,
        "cache_write_tokens": cache_write_tokens,
        "reasoning_tokens": reasoning_tokens,
        "cost": cost,
    }
    place = current_place()
    if place is None:
        miss("track_usage", "called outside a tracked connection")
        return
    activity, run = place
    if isinstance(run, StepsRun) or (run is not None and run.ended):
        run = None
    with activity.guard("current.track_usage"):
        activity.track_usage(
            {key: value for key, value in usage.items() if value is not None},
            run=run,
            conversation_id=conversation_id,
        )
