"""Asks the GraphQL endpoint for the dashboard and prints it.

    export COPILOT_ANALYTICS_TOKEN=…        # the administrator's
    python examples/query_dashboard.py http://127.0.0.1:8000/graphql

Needs `pip install "gql[aiohttp]"`, nothing of copilot-analytics.
"""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Any

from gql import Client, gql
from gql.transport.aiohttp import AIOHTTPTransport
from gql.transport.exceptions import TransportError, TransportQueryError

QUERY = gql("""
query Dashboard($range: DateRange) {
  dashboard(range: $range) {
    range { start end }
    summary {
      executions { value previous changeRatio }
      successRate { value }
      execution { p95Ms { value } }
      activeUsers { value }
      errors { value changeRatio }
    }
    topCommands { name executions successRate averageMs }
    topErrors { errorType message count }
  }
}
""")


async def dashboard(url: str, token: str) -> dict[str, Any]:
    """Return the last 7 days' dashboard."""
    transport = AIOHTTPTransport(url, headers={"Authorization": f"Bearer {token}"}, timeout=30)
    async with Client(transport=transport) as session:
        QUERY.variable_values = {"range": {"preset": "LAST_7_DAYS"}}
        answer: dict[str, dict[str, Any]] = await session.execute(QUERY)
    return answer["dashboard"]


def shown(value: float | None, unit: str = "") -> str:
    """Return a figure for people; what has no samples is a dash."""
    return "-" if value is None else f"{value:,.0f}{unit}"


def percent(ratio: float | None) -> str:
    """Return a ratio of 0..1 as a percentage."""
    return shown(None if ratio is None else 100 * ratio, " %")


def print_dashboard(answer: dict[str, Any]) -> None:
    """Print totals, the top commands and the top errors."""
    summary, days = answer["summary"], answer["range"]
    executions, errors = summary["executions"], summary["errors"]
    print(f"{days['start']} to {days['end']} (UTC)")
    print(
        f"  commands run  {shown(executions['value'])}, change {percent(executions['changeRatio'])}"
    )
    print(f"  succeeded     {percent(summary['successRate']['value'])}")
    print(f"  95 % within   {shown(summary['execution']['p95Ms']['value'], ' ms')}")
    print(f"  active users  {shown(summary['activeUsers']['value'])}")
    print(f"  errors        {shown(errors['value'])}, change {percent(errors['changeRatio'])}")
    print("Top commands")
    for command in answer["topCommands"]:
        print(
            f"  {command['executions']:>7,}  {percent(command['successRate']):>6}"
            f"  {shown(command['averageMs'], ' ms'):>9}  {command['name']}"
        )
    print("Top errors")
    for error in answer["topErrors"]:
        print(f"  {error['count']:>7,}  {error['errorType']}: {error['message']}")


def main() -> int:
    """Ask, print, and return the exit status."""
    url = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8000/graphql"
    token = os.environ.get("COPILOT_ANALYTICS_TOKEN")
    if not token:
        print("Set COPILOT_ANALYTICS_TOKEN to the administrator's token.", file=sys.stderr)
        return 2
    try:
        print_dashboard(asyncio.run(dashboard(url, token)))
    except TransportQueryError as error:
        for reason in error.errors or ():
            print(reason["message"], file=sys.stderr)
        return 1
    except TransportError as error:
        print(f"{url} does not answer as it should: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
