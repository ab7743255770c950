"""What is going on: an open stream, a run of several steps, a command that the application runs.

Trackers make them; whoever drives a tracker's explicit methods hands them back to end what they
stand for.
"""

from __future__ import annotations

from typing import Any

from ._turns import Turn

__all__ = ["CommandRun", "StepsRun", "StreamRun"]


class StreamRun:
    """An answer that is being sent in pieces.

    Attributes:
        turn: what it answers.
        conversation_id: the conversation, if named.
        started_at: monotonic ms.
        asked_at: where its TTFT counts from, monotonic ms.
        first_at: when its first content was sent, monotonic ms; None before.
        chunks: content frames counted so far (the tracker may hold more).
        token_count: tokens that the application reported.
        intent: what it answers, if the frames said.
        coded: whether the application opened it, or has taken it over.
        framed: whether frames opened it, or have taken it over.
        ended: whether its end was recorded.
        usage: of model calls that the application reported in it.
    """

    __slots__ = (
        "asked_at",
        "chunks",
        "coded",
        "conversation_id",
        "ended",
        "first_at",
        "framed",
        "intent",
        "started_at",
        "token_count",
        "turn",
        "usage",
    )

    def __init__(self, turn: Turn, started_at: float, *, coded: bool) -> None:
        self.turn = turn
        self.conversation_id = turn.conversation_id
        self.started_at = started_at
        self.asked_at = started_at
        if turn.asked_at is not None and not turn.answered:
            self.asked_at = turn.asked_at
        self.first_at: float | None = None
        self.chunks = 0
        self.token_count: int | None = None
        self.intent: str | None = None
        self.coded = coded
        self.framed = not coded
        self.ended = False
        self.usage: dict[str, Any] | None = None


class StepsRun:
    """A run of several steps.

    Attributes:
        turn: what it is part of.
        conversation_id: the conversation, if named.
        started_at: monotonic ms.
        last_at: when it started or its last step ended, monotonic ms.
        total: steps announced.
        completed: steps that ended.
        coded: whether the application began it, or has taken it over.
        framed: whether frames began it, or have taken it over.
        reported: commands that the application ran meanwhile, and that no frame has told of yet.
    """

    __slots__ = (
        "coded",
        "completed",
        "conversation_id",
        "framed",
        "last_at",
        "reported",
        "started_at",
        "total",
        "turn",
    )

    def __init__(self, turn: Turn, started_at: float, total: int | None, *, coded: bool) -> None:
        self.turn = turn
        self.conversation_id = turn.conversation_id
        self.started_at = started_at
        self.last_at = started_at
        self.total = total
        self.completed = 0
        self.coded = coded
        self.framed = not coded
        self.reported: list[str] = []


class CommandRun:
    """A command that the application runs.

    Attributes:
        name: the command.
        turn: what it is done for.
        started_at: monotonic ms.
        steps: the run whose step it is, if any.
        ended: whether its action was recorded.
        usage: of model calls that the application reported in it.
    """

    __slots__ = ("ended", "name", "started_at", "steps", "turn", "usage")

    def __init__(self, name: str, turn: Turn, started_at: float, steps: StepsRun | None) -> None:
        self.name = name
        self.turn = turn
        self.started_at = started_at
        self.steps = steps
        self.ended = False
        self.usage: dict[str, Any] | None = None
