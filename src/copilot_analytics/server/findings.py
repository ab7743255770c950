"""What an examination finds: how things are and, where they are not well, what to do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Finding", "State", "note", "ok", "problem"]


class State(StrEnum):
    """How one thing is."""

    OK = "ok"
    NOTE = "note"
    """Not wrong, but worth knowing."""
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found.

    Attributes:
        check: what was looked at.
        state: how it is.
        found: what was seen, as a sentence without its full stop.
        remedy: what to do; None where nothing is to be done.
    """

    check: str
    state: State
    found: str
    remedy: str | None = None


def ok(check: str, found: str) -> Finding:
    """Return that all is well."""
    return Finding(check, State.OK, found)


def note(check: str, found: str, remedy: str) -> Finding:
    """Return something that is worth knowing."""
    return Finding(check, State.NOTE, found, remedy)


def problem(check: str, found: str, remedy: str) -> Finding:
    """Return something that is wrong."""
    return Finding(check, State.PROBLEM, found, remedy)
