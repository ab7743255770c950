"""Turns: a user's message and everything up to the end of its answer."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

import msgspec

__all__ = ["Turn", "Turns", "same_conversation"]


class Turn(msgspec.Struct, eq=False):
    """One turn.

    Attributes:
        owner: stands for the turns it is one of.
        conversation_id: the thread of messages, as soon as a frame names it.
        asked_at: when the user's last unanswered message came, monotonic ms; None without one.
        intent: what the message was taken to mean.
        confidence: of the intent.
        classified: whether its INTENT_CLASSIFIED was recorded.
        acted: whether it has had its action, or the application reports its actions itself.
        clarified: who has reported a clarification: "frames", "code" or None.
        begun: whether anything of its answer was seen.
        streamed: whether a stream of it was started.
        answered: whether any content was sent for it.
        stepped: whether it has had a multi-step run.
        tentative: whether it has ended, but more of the same answer may follow.
        over: whether it has ended for good.
        open: its open streams, running steps and running commands.
        commands: the commands that the application runs in it now.
        usage: of model calls, waiting for an event that can carry it.
    """

    owner: object
    conversation_id: str | None
    asked_at: float | None
    intent: str | None = None
    confidence: float | None = None
    classified: bool = False
    acted: bool = False
    clarified: str | None = None
    begun: bool = False
    streamed: bool = False
    answered: bool = False
    stepped: bool = False
    tentative: bool = False
    over: bool = False
    open: int = 0
    commands: list[str] = []
    usage: dict[str, Any] | None = None

    @property
    def command(self) -> str | None:
        """The command that runs now, if it is one."""
        return self.commands[0] if len(self.commands) == 1 else None


_at_hand: ContextVar[Turn | None] = ContextVar("copilot_analytics_turn", default=None)


class Turns:
    """The turns of a connection that are not over, oldest first.

    Args:
        limit: the most that are kept; beyond it the oldest is over.

    Attributes:
        waiting: those turns; to be read only.
    """

    __slots__ = ("_ends_seen", "_key", "_last", "_limit", "waiting")

    def __init__(self, limit: int) -> None:
        self._key = object()  # for turns to point to: no cycle, so that no collector is needed
        self._limit = limit
        self.waiting: list[Turn] = []
        self._last: Turn | None = None
        self._ends_seen = False

    def ask(self, conversation_id: str | None, now: float) -> Turn:
        """Begin the turn of a user's message."""
        if self.waiting:
            for turn in tuple(self.waiting):
                if self._is_done(turn) and same_conversation(turn.conversation_id, conversation_id):
                    self._over(turn)
        turn = Turn(self._key, conversation_id, now)
        self._add(turn)
        _at_hand.set(turn)
        return turn

    def of(self, conversation_id: str | None) -> Turn:
        """Return the turn that the next part of an answer belongs to."""
        if conversation_id is None:
            if self.waiting:
                return self.waiting[0]
        else:
            nameless = None
            for turn in self.waiting:
                if turn.conversation_id == conversation_id:
                    return turn
                if nameless is None and turn.conversation_id is None:
                    nameless = turn
            if nameless is not None:
                nameless.conversation_id = conversation_id
                return nameless
        turn = Turn(self._key, conversation_id, None)
        self._add(turn)
        return turn

    def begin(self, turn: Turn) -> None:
        """Note that an answer begins: its times count from the last message it may answer."""
        turn.begun = True
        if turn.asked_at is not None and len(self.waiting) > 1:
            for other in self.waiting:
                if (
                    other.asked_at is not None
                    and other.asked_at > turn.asked_at
                    and same_conversation(other.conversation_id, turn.conversation_id)
                ):
                    turn.asked_at = other.asked_at

    def another_waits(self, turn: Turn) -> bool:
        """Say whether a message other than the turn's own waits in its conversation."""
        return any(
            other is not turn
            and other.asked_at is not None
            and same_conversation(other.conversation_id, turn.conversation_id)
            for other in self.waiting
        )

    def end(self, turn: Turn, tentative: bool = False) -> None:
        """Note that a turn's answer has ended."""
        self._ends_seen = True
        if tentative:
            turn.tentative = True
        else:
            self._over(turn)

    def ending(self, conversation_id: str | None) -> Turn | None:
        """Return the turn that an end is about; None if there is none."""
        for turn in self.waiting:
            if conversation_id is None or same_conversation(turn.conversation_id, conversation_id):
                return turn
        return None

    def at_hand(self, conversation_id: str | None) -> Turn:
        """Return the turn that the application works on, as far as can be told.

        The one whose message its context (the task that received it, and those started since) has
        seen last, else the newest; in another conversation, if the application names one.
        """
        turn = _at_hand.get()
        if turn is None or turn.owner is not self._key or turn.over:
            newest = self.waiting[-1:]
            if newest:
                turn = newest[0]
            else:
                if self._last is None:
                    self._last = Turn(self._key, None, None)
                turn = self._last
        if conversation_id is None or turn.conversation_id == conversation_id:
            return turn
        for other in tuple(self.waiting):
            if other.conversation_id == conversation_id:
                return other
        if turn.conversation_id is None:
            turn.conversation_id = conversation_id
            return turn
        return Turn(self._key, conversation_id, None)

    def clear(self) -> None:
        """Forget all turns."""
        for turn in tuple(self.waiting):
            self._over(turn)

    def _is_done(self, turn: Turn) -> bool:
        """Say whether a new message ends a turn.

        That of an adapter that tells the ends of turns has to have ended; where nothing tells them,
        it has to have begun and nothing of it may be going on.
        """
        if turn.tentative:
            return True
        told = self._ends_seen and turn.asked_at is not None
        return turn.begun and not turn.open and not told

    def _add(self, turn: Turn) -> None:
        self.waiting.append(turn)
        if len(self.waiting) > self._limit:
            self._over(self.waiting[0])

    def _over(self, turn: Turn) -> None:
        turn.over = True
        self._last = turn
        if turn in self.waiting:
            self.waiting.remove(turn)


def same_conversation(one: str | None, other: str | None) -> bool:
    """Say whether two ids may be of one conversation: equal, or not both known."""
    return one is None or other is None or one == other
