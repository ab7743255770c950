"""What the demo shows: the dashboard as the GraphQL endpoint answers it, and where it is wrong."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import httpx
from rich.console import RenderableType
from rich.table import Table

from ..errors import CopilotAnalyticsError
from ..periods import DateRange
from .sample_copilot import COMMANDS
from .tally import Tally

__all__ = ["EVENTS", "TOTALS", "differences", "fetch_dashboard", "tables"]

_TOP = 2 * len(COMMANDS)
_SHOWN = 5

_QUERY = """
query Demo($start: Date!, $end: Date!, $top: Int!) {
  dashboard(range: {start: $start, end: $end}, top: $top) {
    range { start end }
    summary {
      executions { value }
      failures { value }
      successRate { value }
      execution { averageMs { value } p95Ms { value } }
      messages { value }
      errors { value }
      errorsByType { errorType count }
      activeUsers { value }
      connections { value }
      ttft { p50Ms { value } p95Ms { value } }
      interruptionRate { value }
      tokens { value }
      clarifications { value }
      events { type count }
    }
    topCommands { name executions failures successRate averageMs lastExecuted }
    topErrors { errorType message count affectedUsers { count } lastOccurrence }
  }
}
"""

EVENTS = {
    "intents": "INTENT_CLASSIFIED",
    "streams started": "STREAMING_STARTED",
    "streams completed": "STREAMING_COMPLETED",
    "streams interrupted": "STREAMING_INTERRUPTED",
    "multi steps started": "MULTI_STEP_STARTED",
    "multi steps completed": "MULTI_STEP_COMPLETED",
    "multi steps failed": "MULTI_STEP_FAILED",
}
"""The events whose number stands for a figure of `Tally.figures`."""

TOTALS = {
    "messages": "messages",
    "clarifications": "clarifications",
    "tokens": "tokens",
    "connections": "connections",
    "executions": "executions",
    "failures": "failures",
    "errors": "errors",
    "users": "activeUsers",
}
"""The summary's fields for the other figures of `Tally.figures`."""


async def fetch_dashboard(url: str, token: str, days: DateRange) -> dict[str, Any]:
    """Ask the endpoint at `url` for the dashboard of a range, as any client would.

    Raises:
        CopilotAnalyticsError: it does not answer, or with errors.
    """
    variables = {"start": days.first_day, "end": days.last_day, "top": _TOP}
    try:
        async with httpx.AsyncClient(timeout=30, trust_env=False) as client:
            response = await client.post(
                url,
                json={"query": _QUERY, "variables": variables},
                headers={"Authorization": f"Bearer {token}"},
            )
    except httpx.HTTPError as error:
        raise CopilotAnalyticsError(f"{url} does not answer: {error!r}") from error
    answer = response.json()
    if response.status_code != httpx.codes.OK or answer.get("errors"):
        raise CopilotAnalyticsError(f"{url} answered {response.status_code}: {answer}")
    dashboard: dict[str, Any] = answer["data"]["dashboard"]
    return dashboard


def differences(tally: Tally, dashboard: dict[str, Any]) -> Iterator[str]:
    """Yield a sentence for every number that is not what the simulator counted."""
    counted, answered = dict(tally.figures()), _figures(dashboard)
    for name in sorted(counted.keys() | answered.keys()):
        ours, theirs = counted.get(name, 0), answered.get(name, 0)
        if ours != theirs:
            yield f"{name}: the simulator counted {ours}, the dashboard says {theirs}"


def _figures(dashboard: dict[str, Any]) -> dict[str, int]:
    """Return the dashboard's numbers by the names of `Tally.figures`."""
    summary = dashboard["summary"]
    events = {entry["type"]: entry["count"] for entry in summary["events"]}
    figures = {name: summary[field]["value"] for name, field in TOTALS.items()}
    figures |= {name: events[event_type] for name, event_type in EVENTS.items()}
    for command in dashboard["topCommands"]:
        figures[f"executions of {command['name']}"] = command["executions"]
        figures[f"failures of {command['name']}"] = command["failures"]
    for entry in summary["errorsByType"]:
        figures[f"errors of {entry['errorType']}"] = entry["count"]
    return figures


def tables(dashboard: dict[str, Any]) -> Iterator[RenderableType]:
    """Yield the dashboard as tables for a terminal."""
    summary = dashboard["summary"]
    first, last = dashboard["range"]["start"], dashboard["range"]["end"]
    totals = Table(title=f"Dashboard, {first} to {last} (UTC)", show_header=False)
    totals.add_column(style="bold")
    totals.add_column(justify="right")
    totals.add_column(style="bold")
    totals.add_column(justify="right")
    for row in (
        ("Executions", _count(summary["executions"]), "Messages", _count(summary["messages"])),
        ("Success rate", _share(summary["successRate"]), "Users", _count(summary["activeUsers"])),
        (
            "Average time",
            _ms(summary["execution"]["averageMs"]),
            "Connections",
            _count(summary["connections"]),
        ),
        (
            "p95 time",
            _ms(summary["execution"]["p95Ms"]),
            "First token p50",
            _ms(summary["ttft"]["p50Ms"]),
        ),
        (
            "Errors",
            f"{_count(summary['errors'])} of {len(summary['errorsByType'])} types",
            "Interrupted",
            _share(summary["interruptionRate"]),
        ),
    ):
        totals.add_row(*row)
    yield totals

    commands = Table("Command", title="Popular commands")
    for heading in ("Executions", "Success", "Average", "Last used"):
        commands.add_column(heading, justify="right")
    for command in dashboard["topCommands"][:_SHOWN]:
        commands.add_row(
            command["name"],
            f"{command['executions']:,}",
            _share({"value": command["successRate"]}),
            _ms({"value": command["averageMs"]}),
            _minute(command["lastExecuted"]),
        )
    yield commands

    errors = Table("Type", "Pattern", title="Error patterns")
    for heading in ("Count", "Users"):
        errors.add_column(heading, justify="right")
    for pattern in dashboard["topErrors"][:_SHOWN]:
        errors.add_row(
            pattern["errorType"],
            pattern["message"],
            f"{pattern['count']:,}",
            f"{pattern['affectedUsers']['count']:,}",
        )
    yield errors


def _minute(timestamp: int) -> str:
    return f"{dt.datetime.fromtimestamp(timestamp / 1000, dt.UTC):%Y-%m-%d %H:%M}"


def _count(figure: dict[str, Any]) -> str:
    return f"{figure['value']:,}"


def _share(figure: dict[str, Any]) -> str:
    return "-" if figure["value"] is None else f"{figure['value']:.1%}"


def _ms(figure: dict[str, Any]) -> str:
    return "-" if figure["value"] is None else f"{figure['value']:,.0f} ms"
