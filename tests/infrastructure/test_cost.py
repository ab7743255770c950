from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal

import pytest

from copilot_analytics.infrastructure.capacity import rows_written
from copilot_analytics.infrastructure.cost import estimate
from copilot_analytics.infrastructure.prices import US_EAST_1
from copilot_analytics.infrastructure.workload import Workload


@pytest.fixture
def workload() -> Workload:
    return Workload(events_per_day=864_000)


def test_events_cost_three_units_each(workload: Workload) -> None:
    events = estimate(workload).lines[0]

    assert events.quantity == Decimal("78.84")  # 864,000 × 365 / 12 × 3
    assert events.cost == Decimal("78.84") * Decimal("0.625")


def test_total_is_the_sum_of_the_lines(workload: Workload) -> None:
    reckoned = estimate(workload)

    assert reckoned.total == sum(line.quantity * line.price for line in reckoned.lines)


def test_price_of_one_s_own_is_reckoned_with(workload: Workload) -> None:
    dear = replace(US_EAST_1, storage=Decimal(1))
    changed = {
        line.name: mine.cost / line.cost
        for line, mine in zip(estimate(workload).lines, estimate(workload, dear).lines, strict=True)
    }

    assert changed.pop("storing") == 4
    assert set(changed.values()) == {1}


def test_arithmetic_of_rollups_adds_up(workload: Workload) -> None:
    """Whoever checks the line with a calculator comes to the quantity, but for rounding."""
    line = estimate(workload).lines[1]
    found = re.match(r"([\d,]+) writes of ([\d.]+) events × ([\d.]+) \((.*)\)$", line.arithmetic)

    assert found
    parts = [float(part.split()[0]) for part in found[4].split(" + ")]
    assert sum(parts) == pytest.approx(float(found[3]), abs=0.5)
    writes = float(found[1].replace(",", ""))
    assert writes * float(found[3]) / 1e6 == pytest.approx(float(line.quantity), rel=1e-3)


def test_longer_interval_costs_less(workload: Workload) -> None:
    assert estimate(replace(workload, write_interval=30)).total < estimate(workload).total


def test_processes_that_meet_in_rows_pay_for_refusals() -> None:
    one, two = (
        {row.kind: row for row in rows_written(Workload(events_per_day=864_000, writers=writers))}
        for writers in (1, 2)
    )

    assert one["activity of the day"].units == 3
    assert two["activity of the day"].units == 3 * 1.5
    assert two["commands"].units == pytest.approx(two["commands"].rows * (1.5 + 1))
