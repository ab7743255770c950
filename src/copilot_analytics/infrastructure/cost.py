"""What a workload costs a month, with the arithmetic shown so that it can be checked."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from .capacity import (
    DASHBOARD_DAYS,
    DAYS_A_MONTH,
    EVENT_UNITS,
    dashboard_reads,
    event_bytes,
    rollup_bytes_per_day,
    rows_written,
    user_updates,
)
from .prices import US_EAST_1, Prices
from .workload import Workload

__all__ = ["Estimate", "Line", "estimate"]

_MILLION = 1_000_000
_GB = 2**30


@dataclass(frozen=True, slots=True)
class Line:
    """One line of an estimate.

    Attributes:
        name: what is paid for.
        arithmetic: how the quantity comes about.
        quantity: how much a month, in millions of units or in GB-months.
        unit: what the quantity counts.
        price: US dollars for one of them.
    """

    name: str
    arithmetic: str
    quantity: Decimal
    unit: str
    price: Decimal

    @property
    def cost(self) -> Decimal:
        """US dollars a month."""
        return self.quantity * self.price


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a workload costs a month.

    Attributes:
        workload: what was asked about.
        prices: what was reckoned with.
        lines: what it is made of.
    """

    workload: Workload
    prices: Prices
    lines: tuple[Line, ...]

    @property
    def total(self) -> Decimal:
        """US dollars a month."""
        return sum((line.cost for line in self.lines), Decimal())


def estimate(workload: Workload, prices: Prices = US_EAST_1) -> Estimate:
    """Return what a workload costs a month once its table is as full as retention lets it be."""
    lines = (
        _events(workload, prices),
        _rollups(workload, prices),
        _users(workload, prices),
        _dashboards(workload, prices),
        *_storage(workload, prices),
    )
    return Estimate(workload, prices, lines)


def _events(workload: Workload, prices: Prices) -> Line:
    events = workload.events_per_day * DAYS_A_MONTH
    return Line(
        "writing events",
        f"{_shown(events)} events × {EVENT_UNITS} (the item, and its entries in two indexes)",
        _millions(events * EVENT_UNITS),
        "million write units",
        prices.write,
    )


def _rollups(workload: Workload, prices: Prices) -> Line:
    writes = workload.writes_per_day * DAYS_A_MONTH
    rows = rows_written(workload)
    units = sum(row.units for row in rows)
    refused = "; refused updates included" if workload.writers > 1 else ""
    return Line(
        "writing rollups",
        f"{_shown(writes)} writes of {_shown(workload.events_per_write)} events × {units:.1f} "
        f"({' + '.join(f'{row.units:.1f} {row.kind}' for row in rows)}{refused})",
        _millions(writes * units),
        "million write units",
        prices.write,
    )


def _users(workload: Workload, prices: Prices) -> Line:
    of_a_day = user_updates(workload)
    updates = of_a_day.updates * DAYS_A_MONTH
    return Line(
        "counting distinct users",
        f"{_shown(updates)} updates × {of_a_day.units:.2f} (one where a process first meets a "
        "user that day, of all and of each command, error type and pattern)",
        _millions(updates * of_a_day.units),
        "million write units",
        prices.write,
    )


def _dashboards(workload: Workload, prices: Prices) -> Line:
    views = workload.dashboard_views * DAYS_A_MONTH
    reads = dashboard_reads(workload)
    units = sum(read.units for read in reads)
    return Line(
        "reading dashboards",
        f"{_shown(views)} views of {DASHBOARD_DAYS} days × {units:.1f} "
        f"({' + '.join(f'{read.units:.1f} {read.what}' for read in reads)})",
        _millions(views * units),
        "million read units",
        prices.read,
    )


def _storage(workload: Workload, prices: Prices) -> tuple[Line, Line]:
    kept = workload.events_per_day * workload.event_days
    days = workload.rollup_days
    event, indexed_event = event_bytes()
    rollups, indexed_rollups = rollup_bytes_per_day(workload)
    return (
        Line(
            "storing",
            f"{_shown(kept)} events × {indexed_event:,} bytes + "
            f"{days:,} days × {_shown(indexed_rollups)} bytes of rollups, indexes included",
            _gigabytes(kept * indexed_event + days * indexed_rollups),
            "GB",
            prices.storage,
        ),
        Line(
            "point-in-time recovery",
            f"{_shown(kept)} events × {event:,} bytes + "
            f"{days:,} days × {_shown(rollups)} bytes of rollups, without the indexes",
            _gigabytes(kept * event + days * rollups),
            "GB",
            prices.backup,
        ),
    )


def _millions(units: float) -> Decimal:
    return Decimal(f"{units / _MILLION:.6f}")


def _gigabytes(size: float) -> Decimal:
    return Decimal(f"{size / _GB:.6f}")


def _shown(number: float) -> str:
    if number >= _MILLION:
        return f"{number / _MILLION:,.2f} million"
    return f"{number:,.0f}" if number >= 100 else f"{number:,.1f}"
