"""What the application says itself: on the current connection, and outside of any."""

from __future__ import annotations

import asyncio
import gc
import logging
import threading
import traceback
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest

from copilot_analytics import _live, _place
from copilot_analytics._guard import Guard
from copilot_analytics.analytics import Analytics
from copilot_analytics.config import AnalyticsConfig
from copilot_analytics.current import (
    bind,
    command,
    identify_connection,
    multi_step,
    stream,
    track_clarification,
    track_error,
    track_intent,
    track_usage,
)
from copilot_analytics.errors import ConfigurationError
from copilot_analytics.events import EndReason, EventType, Observation
from copilot_analytics.protocols.omnitrack import OmnitrackAdapter
from copilot_analytics.testing import FakeClock
from copilot_analytics.tracking import ConnectionTracker

E = EventType


class Recorded:
    """An opened tracker and what it recorded."""

    def __init__(self, *, guard: Guard | None = None) -> None:
        self.clock = FakeClock()
        self.events: list[Observation] = []
        self.tracker = ConnectionTracker(
            OmnitrackAdapter(),
            self.events.append,
            clock=self.clock,
            connection_id="c-1",
            resolve_user=lambda: "user-1",
            stored_user_id=lambda user_id: f"stored {user_id}",
            guard=guard or Guard(strict=True),
        )
        self.tracker.opened()

    def message(self, conversation_id: str = "k-1") -> None:
        self.tracker.client_frame(
            f'{{"action": "message", "message": "hi", "conversationId": "{conversation_id}"}}'
        )

    def only(self, kind: EventType) -> dict[str, Any]:
        [event] = [event for event in self.events if event.event_type is kind]
        return event.metadata

    def types(self) -> list[EventType]:
        return [event.event_type for event in self.events if "WEBSOCKET" not in event.event_type]


