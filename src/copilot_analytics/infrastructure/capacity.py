"""How many units and bytes a workload takes of a DynamoDB table, by arithmetic alone.

The figures are of what the store does, row by row: tests hold them to the consumed capacity that
an engine tells.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..distinct import EXACT_BELOW, REGISTERS
from .workload import Workload, touched

__all__ = [
    "DASHBOARD_DAYS",
    "DAYS_A_MONTH",
    "EVENT_UNITS",
    "ReadUnits",
    "RowsWritten",
    "UserUpdates",
    "dashboard_reads",
    "event_bytes",
    "rollup_bytes_per_day",
    "rows_written",
    "user_updates",
]

DAYS_A_MONTH = 365 / 12

DASHBOARD_DAYS = 30
"""How many days a dashboard shows; as many before them are read to compare."""

EVENT_UNITS = 3
"""Write units an event: its item and its entries in two indexes, each below 1 KB."""

_WRITE_UNIT = 1_024  # bytes
_READ_UNIT = 2 * 4_096  # bytes, of an eventually consistent read

# Sizes in bytes, as measured with a day's events; ids of users and conversations are UUIDs.
_OVERHEAD = 100  # what DynamoDB charges the storage of besides, for every item and index entry
_MARK = 20  # what a writer adds to every row that it writes
_EVENT = 500
_HOUR = 1_750
_DAY = 2_600
_COMMAND, _COMMAND_INDEXED = 720, 230
_INTENT, _INTENT_INDEXED = 740, 120
_ERROR, _ERROR_INDEXED = 170, 150
_PATTERN, _PATTERN_INDEXED = 190, 150
_LIFE = 340
_USER, _USER_INDEXED = 190, 150

_SHOWN_PATTERNS = 5
_EVENTS_A_TURN = 5
_WRITES_A_TURN = 2  # one turn lasts about as long as a writer collects

# Of an item of distinct users.
_HASH = 6
_REGISTER = 4


@dataclass(frozen=True, slots=True)
class RowsWritten:
    """Rollups of one kind in one write.

    Attributes:
        kind: which, as people call them.
        rows: how many rows one write touches, on average.
        table_units: write units a row in the table: its size in KB, rounded up.
        index_units: write units a row in StatsIndex.
        refusals: how many updates a row are refused and sent again, at most: where another process
            has written a later event, the update has to be another one.
    """

    kind: str
    rows: float
    table_units: int
    index_units: int
    refusals: float = 0.0

    @property
    def units(self) -> float:
        """Write units of these rows in one write; a refusal costs what the table's row does."""
        return self.rows * (self.table_units * (1 + self.refusals) + self.index_units)


@dataclass(frozen=True, slots=True)
class UserUpdates:
    """What counting distinct users writes in a day.

    Attributes:
        updates: how many updates; only users that a process has not yet stored that day need one.
        units: write units an update, on average over the day: items grow with their users.
    """

    updates: float
    units: float


@dataclass(frozen=True, slots=True)
class ReadUnits:
    """Part of what a dashboard reads.

    Attributes:
        what: which part, as people call it.
        units: read units, eventually consistent.
    """

    what: str
    units: float


def rows_written(workload: Workload) -> tuple[RowsWritten, ...]:
    """Return the rollups that one write of one process touches, by kind, on average."""
    events = workload.events_per_write
    marks = workload.writers * _MARK
    actions, errors = workload.action_share, workload.error_share
    commands = touched(workload.commands, actions, events)
    # A turn names its intent twice, when it is classified and by its action.
    intents = touched(workload.intents, min(2 * actions, 1.0), events)
    types = touched(workload.error_types, errors, events)
    patterns = touched(workload.patterns, errors, events)
    users = touched(workload.users, _WRITES_A_TURN / _EVENTS_A_TURN, max(events, 2.5))
    # Of processes that write the same row in turns, all but the one that is ahead in time.
    refusals = 1 - 1 / workload.writers
    return tuple(
        RowsWritten(kind, rows, _write_units(size + marks), index_units, refusals)
        for kind, rows, size, index_units in (
            ("activity of the hour", 1, _HOUR, 0),
            ("activity of the day", 1, _DAY, 0),
            ("commands", commands, _COMMAND, 1),
            ("intents", intents, _INTENT, 1),
            ("error types", types, _ERROR, 1),
            ("error patterns", patterns, _PATTERN, 1),
            ("patterns' lives", patterns, _LIFE, 0),
            ("users", users, _USER, 1),
        )
    )


