"""The demo's copilot: it speaks the default wire protocol and does everything a copilot can do.

Sans-I/O: `Request.script` says which frames answer a message, with their delays, and what each of
them should count as. The demo plays the same scripts twice: into trackers under a simulated clock
for the back-dated month, and over real sockets.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from .tally import Tally

__all__ = [
    "COMMANDS",
    "CopilotCrashError",
    "Ending",
    "Request",
    "Scenario",
    "Script",
    "Step",
    "sample_requests",
]

COMMANDS = (
    "search-suppliers",
    "add-supplier",
    "create-order",
    "track-shipment",
    "summarise-report",
    "send-invoice",
    "update-contact",
    "schedule-delivery",
    "export-catalogue",
    "compare-prices",
)


class CopilotCrashError(RuntimeError):
    """The sample copilot's handler fails on purpose."""


class Scenario(StrEnum):
    """What a message makes the sample copilot do."""

    ANSWER = "answer"
    FAIL = "fail"
    CLARIFY = "clarify"
    STREAM = "stream"
    VARIANT = "variant"
    INTERRUPT = "interrupt"
    STEPS = "steps"
    STEPS_FAIL = "steps-fail"
    ERROR = "error"
    QUEUED = "queued"
    LEAVE = "leave"
    CRASH = "crash"


_SCENARIOS = frozenset(scenario.value for scenario in Scenario)


class Ending(StrEnum):
    """What happens to the connection after a script's last frame."""

    OPEN = "open"
    CLIENT_LEAVES = "client leaves"
    HANDLER_RAISES = "handler raises"


@dataclass(frozen=True, slots=True)
class Step:
    """One server frame, and how long the copilot takes before it sends it, in milliseconds."""

    delay_ms: float
    frame: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Script:
    """The copilot's whole answer to one message.

    Attributes:
        steps: the frames in order.
        ending: what happens afterwards.
        failure: the text of the exception that the handler raises, if it does.
        tally: what the message and its answer count as.
    """

    steps: tuple[Step, ...]
    ending: Ending
    failure: str
    tally: Tally


@dataclass(frozen=True, slots=True)
class Request:
    """What a simulated user asks for; it travels as the message's text."""

    scenario: Scenario
    command: str
    seed: int

    def text(self) -> str:
        """Return the message's text: what a user might say, and the tag the copilot reads."""
        return (
            f"Please {self.command.replace('-', ' ')} for Jane Doe <jane.doe@example.com>, "
            f"card 4111 1111 1111 1111 [{self.scenario}|{self.command}|{self.seed}]"
        )

    @classmethod
    def parse(cls, text: str) -> Request:
        """Return the request in a message's text; anything a person types is an `ANSWER`."""
        scenario, _, rest = text.rpartition("[")[2].rstrip("]").partition("|")
        command, _, seed = rest.partition("|")
        if scenario in _SCENARIOS and command in COMMANDS and seed.isdecimal():
            return cls(Scenario(scenario), command, int(seed))
        return cls(Scenario.ANSWER, COMMANDS[0], 0)

    def script(self, conversation_id: str) -> Script:
        """Return the copilot's answer; the same request always gives the same one."""
        return _Author(self, conversation_id).write()