@pytest.fixture
def recorded() -> Iterator[Recorded]:
    made = Recorded()
    with bind(made.tracker):
        yield made


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that other tests have left behind is in use, and every miss is logged."""
    gc.collect()
    for analytics in _live.live():
        _live.forget(analytics)
    monkeypatch.setattr(_place._misses, "_due", 0.0)


# --- commands -------------------------------------------------------------------------------------


def test_command_is_timed_and_belongs_to_the_message(recorded: Recorded) -> None:
    recorded.message()
    track_intent("add", 0.9)
    with command("add-supplier"):
        recorded.clock.advance(25)
    assert recorded.only(E.ACTION_EXECUTED) == {
        "success": True,
        "command_name": "add-supplier",
        "execution_ms": 25.0,
        "intent": "add",
    }
    assert recorded.events[-1].conversation_id == "k-1"


def raised_by(work: Callable[[], object]) -> BaseException:
    with pytest.raises(BaseException) as caught:  # noqa: PT011  # any
        work()
    return caught.value


@pytest.mark.parametrize("scope", [command("x"), stream(), multi_step()])
def test_exception_passes_untouched(
    recorded: Recorded, scope: AbstractContextManager[object]
) -> None:
    fault = LookupError("gone")

    def bare() -> None:
        raise fault

    def inside() -> None:
        with scope:
            raise fault

    raised_by(bare)
    frames = len(traceback.extract_tb(fault.__traceback__))
    fault.__traceback__ = None
    assert raised_by(inside) is fault
    assert len(traceback.extract_tb(fault.__traceback__)) == frames
    assert (fault.__context__, fault.__cause__, vars(fault)) == (None, None, {})


def test_exception_makes_a_failed_action_with_its_type(recorded: Recorded) -> None:
    with pytest.raises(LookupError), command("find"):
        raise LookupError("gone")
    failed = recorded.only(E.ACTION_FAILED)
    assert (failed["error_type"], failed["error_message"]) == ("LookupError", "gone")
    assert "fault_id" in failed
    assert E.ERROR_OCCURRED not in recorded.types()


def test_cancelled_command_has_failed_without_an_error(recorded: Recorded) -> None:
    async def work() -> None:
        with command("slow"):
            await asyncio.Event().wait()

    async def main() -> None:
        task = asyncio.create_task(work())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError) as caught:
            await task
        recorded.tracker.failed(caught.value)

    asyncio.run(main())
    assert recorded.types() == [E.ACTION_FAILED]
    assert recorded.only(E.ACTION_FAILED)["error_type"] == "CancelledError"


def test_command_can_fail_without_an_exception(recorded: Recorded) -> None:
    with command("find") as running:
        running.fail("NotFound", "nobody of that name")
    assert recorded.only(E.ACTION_FAILED) == {
        "success": False,
        "command_name": "find",
        "execution_ms": 0.0,
        "error_type": "NotFound",
        "error_message": "nobody of that name",
    }


def test_functions_and_coroutine_functions_can_be_decorated(recorded: Recorded) -> None:
    @command("add")
    def add(one: int, *, other: int) -> int:
        """Add."""
        return one + other

    @command("add-later")
    async def add_later(one: int, other: int) -> int:
        await asyncio.sleep(0)
        recorded.clock.advance(5)
        return one + other

    @stream()
    async def answer() -> str:
        return "x"

    @multi_step(2)
    def steps() -> None:
        return None

    assert add(1, other=2) == 3
    assert add(2, other=2) == 4
    assert asyncio.run(add_later(1, 2)) == 3
    assert asyncio.iscoroutinefunction(add_later)
    assert (add.__name__, add.__doc__) == ("add", "Add.")
    assert asyncio.run(answer()) == "x"
    steps()
    assert recorded.types() == [
        E.ACTION_EXECUTED,
        E.ACTION_EXECUTED,
        E.ACTION_EXECUTED,
        E.STREAMING_STARTED,
        E.STREAMING_COMPLETED,
        E.MULTI_STEP_STARTED,
        E.MULTI_STEP_COMPLETED,
    ]
    assert recorded.events[3].metadata["execution_ms"] == 5.0


def test_exception_of_a_decorated_function_passes_untouched(recorded: Recorded) -> None:
    fault = LookupError("gone")

    @command("find")
    async def find() -> None:
        raise fault

    assert raised_by(lambda: asyncio.run(find())) is fault
    assert fault.__context__ is None
    assert recorded.types() == [E.ACTION_FAILED]


def test_generator_functions_are_refused_when_decorated() -> None:
    def numbers() -> Iterator[int]:
        yield 1

    async def numbers_later() -> AsyncIterator[int]:
        yield 1

    with pytest.raises(TypeError, match="use `with` inside"):
        command("count")(numbers)
    with pytest.raises(TypeError, match="use `with` inside"):
        stream()(numbers_later)


def test_concurrent_commands_do_not_mix(recorded: Recorded) -> None:
    async def work(number: int) -> None:
        with command(f"command-{number}"):
            await asyncio.sleep(0)
            track_usage(input_tokens=number)
            await asyncio.sleep(0)

    async def main() -> None:
        await asyncio.gather(*map(work, range(1, 6)))

    asyncio.run(main())
    assert {
        event.metadata["command_name"]: event.metadata["input_tokens"]
        for event in recorded.events
        if event.event_type is E.ACTION_EXECUTED
    } == {f"command-{number}": number for number in range(1, 6)}


def test_threads_of_the_handler_have_its_connection(recorded: Recorded) -> None:
    def work(number: int) -> None:
        with command(f"command-{number}"):
            track_usage(input_tokens=number)

    async def main() -> None:
        await asyncio.gather(*[asyncio.to_thread(work, number) for number in range(20)])

    asyncio.run(main())
    assert {
        event.metadata["command_name"]: event.metadata["input_tokens"]
        for event in recorded.events
        if event.event_type is E.ACTION_EXECUTED
    } == {f"command-{number}": number for number in range(20)}


def test_tasks_belong_to_the_message_they_were_started_for(recorded: Recorded) -> None:
    async def answer(go: asyncio.Event) -> None:
        await go.wait()
        with command("answer"):
            pass

    async def main() -> None:
        go = asyncio.Event()
        tasks = []
        for name in "abc":
            recorded.message(name)
            tasks.append(asyncio.create_task(answer(go)))
        go.set()
        await asyncio.gather(*tasks)

    asyncio.run(main())
    actions = [event for event in recorded.events if event.event_type is E.ACTION_EXECUTED]
    assert [event.conversation_id for event in actions] == ["a", "b", "c"]


# --- streams and steps ----------------------------------------------------------------------------


def test_stream_counts_what_no_adapter_sees(recorded: Recorded) -> None:
    recorded.message()
    with stream() as answer:
        for _ in range(3):
            recorded.clock.advance(10)
            answer.content()
        answer.tokens(40)
        answer.tokens(2)
        track_usage(model="m", output_tokens=42)
    assert recorded.only(E.STREAMING_COMPLETED) == {
        "ttft_ms": 10.0,
        "duration_ms": 30.0,
        "mean_gap_ms": 10.0,
        "chunk_count": 3,
        "token_count": 42,
        "end_reason": EndReason.COMPLETED,
        "model": "m",
        "output_tokens": 42,
    }


def test_stream_can_end_early() -> None:
    recorded = Recorded()
    with bind(recorded.tracker):
        with stream() as answer:
            answer.interrupt(EndReason.MAX_TOKENS)
        with stream() as answer:
            answer.fail("ModelDown", "no answer")
        with pytest.raises(LookupError), stream():
            raise LookupError
        with pytest.raises(asyncio.CancelledError), stream():
            raise asyncio.CancelledError
    ends = [event.metadata for event in recorded.events if "end_reason" in event.metadata]
    assert [(end["end_reason"], end.get("error_type")) for end in ends] == [
        (EndReason.MAX_TOKENS, None),
        (EndReason.ERROR, "ModelDown"),
        (EndReason.ERROR, "LookupError"),
        (EndReason.CANCELLED, "CancelledError"),
    ]


def test_steps_are_commands_with_numbers(recorded: Recorded) -> None:
    with multi_step(total=2) as steps:
        with steps.step("find"):
            recorded.clock.advance(5)

        @steps.step("order")
        def order() -> None:
            recorded.clock.advance(7)

        order()
    actions = [event.metadata for event in recorded.events if event.event_type is E.ACTION_EXECUTED]
    assert actions == [
        {"success": True, "command_name": "find", "execution_ms": 5.0, "step_number": 1},
        {"success": True, "command_name": "order", "execution_ms": 7.0, "step_number": 2},
    ]
    assert recorded.only(E.MULTI_STEP_COMPLETED) == {
        "steps_total": 2,
        "steps_completed": 2,
        "duration_ms": 12.0,
    }


def test_failing_step_fails_the_run_with_one_fault(recorded: Recorded) -> None:
    fault = ValueError("no stock")
    with pytest.raises(ValueError, match="no stock"), multi_step() as steps, steps.step("order"):
        raise fault
    recorded.tracker.failed(fault)
    assert recorded.types() == [
        E.MULTI_STEP_STARTED,
        E.ACTION_FAILED,
        E.MULTI_STEP_FAILED,
        E.ERROR_OCCURRED,
    ]
    ids = {event.metadata["fault_id"] for event in recorded.events if "fault_id" in event.metadata}
    assert len(ids) == 1


def test_run_of_steps_can_fail_without_an_exception(recorded: Recorded) -> None:
    with multi_step() as steps:
        steps.fail("NoStock")
    assert recorded.only(E.MULTI_STEP_FAILED)["error_type"] == "NoStock"


# --- the rest -------------------------------------------------------------------------------------


def test_clarifications_errors_and_identity(recorded: Recorded) -> None:
    recorded.message()
    track_intent("add", 0.4)
    track_clarification()
    identify_connection("ada")
    fault = LookupError("gone")
    track_error(fault, command_name="find", retryable=True)
    track_error(fault)
    track_error("Declined", "card declined")
    assert recorded.types() == [
        E.MESSAGE_SENT,
        E.INTENT_CLASSIFIED,
        E.CLARIFICATION_REQUESTED,
        E.ERROR_OCCURRED,
        E.ERROR_OCCURRED,
    ]
    assert [event.user_id for event in recorded.events][-2:] == ["stored ada", "stored ada"]
    assert recorded.events[-1].metadata == {
        "error_type": "Declined",
        "error_message": "card declined",
    }


def test_usage_in_work_that_has_ended_goes_to_the_answer(recorded: Recorded) -> None:
    async def main() -> None:
        async def background(go: asyncio.Event) -> None:
            await go.wait()
            track_usage(input_tokens=3)

        go = asyncio.Event()
        with command("first"):
            task = asyncio.create_task(background(go))
        go.set()
        await task
        with command("second"):
            pass

    asyncio.run(main())
    assert recorded.events[-1].metadata["input_tokens"] == 3


def test_scope_left_in_another_context_does_no_harm(recorded: Recorded) -> None:
    entered = command("x")

    async def enter() -> None:
        entered.__enter__()

    asyncio.run(enter())
    entered.__exit__(None, None, None)
    assert recorded.types() == [E.ACTION_EXECUTED]
    with command("y"):
        pass
    assert recorded.types() == [E.ACTION_EXECUTED, E.ACTION_EXECUTED]


def test_connection_that_is_bound_and_never_left_holds_for_its_task() -> None:
    recorded = Recorded()

    async def task() -> None:
        bind(recorded.tracker).__enter__()
        gc.collect()
        with command("x"):
            pass

    asyncio.run(task())
    assert recorded.types() == [E.ACTION_EXECUTED]
    with command("outside"):
        pass
    assert recorded.types() == [E.ACTION_EXECUTED]


# --- outside a connection -------------------------------------------------------------------------


def analytics_of(**settings: Any) -> Analytics:
    return Analytics("memory://", config=AnalyticsConfig(strict=True, **settings))


def counted(analytics: Analytics) -> int:
    return analytics.recorder.health().accepted


def test_only_analytics_in_use_takes_what_names_a_user() -> None:
    analytics = analytics_of()
    with command("report", user_id="ada", conversation_id="k-1"):
        track_usage(input_tokens=3)
        track_intent("report")
    with multi_step(user_id="ada") as steps, steps.step("find"):
        pass
    track_clarification(user_id="ada")
    track_error(ValueError("x"), user_id="ada")
    assert counted(analytics) == 7
    analytics.close()


def test_analytics_given_is_used() -> None:
    first, second = analytics_of(), analytics_of()
    with command("report", user_id="ada", analytics=second):
        pass
    assert (counted(first), counted(second)) == (0, 1)
    first.close()
    second.close()


def test_somebody_elses_work_inside_a_connection_is_theirs(recorded: Recorded) -> None:
    fault = LookupError("gone")
    with pytest.raises(LookupError), command("nightly", user_id="bob"):
        raise fault
    recorded.tracker.failed(fault)
    action, error = recorded.events[-1], recorded.only(E.ERROR_OCCURRED)
    [action] = [event for event in recorded.events if event.event_type is E.ACTION_FAILED]
    assert (action.user_id, action.connection_id) == ("stored bob", None)
    assert error["fault_id"] == action.metadata["fault_id"]


def everything() -> None:
    with command("x", user_id="ada") as running:
        running.fail()
    with stream(user_id="ada") as answer:
        answer.content()
        answer.tokens(1)
    with multi_step(user_id="ada") as steps, steps.step("y"):
        track_usage(input_tokens=1)
    track_intent("x", user_id="ada")
    track_clarification(user_id="ada")
    track_error("X", user_id="ada")
    identify_connection("ada")


def test_nothing_happens_without_any_analytics_but_one_line(
    caplog: pytest.LogCaptureFixture,
) -> None:
    everything()
    [record] = caplog.records
    assert record.getMessage() == (
        "command was called without analytics=, where not exactly one Analytics is in use: "
        "nothing is recorded"
    )
    assert record.levelno == logging.WARNING


def test_nothing_happens_where_it_cannot_be_told_which(caplog: pytest.LogCaptureFixture) -> None:
    first, second = analytics_of(), analytics_of()
    everything()
    assert len(caplog.records) == 1
    assert (counted(first), counted(second)) == (0, 0)
    first.close()
    second.close()


def test_nothing_happens_without_a_user(caplog: pytest.LogCaptureFixture) -> None:
    analytics = analytics_of()
    with command("x"):
        pass
    assert "without a user_id" in caplog.text
    assert counted(analytics) == 0
    analytics.close()


def test_nothing_happens_and_nothing_is_said_where_it_is_switched_off(
    caplog: pytest.LogCaptureFixture,
) -> None:
    analytics = analytics_of(enabled=False)
    everything()
    with command("x"):
        pass
    assert (counted(analytics), caplog.records) == (0, [])
    analytics.close()


def test_failure_of_ours_does_not_reach_the_application() -> None:
    def refuse(observation: Observation) -> None:
        raise RuntimeError("ours")

    guard = Guard()
    broken = Recorded(guard=guard)
    broken.tracker._record = refuse
    with bind(broken.tracker):
        with command("x"):
            pass
        with stream() as answer:
            answer.content()
        with pytest.raises(LookupError) as caught, multi_step():
            raise LookupError
        track_intent("x")
        track_error("X")
    assert caught.value.__context__ is None
    assert set(guard.errors) == {
        "current.begin",
        "current.end",
        "current.track_error",
        "current.track_intent",
    }


def test_threads_of_their_own_have_no_connection(recorded: Recorded) -> None:
    def work() -> None:
        with command("x"):
            pass

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert recorded.types() == []


def test_registry_says_what_to_do() -> None:
    with pytest.raises(ConfigurationError, match="make one first"):
        _live.only()
    first = analytics_of()
    assert _live.only() is first
    second = analytics_of()
    with pytest.raises(ConfigurationError, match="there are 2 in use"):
        _live.only()
    first.close()
    assert _live.only() is second
    second.close()
    assert _live.live() == ()