def user_updates(workload: Workload) -> UserUpdates:
    """Return what counting distinct users writes in a day."""
    updates = units = 0.0
    for names, share in _counted(workload):
        users = _users_a_name(workload, names, share)
        # Every process stores what it has not stored itself, several users at once.
        needed = names * workload.writers * _additions(users)
        writes = workload.writes_per_day * touched(names, share, workload.events_per_write)
        count = min(needed, writes)
        updates += count
        units += count * _mean_units(users)
    return UserUpdates(updates, units / updates if updates else 1.0)


def event_bytes() -> tuple[int, int]:
    """Return how many bytes an event takes in the table, and in table and indexes together."""
    item = _EVENT + _OVERHEAD
    return item, EVENT_UNITS * item


def rollup_bytes_per_day(workload: Workload) -> tuple[float, float]:
    """Return how many bytes a day's rollups take in the table, and with their index."""
    marks = workload.writers * _MARK
    table = 24 * (_HOUR + marks + _OVERHEAD) + _DAY + marks + _OVERHEAD
    index = 0
    for names, size, indexed in (
        (workload.commands, _COMMAND, _COMMAND_INDEXED),
        (workload.intents, _INTENT, _INTENT_INDEXED),
        (workload.error_types, _ERROR, _ERROR_INDEXED),
        (workload.patterns, _PATTERN, _PATTERN_INDEXED),
        (workload.users, _USER, _USER_INDEXED),
    ):
        table += names * (size + marks + _OVERHEAD)
        index += names * (indexed + _OVERHEAD)
    counted = sum(
        names * (_users_bytes(_users_a_name(workload, names, share)) + _OVERHEAD)
        for names, share in _counted(workload)
    )
    return table + counted, table + counted + index


def dashboard_reads(workload: Workload) -> tuple[ReadUnits, ...]:
    """Return what one dashboard reads: its days, and of some things the days before."""
    days, both = DASHBOARD_DAYS, 2 * DASHBOARD_DAYS
    marks = workload.writers * _MARK
    (everybody, share), *_, (patterns, error_share) = _counted(workload)
    shown = min(_SHOWN_PATTERNS, patterns)
    users = both * _users_bytes(_users_a_name(workload, everybody, share))
    users += days * shown * _users_bytes(_users_a_name(workload, patterns, error_share))
    return (
        ReadUnits("activity", both * (_DAY + marks) / _READ_UNIT),
        ReadUnits("commands", days * workload.commands * _COMMAND_INDEXED / _READ_UNIT),
        ReadUnits("error types", both * workload.error_types * _ERROR_INDEXED / _READ_UNIT),
        ReadUnits("error patterns", days * patterns * _PATTERN_INDEXED / _READ_UNIT + shown / 2),
        ReadUnits("distinct users", users / _READ_UNIT),
    )


def _counted(workload: Workload) -> tuple[tuple[int, float], ...]:
    """Return of what distinct users are counted: how many names, and their share of events."""
    return (
        (1, 1.0),
        (workload.commands, workload.action_share),
        (workload.error_types, workload.error_share),
        (workload.patterns, workload.error_share),
    )


def _users_a_name(workload: Workload, names: int, share: float) -> float:
    """Return how many users a name has in a day, on average."""
    if not names:
        return 0.0
    return touched(names * workload.users, share, workload.events_per_day) / names


def _additions(users: float) -> float:
    """Return how often one of some users adds to an item that is added to one by one."""
    return users if users <= EXACT_BELOW else max(EXACT_BELOW, _registers_raised(users))


def _registers_raised(users: float) -> float:
    """Return how often users raise a register: each at first, then ever more seldom."""
    return REGISTERS * math.log1p(users / REGISTERS)


def _users_bytes(users: float) -> float:
    """Return how many bytes an item with some distinct users takes."""
    return 60 + _HASH * min(users, EXACT_BELOW) + _REGISTER * _registers_raised(users)


def _mean_units(users: float) -> float:
    """Return write units an update of an item that grows to some users, on average."""
    steps = 64
    sizes = (_users_bytes(users * (step + 0.5) / steps) for step in range(steps))
    return sum(map(_write_units, sizes)) / steps


def _write_units(size: float) -> int:
    return math.ceil(size / _WRITE_UNIT)
