"""The simulator's own count of what it did, to hold against what the analytics answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, fields

__all__ = ["Tally"]


@dataclass(slots=True)
class Tally:
    """Counts what was done; additive.

    Attributes:
        messages: messages users sent.
        intents: intents the copilot classified.
        clarifications: times it asked back.
        streams_started: streams it started.
        streams_completed: of these, completed.
        streams_interrupted: of these, interrupted.
        tokens: tokens it reported.
        multi_steps_started: runs of several steps.
        multi_steps_completed: of these, completed.
        multi_steps_failed: of these, failed.
        connections: sockets users opened.
        executions: commands by name, steps included.
        failures: of these, those that failed.
        errors: errors by type.
        users: the users who did anything.
    """

    messages: int = 0
    intents: int = 0
    clarifications: int = 0
    streams_started: int = 0
    streams_completed: int = 0
    streams_interrupted: int = 0
    tokens: int = 0
    multi_steps_started: int = 0
    multi_steps_completed: int = 0
    multi_steps_failed: int = 0
    connections: int = 0
    executions: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    users: set[str] = field(default_factory=set)

    def execution(self, command: str, *, success: bool) -> None:
        """Count one execution."""
        self.executions[command] += 1
        if not success:
            self.failures[command] += 1

    def add(self, other: Tally) -> None:
        """Add another tally to this one."""
        for each in fields(self):
            mine, theirs = getattr(self, each.name), getattr(other, each.name)
            if isinstance(mine, int):
                setattr(self, each.name, mine + theirs)
            else:
                mine.update(theirs)

    def figures(self) -> Iterator[tuple[str, int]]:
        """Yield every figure that the analytics have to answer alike, by a readable name."""
        for each in fields(self):
            value = getattr(self, each.name)
            name = each.name.replace("_", " ")
            if isinstance(value, int):
                yield name, value
            elif isinstance(value, Counter):
                yield name, value.total()
                for key in sorted(value):
                    yield f"{name} of {key}", value[key]
            else:
                yield name, len(value)
