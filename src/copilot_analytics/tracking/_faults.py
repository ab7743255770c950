"""Exceptions that were seen, so that one fault is one error and its events are linked."""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import Callable, Iterator

from .._guard import Guard
from ..ids import new_id

__all__ = ["MAX_TEXT", "Fault", "Faults", "error_type_of"]

MAX_TEXT = 4_096
"""Code points of an error's message that are handed on; admission keeps far fewer."""

_MAX_FAULTS = 8
"""An exception leaves its handler soon after it left a command: few are on their way at a time."""


class Fault:
    """One fault, known by the exception object that it raised.

    The exception is not kept alive, nor is anything set on it. Those that can have no weak
    reference (Python's own) are recognised by address, type and text.

    Attributes:
        fault_id: links the events that it caused.
        command_name: the command that it ended first.
        reported: whether its ERROR_OCCURRED was recorded.
    """

    __slots__ = ("_address", "_reference", "_text", "_type", "command_name", "fault_id", "reported")

    def __init__(self, exc: BaseException, text_of: Callable[[BaseException], str]) -> None:
        self.fault_id = new_id()
        self.command_name: str | None = None
        self.reported = False
        self._address = id(exc)
        self._type = type(exc)
        self._reference: weakref.ref[BaseException] | None = None
        self._text = ""
        try:
            self._reference = weakref.ref(exc)
        except TypeError:
            self._text = text_of(exc)

    def is_of(self, exc: BaseException, text_of: Callable[[BaseException], str]) -> bool:
        """Say whether an exception is this fault's."""
        if self._reference is not None:
            return self._reference() is exc
        return self._address == id(exc) and self._type is type(exc) and self._text == text_of(exc)


class Faults:
    """The last faults of a connection.

    Args:
        guard: an exception's message is the host's code, which may do anything.
    """

    __slots__ = ("_guard", "_seen")

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._seen: deque[Fault] = deque(maxlen=_MAX_FAULTS)

    def of(self, exc: BaseException) -> Fault:
        """Return the fault of an exception or, for a group, of one that it holds."""
        for leaf in _leaves(exc):
            for fault in tuple(self._seen):
                if fault.is_of(leaf, self.text_of):
                    return fault
        fault = Fault(exc, self.text_of)
        self._seen.append(fault)
        return fault

    def text_of(self, exc: BaseException) -> str:
        """Return an exception's message, the start of a long one."""
        with self._guard.attempt("exception text"):
            return str(exc)[:MAX_TEXT]
        return ""


def error_type_of(exc: BaseException) -> str:
    """Return the name of an exception's class; a group around one exception does not count."""
    while isinstance(exc, BaseExceptionGroup) and len(exc.exceptions) == 1:
        exc = exc.exceptions[0]
    return type(exc).__name__


def _leaves(exc: BaseException) -> Iterator[BaseException]:
    yield exc
    if isinstance(exc, BaseExceptionGroup):
        for inner in exc.exceptions:
            yield from _leaves(inner)
