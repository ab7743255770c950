"""What is going on: an open stream, a run of several steps, a command that the application runs.

Trackers make them; whoever drives a tracker's explicit methods hands them back to end what they
stand for. Structs, because making one in C costs a third.
"""

from __future__ import annotations

from typing import Any

import msgspec

from ._turns import Turn

__all__ = ["CommandRun", "StepsRun", "StreamRun"]


class StreamRun(msgspec.Struct, eq=False):
    """An answer that is being sent in pieces.

    Attributes:
        turn: what it answers.
        conversation_id: the conversation, if named.
        started_at: monotonic ms.
        asked_at: where its TTFT counts from, monotonic ms.
        coded: whether the application opened it, or has taken it over.
        framed: whether frames opened it, or have taken it over.
        intent: what it answers, if the frames said.
        first_at: when its first content was sent, monotonic ms; None before.
        chunks: content frames counted so far (the tracker may hold more).
        token_count: tokens that the application reported.
        ended: whether its end was recorded.
        usage: of model calls that the application reported in it.
    """

    turn: Turn
    conversation_id: str | None
    started_at: float
    asked_at: float
    coded: bool
    framed: bool
    intent: str | None
    first_at: float | None = None
    chunks: int = 0
    token_count: int | None = None
    ended: bool = False
    usage: dict[str, Any] | None = None


class StepsRun(msgspec.Struct, eq=False):
    """A run of several steps.

    Attributes:
        turn: what it is part of.
        conversation_id: the conversation, if named.
        started_at: monotonic ms.
        last_at: when it started or its last step ended, monotonic ms.
        total: steps announced.
        coded: whether the application began it, or has taken it over.
        framed: whether frames began it, or have taken it over.
        completed: steps that ended.
        reported: commands that the application ran meanwhile, and that no frame has told of yet.
    """

    turn: Turn
    conversation_id: str | None
    started_at: float
    last_at: float
    total: int | None
    coded: bool
    framed: bool
    completed: int = 0
    reported: list[str | None] = []


class CommandRun(msgspec.Struct, eq=False):
    """A command that the application runs.

    Attributes:
        name: the command.
        turn: what it is done for.
        started_at: monotonic ms.
        steps: the run whose step it is, if any.
        ended: whether its action was recorded.
        usage: of model calls that the application reported in it.
    """

    name: str
    turn: Turn
    started_at: float
    steps: StepsRun | None = None
    ended: bool = False
    usage: dict[str, Any] | None = None
