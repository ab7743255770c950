"""What `copilot-analytics table` tells: for people as text and tables, for programs as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.table import Table

from ..infrastructure.cost import Estimate

if TYPE_CHECKING:
    from ..stores._dynamodb_client import DynamoDBClient
    from ..stores._dynamodb_provisioning import Difference

__all__ = ["tell_cost", "tell_differences"]


def tell_differences(client: DynamoDBClient, found: Sequence[Difference], *, as_json: bool) -> None:
    """Say in what a table differs from what is expected of it."""
    if as_json:
        answer = {
            "table": client.table,
            "region": client.region,
            "differences": [asdict(difference) for difference in found],
        }
        typer.echo(json.dumps(answer, indent=2))
        return
    where = f"the table {client.table} in {client.region}"
    if not found:
        typer.echo(f"T{where[1:]} is as it should be.")
        return
    # No table: what is expected is long, and what to do may be a command to copy.
    typer.echo(f"What differs in {where}:")
    for difference in found:
        typer.echo(
            f"\n{difference.what}\n"
            f"  expected: {difference.expected}\n"
            f"  found:    {difference.found}\n"
            f"  to do:    {difference.remedy}"
        )


def tell_cost(reckoned: Estimate, *, as_json: bool) -> None:
    """Say what a workload costs a month, and how that comes about."""
    if as_json:
        typer.echo(json.dumps(_cost_as_json(reckoned), indent=2))
        return
    shown = Table(title="The table's cost a month", title_justify="left", show_footer=True)
    shown.add_column("", "in all")
    shown.add_column("quantity", justify="right")
    shown.add_column("US$ each", justify="right")
    shown.add_column("US$", f"{reckoned.total:,.2f}", justify="right")
    for line in reckoned.lines:
        shown.add_row(
            line.name, f"{line.quantity:,.2f} {line.unit}", f"{line.price}", f"{line.cost:,.2f}"
        )
    Console().print(shown)
    for line in reckoned.lines:
        typer.echo(f"{line.name}: {line.arithmetic}")
    typer.echo(f"prices: {reckoned.prices.source}")
    typer.echo("not in it: CloudWatch, traffic out of the region, taxes")


def _cost_as_json(reckoned: Estimate) -> dict[str, Any]:
    return {
        "currency": "USD",
        "perMonth": _dollars(reckoned.total),
        "prices": reckoned.prices.source,
        "lines": [
            {
                "name": line.name,
                "arithmetic": line.arithmetic,
                "quantity": float(line.quantity),
                "unit": line.unit,
                "price": float(line.price),
                "perMonth": _dollars(line.cost),
            }
            for line in reckoned.lines
        ],
    }


def _dollars(amount: Decimal) -> float:
    return float(round(amount, 2))