class _Author:
    """Writes one script: a method a scenario."""

    def __init__(self, request: Request, conversation_id: str) -> None:
        self._command = request.command
        self._scenario = request.scenario
        self._conversation_id = conversation_id
        self._random = random.Random(request.seed)
        self._steps: list[Step] = []
        self._tally = Tally()
        self._ending = Ending.OPEN
        self._failure = ""

    def write(self) -> Script:
        self._tally.messages += 1
        self._say(15, {"type": "acknowledgment", "conversationId": self._conversation_id})
        write: dict[Scenario, Callable[[], None]] = {
            Scenario.ANSWER: lambda: self._answer(success=True),
            Scenario.FAIL: lambda: self._answer(success=False),
            Scenario.CLARIFY: self._clarify,
            Scenario.STREAM: self._stream,
            Scenario.VARIANT: self._variant,
            Scenario.INTERRUPT: self._interrupt,
            Scenario.STEPS: lambda: self._multi_step(fails=False),
            Scenario.STEPS_FAIL: lambda: self._multi_step(fails=True),
            Scenario.ERROR: self._error,
            Scenario.QUEUED: self._queued,
            Scenario.LEAVE: self._leave,
            Scenario.CRASH: self._crash,
        }
        write[self._scenario]()
        return Script(tuple(self._steps), self._ending, self._failure, self._tally)

    def _say(self, delay_ms: float, frame: dict[str, Any]) -> None:
        self._steps.append(Step(delay_ms, frame))

    def _intent(self) -> dict[str, Any]:
        self._tally.intents += 1
        return {"intent": self._command, "confidence": round(self._random.uniform(0.55, 0.99), 2)}

    def _took(self) -> float:
        return round(self._random.lognormvariate(5.0, 0.7), 1)

    def _message(self, delay_ms: float, metadata: dict[str, Any]) -> None:
        self._say(
            delay_ms,
            {
                "type": "message",
                "content": "Done: Jane Doe (jane.doe@example.com) is in the list now.",
                "conversationId": self._conversation_id,
                "metadata": metadata,
            },
        )

    def _answer(self, *, success: bool) -> None:
        took = self._took()
        self._tally.execution(self._command, success=success)
        self._message(took, {**self._intent(), "actionSuccess": success, "executionTime": took})

    def _clarify(self) -> None:
        self._tally.clarifications += 1
        self._message(120, {**self._intent(), "requiresClarification": True})

    def _tokens(self, *, first_delay_ms: float, count: int) -> None:
        for number in range(count):
            token = self._random.choice(("Jane ", "Doe ", "order ", "is ", "on ", "its ", "way "))
            self._say(
                first_delay_ms if number == 0 else self._random.uniform(4, 30),
                {"type": "stream_token", "token": token},
            )

    def _open_stream(self) -> int:
        self._tally.streams_started += 1
        self._say(
            60,
            {
                "type": "stream_start",
                "conversationId": self._conversation_id,
                "metadata": self._intent(),
            },
        )
        count = self._random.randint(8, 24)
        self._tokens(first_delay_ms=self._random.lognormvariate(5.2, 0.4), count=count)
        return count

    def _stream(self) -> None:
        count = self._open_stream()
        self._tally.streams_completed += 1
        self._tally.tokens += count
        success = self._random.random() < 0.92
        self._tally.execution(self._command, success=success)
        self._say(
            10,
            {
                "type": "stream_complete",
                "metadata": {"tokenCount": count, "actionSuccess": success},
            },
        )

    def _variant(self) -> None:
        intent = self._intent()
        count = self._random.randint(5, 12)
        self._tally.streams_started += 1
        self._tally.streams_completed += 1
        self._tally.tokens += count
        self._tally.execution(self._command, success=True)
        for number in range(count):
            self._say(
                90 if number == 0 else 12,
                {"type": "stream", "token": "word ", "isComplete": False, "metadata": intent},
            )
        self._say(
            20,
            {
                "type": "complete",
                "content": "All words.",
                "metadata": {**intent, "executionTime": self._took(), "tokensUsed": count},
                "suggestions": [],
            },
        )

    def _interrupt(self) -> None:
        self._open_stream()
        self._tally.streams_interrupted += 1
        self._say(
            40,
            {
                "type": "stream_interrupted",
                "error": "model connection lost while writing to jane.doe@example.com",
                "partialResponse": "Dear Jane",
            },
        )

    def _multi_step(self, *, fails: bool) -> None:
        total = self._random.randint(2, 4)
        self._tally.multi_steps_started += 1
        self._say(30, {"type": "multi_step_start", "totalSteps": total})
        done = total - 1 if fails else total
        for number, command in enumerate(self._random.sample(COMMANDS, total)[:done], start=1):
            self._tally.execution(command, success=True)
            self._say(
                self._took(),
                {
                    "type": "multi_step_progress",
                    "stepNumber": number,
                    "intent": command,
                    "success": True,
                },
            )
        if fails:
            self._tally.multi_steps_failed += 1
            self._say(
                25,
                {
                    "type": "multi_step_failed",
                    "stepNumber": total,
                    "error": "no stock at 10.1.2.3 for order 4711",
                },
            )
        else:
            self._tally.multi_steps_completed += 1
            self._say(25, {"type": "multi_step_complete", "stepsExecuted": total})

    def _error(self) -> None:
        code, text = self._random.choice(
            (
                ("PaymentDeclined", "card 4111 1111 1111 1111 of jane.doe@example.com declined"),
                ("UpstreamTimeout", "no answer from https://erp.example.com/orders?id=4711"),
                ("NotFound", "supplier 'Doe & Sons' does not exist"),
                ("RateLimited", "quota of user 8f14e45f-ceea-467f-a9f4-1bb0a2f2a4c1 used up"),
            )
        )
        self._tally.errors[code] += 1
        self._say(80, {"type": "error", "error": text, "code": code, "retryable": True})

    def _queued(self) -> None:
        self._say(
            5,
            {
                "type": "request_queued",
                "requestId": "r-1",
                "position": 2,
                "totalInQueue": 3,
                "estimatedWaitTime": 400,
            },
        )
        self._answer(success=True)

    def _leave(self) -> None:
        self._open_stream()
        self._tally.streams_interrupted += 1
        self._ending = Ending.CLIENT_LEAVES

    def _crash(self) -> None:
        self._tally.errors[CopilotCrashError.__name__] += 1
        self._failure = "cannot reach the ledger of jane.doe@example.com"
        self._ending = Ending.HANDLER_RAISES


def sample_requests(source: random.Random, count: int) -> Iterator[Request]:
    """Yield a user's requests in one session; one that ends the connection is the last."""
    scenarios = (*_WEIGHTS,)
    for _ in range(count):
        (scenario,) = source.choices(scenarios, [_WEIGHTS[scenario] for scenario in scenarios])
        # Squared, so that some commands are much more popular than others.
        command = COMMANDS[int(len(COMMANDS) * source.random() ** 2)]
        yield Request(scenario, command, source.randrange(1 << 30))
        if scenario in (Scenario.LEAVE, Scenario.CRASH):
            return


_WEIGHTS = {
    Scenario.ANSWER: 34,
    Scenario.FAIL: 6,
    Scenario.CLARIFY: 7,
    Scenario.STREAM: 26,
    Scenario.VARIANT: 6,
    Scenario.INTERRUPT: 3,
    Scenario.STEPS: 5,
    Scenario.STEPS_FAIL: 2,
    Scenario.ERROR: 5,
    Scenario.QUEUED: 3,
    Scenario.LEAVE: 2,
    Scenario.CRASH: 1,
}
