"""What a copilot does in a day, as far as it decides what its table costs.

Where the cost depends on how the work is spread, the spread that costs most is taken: events come
evenly through the day, and all users, commands and so on are equally busy. What is spread less
evenly touches fewer rows in a write, and costs less.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from ..errors import ConfigurationError

__all__ = ["Workload", "touched"]

_SECONDS_A_DAY = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """What a copilot does in a day.

    Raises:
        ConfigurationError: a field is out of its bounds.
    """

    events_per_day: float
    """How many events are recorded; a turn of a conversation has about five."""
    commands: int = 20
    """How many commands are in use."""
    intents: int = 20
    """How many intents are recognised."""
    users: int = 500
    """How many signed-in users are active in a day."""
    error_types: int = 5
    """How many types of error occur in a day."""
    patterns: int = 10
    """How many error patterns occur in a day."""
    action_share: float = 0.2
    """Which part of the events is the end of a command."""
    error_share: float = 0.02
    """Which part of the events is an error."""
    writers: int = 1
    """How many processes record."""
    write_interval: float = 5.0
    """How long a process collects events before it writes, in seconds."""
    batch_size: int = 5_000
    """How many events it writes at once, at most."""
    event_days: int = 90
    """How many days events are kept."""
    rollup_days: int = 800
    """How many days rollups are kept."""
    dashboard_views: int = 100
    """How often a dashboard of 30 days is read from the table in a day."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name.endswith("_share"):
                if not 0 <= value <= 1:
                    raise ConfigurationError(field.name, value, "give a part of 1, such as 0.2")
            elif field.name in _AT_LEAST_ZERO:
                if not 0 <= value < float("inf"):
                    raise ConfigurationError(field.name, value, "give a number, 0 or more")
            elif not 0 < value < float("inf"):
                raise ConfigurationError(field.name, value, "give a number above 0")

    @property
    def events_per_write(self) -> float:
        """How many events one write of one process holds, on average; at least one."""
        collected = self.events_per_day / _SECONDS_A_DAY / self.writers * self.write_interval
        return min(max(collected, 1.0), self.batch_size)

    @property
    def writes_per_day(self) -> float:
        """How many writes all processes make; none when there is nothing to write."""
        return self.events_per_day / self.events_per_write


_AT_LEAST_ZERO = {
    "events_per_day",
    "commands",
    "intents",
    "users",
    "error_types",
    "patterns",
    "dashboard_views",
}


def touched(names: int, share: float, events: float) -> float:
    """Return how many of some names a number of events touches, all names being equally likely.

    Args:
        names: how many there are.
        share: which part of the events names one of them.
        events: how many events.
    """
    return names * (1 - (1 - share / names) ** events) if names else 0.0
