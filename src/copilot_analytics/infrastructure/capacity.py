"""How many units and bytes a workload takes of a DynamoDB table, by arithmetic alone.

Where the truth depends on how the work is spread, this takes the spread that costs most: events
come evenly through the day, from users and of commands that are all equally busy. What is spread
less evenly touches fewer rows a write and costs less.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from ..errors import ConfigurationError

__all__ = [
    "DAYS_A_MONTH",
    "EVENT_UNITS",
    "RowsWritten",
    "Workload",
    "dashboard_read_units",
    "event_bytes",
    "rollup_bytes_per_day",
    "rows_written",
    "touched",
]

DAYS_A_MONTH = 365 / 12

EVENT_UNITS = 3
"""Write units an event: its item and its entries in two indexes, each below 1 KB."""

_SECONDS_A_DAY = 86_400

# Sizes in bytes. DynamoDB charges the storage of 100 more for every item and index entry.
_OVERHEAD = 100
_EVENT = 450
_ROW = 700
_ROW_INDEXED = 190
_ACTIVITY_ROW = 2_500

_DASHBOARD_DAYS = 30
_READ_UNIT_BYTES = 4_096 * 2  # an eventually consistent read


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """What a copilot does in a day.

    Raises:
        ConfigurationError: a field is out of its bounds.
    """

    events_per_day: float
    """How many events are recorded; a turn of a conversation is about five."""
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


@dataclass(frozen=True, slots=True)
class RowsWritten:
    """Rollups of one kind in one write.

    Attributes:
        kind: which, as people call them.
        rows: how many rows one write touches, on average.
        table_units: write units a row in the table: its size in KB, rounded up.
        index_units: write units a row in StatsIndex.
    """

    kind: str
    rows: float
    table_units: int
    index_units: int

    @property
    def units(self) -> float:
        """Write units of these rows in one write."""
        return self.rows * (self.table_units + self.index_units)


def touched(names: int, share: float, events: float) -> float:
    """Return how many of some names a number of events touches, all names being equally likely.

    Args:
        names: how many there are.
        share: which part of the events names one of them.
        events: how many events.
    """
    return names * (1 - (1 - share / names) ** events) if names else 0.0


def rows_written(workload: Workload) -> tuple[RowsWritten, ...]:
    """Return the rollups that one write of one process touches, by kind, on average."""
    events = workload.events_per_write
    actions = workload.action_share
    # An intent is classified once a turn, and a turn ends in an action once where it does.
    intents = min(2 * actions, 1.0)
    errors = workload.error_share
    return (
        RowsWritten("activity of the hour", 1, 2, 0),
        RowsWritten("activity of the day", 1, 3, 0),
        RowsWritten("commands", touched(workload.commands, actions, events), 1, 1),
        RowsWritten("intents", touched(workload.intents, intents, events), 1, 1),
        RowsWritten("error types", touched(workload.error_types, errors, events), 1, 1),
        RowsWritten("error patterns", touched(workload.patterns, errors, events), 1, 1),
        RowsWritten("patterns' lives", touched(workload.patterns, errors, events), 1, 0),
        RowsWritten("users", touched(workload.users, 1.0, events), 1, 1),
    )


def event_bytes() -> tuple[int, int]:
    """Return how many bytes an event takes in the table, and in table and indexes together."""
    item = _EVENT + _OVERHEAD
    return item, EVENT_UNITS * item


def rollup_bytes_per_day(workload: Workload) -> tuple[int, int]:
    """Return how many bytes a day's rollups take in the table, and with their index."""
    indexed = (
        workload.commands
        + workload.intents
        + workload.error_types
        + workload.patterns
        + workload.users
    )
    activity = 25  # the hours and the day
    table = indexed * (_ROW + _OVERHEAD) + activity * (_ACTIVITY_ROW + _OVERHEAD)
    return table, table + indexed * (_ROW_INDEXED + _OVERHEAD)


def dashboard_read_units(workload: Workload) -> float:
    """Return what one dashboard of 30 days with its comparison reads, in read units."""
    names = workload.commands + workload.error_types + workload.patterns
    days = 2 * _DASHBOARD_DAYS
    return days * (names * _ROW_INDEXED + _ACTIVITY_ROW) / _READ_UNIT_BYTES
