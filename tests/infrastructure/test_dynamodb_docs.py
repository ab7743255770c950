"""docs/dynamodb.md says what the code does: costs, keys, permissions, limits."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from copilot_analytics.distinct import EXACT_BELOW
from copilot_analytics.infrastructure import policy
from copilot_analytics.infrastructure.capacity import (
    DAYS_A_MONTH,
    EVENT_UNITS,
    RowsWritten,
    rows_written,
)
from copilot_analytics.infrastructure.cost import Estimate, estimate
from copilot_analytics.infrastructure.workload import Workload
from copilot_analytics.rollups import RollupKey, RollupKind
from copilot_analytics.stores import _dynamodb_keys, _dynamodb_table
from copilot_analytics.stores._dynamodb_updates import MAX_CHANGES

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "dynamodb.md").read_text()
DAY = 86_400
NONE = "–"  # noqa: RUF001 - a dash, as the table has it


def rows_under(head: str) -> Iterator[list[str]]:
    """The cells of the table whose head starts so."""
    _, found, rest = TEXT.partition(f"\n| {head} |")
    assert found, f"docs/dynamodb.md has no table of {head}"
    for line in rest.splitlines()[2:]:
        if not line.startswith("|"):
            return
        yield [cell.strip() for cell in line.strip("|").split(" | ")]


def units_an_event(reckoned: Estimate, line: str) -> float:
    (found,) = (each for each in reckoned.lines if each.name == line)
    return float(found.quantity) * 1e6 / (reckoned.workload.events_per_day * DAYS_A_MONTH)


def test_costs_are_those_that_the_command_computes() -> None:
    rows = list(rows_under("events/s"))

    assert [row[0] for row in rows] == ["1", "10", "100", "500"]
    for rate, users, writers, *stated in rows:
        workload = Workload(
            events_per_day=int(rate) * DAY,
            users=int(users.replace(",", "")),
            writers=int(writers),
        )
        reckoned = estimate(workload)
        writing = ("writing events", "writing rollups", "counting distinct users")
        each = [units_an_event(reckoned, line) for line in writing]
        millions = sum(line.quantity for line in reckoned.lines if line.name in writing)
        (stored,) = (line.quantity for line in reckoned.lines if line.name == "storing")
        assert stated == [
            " + ".join(f"{units:.2f}" for units in each),
            f"{millions:,.0f}",
            f"{stored:,.0f}",
            f"{reckoned.total:,.0f}",
        ]


def test_saving_of_a_longer_interval_is_computed() -> None:
    found = re.search(
        r"\((\d+) s at 10 events/s: the\s+rollups' ([\d.]+) become ([\d.]+) units", TEXT
    )
    assert found
    usual = Workload(events_per_day=10 * DAY)
    longer = replace(usual, write_interval=float(found[1]))

    assert [f"{units_an_event(estimate(w), 'writing rollups'):.2f}" for w in (usual, longer)] == [
        found[2],
        found[3],
    ]


def test_units_a_row_are_those_reckoned_with() -> None:
    reckoned = {row.kind: row for row in rows_written(Workload(events_per_day=DAY))}
    stated = {name: (table, index) for name, table, index in map(tuple, rows_under_units())}

    assert stated == {
        "activity of the hour": units_of(reckoned["activity of the hour"]),
        "activity of the day": units_of(reckoned["activity of the day"]),
        "each command, intent, error type, error pattern, user": units_of(reckoned["commands"]),
        "each pattern's life": units_of(reckoned["patterns' lives"]),
    }
    others = ("commands", "intents", "error types", "error patterns", "users")
    assert len({units_of(reckoned[kind]) for kind in others}) == 1
    assert f"**Events**: {EVENT_UNITS} write units each" in TEXT


def rows_under_units() -> Iterator[list[str]]:
    _, _, rest = TEXT.partition("| row | units in the table |")
    for line in rest.splitlines()[2:]:
        if not line.strip():
            return
        yield [cell.strip() for cell in line.strip().strip("|").split(" | ")]


def units_of(row: RowsWritten) -> tuple[str, str]:
    return str(row.table_units), str(row.index_units or NONE)


def test_commands_outgrow_a_unit_where_it_says() -> None:
    found = re.search(r"Beyond about (\d+) writers", TEXT)
    assert found

    def units(writers: int) -> int:
        rows = rows_written(Workload(events_per_day=DAY, writers=writers))
        return next(row.table_units for row in rows if row.kind == "commands")

    assert (units(int(found[1])), units(int(found[1]) + 2)) == (1, 2)


def test_indexes_are_the_table_s() -> None:
    stated = {row[0].strip("`"): row[1:3] for row in rows_under("index")}
    defined = _dynamodb_table.definition("")["GlobalSecondaryIndexes"]

    assert list(stated) == [index["IndexName"] for index in defined]
    for index in defined:
        for key, cell in zip(index["KeySchema"], stated[index["IndexName"]], strict=True):
            assert cell.startswith(f"`{key['AttributeName']}`")


@pytest.mark.parametrize("kind", RollupKind)
def test_every_kind_of_rollup_has_its_partition(kind: RollupKind) -> None:
    key = _dynamodb_keys.rollup_key(RollupKey(kind, "1-a:b", "2026-01-02"))
    stated = {re.sub(r"<\w+>", "…", part) for row in rows_under("item") for part in row[1:3]}
    prefixes = {cell.strip("`").partition("#")[0] for cell in stated}

    assert key[0].partition("#")[0] in prefixes


def test_permissions_are_those_that_the_command_prints() -> None:
    printed = policy.statements(
        "analytics", import_from="original", erase=True, manage=True, metrics=True
    )
    stated = [set(re.findall(r"`(\w+)`", row[1])) for row in rows_under("who")]

    assert stated == [{action.partition(":")[2] for action in each.actions} for each in printed]


def test_limits_are_those_of_the_code() -> None:
    assert f"more than {MAX_CHANGES} counters in one update" in TEXT
    assert f"| {EXACT_BELOW} distinct users or more" in TEXT
