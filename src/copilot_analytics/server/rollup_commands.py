"""`copilot-analytics rollups`: counts the stored events again, and corrects what differs."""

from __future__ import annotations

import typer

from ..rollups import RollupKey
from ..verification import Difference, rebuild, verify
from .options import (
    DaysOption,
    FromOption,
    JSONOption,
    StoreOption,
    ToOption,
    open_configured,
    range_of,
)
from .telling import console, progress, tell_json

__all__ = ["rollups"]

rollups = typer.Typer(no_args_is_help=True, help="Check and correct the pre-aggregated numbers.")


@rollups.command("verify", epilog="Example: copilot-analytics rollups verify --from 2026-11-01")
def verify_rollups(
    store: StoreOption = None,
    start: FromOption = None,
    end: ToOption = None,
    days: DaysOption = None,
    as_json: JSONOption = False,
) -> None:
    """Count the stored events again and say where the rollups differ; status 1 if they do."""
    range = range_of(start, end, days)
    with open_configured(store) as opened, progress("Recounting days", range.days) as done:
        report = verify(opened.store, range, progress=lambda _: done(1))
    if as_json:
        tell_json(
            {
                "range": range,
                "days": report.days,
                "events": report.events,
                "rollups": report.rows,
                "differences": [_difference(one) for one in report.differences],
                "unbacked": [_key(key) for key in report.unbacked],
                "expired": report.expired,
            }
        )
    else:
        out = console()
        for line in report.lines():
            out.print(line, soft_wrap=True)
    raise typer.Exit(1 if report.differences else 0)


@rollups.command("rebuild", epilog="Example: copilot-analytics rollups rebuild --days 3")
def rebuild_rollups(
    store: StoreOption = None,
    start: FromOption = None,
    end: ToOption = None,
    days: DaysOption = None,
    as_json: JSONOption = False,
) -> None:
    """Count the stored events again and correct the rollups that differ; status 1 if any is left.

    Others may write meanwhile. Left alone are rollups that also count what no event backs (it was
    imported, or its events were erased or have expired), and days whose events have expired.
    """
    range = range_of(start, end, days)
    with open_configured(store) as opened, progress("Rebuilding days", range.days) as done:
        report = rebuild(
            opened.store,
            range,
            now_ms=opened.clock.now_ms(),
            event_retention_days=opened.config.event_retention_days,
            progress=lambda _: done(1),
        )
    if as_json:
        tell_json(
            {
                "range": range,
                "days": report.days,
                "corrected": [_key(key) for key in report.corrected],
                "left": [
                    {**_difference(difference), "reason": reason}
                    for difference, reason in report.left
                ],
                "unbacked": [_key(key) for key in report.unbacked],
                "expired": report.expired,
            }
        )
    else:
        out = console()
        for line in report.lines():
            out.print(line, soft_wrap=True)
    raise typer.Exit(1 if report.left else 0)


def _key(key: RollupKey) -> dict[str, object]:
    return {"kind": key.kind.value, "dimension": key.dimension, "period": key.period}


def _difference(difference: Difference) -> dict[str, object]:
    return {
        **_key(difference.key),
        "counter": difference.counter,
        "stored": difference.stored,
        "recounted": difference.recounted,
    }
