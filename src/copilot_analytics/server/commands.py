"""What the command line offers; each command is thin, the work is in the modules beside it."""

from __future__ import annotations

import asyncio
import sys
from typing import Annotated

import typer
from rich.console import Console

from .. import __version__
from ..config import AnalyticsConfig
from ..periods import DateRange
from ..stores import open_store
from ..typing import SystemClock
from ..verification import verify
from .import_commands import import_source
from .table_commands import table
from .token_commands import TokensOption, tokens

__all__ = ["app"]

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="See what happens on your AI copilot's WebSockets.",
    epilog="Settings come from COPILOT_ANALYTICS_* variables; an option wins over its variable.",
)
rollups = typer.Typer(no_args_is_help=True, help="Check the pre-aggregated numbers.")
app.add_typer(rollups, name="rollups")
app.add_typer(tokens, name="token")
app.add_typer(table, name="table")
app.command(
    "import",
    epilog="Examples: copilot-analytics import events.ndjson.gz · copilot-analytics import "
    "copilot-analytics.db --store 'dynamodb://omnitrack-copilot-analytics?region=eu-central-1'",
)(import_source)

StoreOption = Annotated[
    str | None,
    typer.Option(
        "--store",
        metavar="URL",
        help="Where events are kept, such as sqlite:///copilot-analytics.db.",
        show_default="COPILOT_ANALYTICS_STORE, else sqlite:///copilot-analytics.db",
    ),
]
HostOption = Annotated[str, typer.Option("--host", help="The address to listen on.")]
PortOption = Annotated[
    int | None,
    typer.Option(
        "--port", min=0, max=65535, help="The port.", show_default="8000, else a free one"
    ),
]
TokenOption = Annotated[
    str | None,
    typer.Option(
        "--token",
        envvar="COPILOT_ANALYTICS_TOKEN",
        help="The administrator's bearer token, at least 32 bytes.",
        show_default="a new one, printed once",
        show_envvar=True,
    ),
]


def _version(value: bool) -> None:
    if value:
        typer.echo(f"copilot-analytics {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """See what happens on your AI copilot's WebSockets."""


@app.command(epilog="Example: copilot-analytics demo --once")
def demo(
    once: Annotated[
        bool,
        typer.Option(
            "--once", help="End after the tables; status 1 if a number differs from the tally."
        ),
    ] = False,
    host: HostOption = "127.0.0.1",
    port: PortOption = None,
    token: TokenOption = None,
    users: Annotated[
        int, typer.Option("--users", min=1, max=400, help="How many users are simulated.")
    ] = 40,
    days: Annotated[
        int, typer.Option("--days", min=0, max=89, help="How many past days are made.")
    ] = 30,
    store: Annotated[
        str | None,
        typer.Option(
            "--store", metavar="URL", help="Keep what it stores.", show_default="a temporary file"
        ),
    ] = None,
) -> None:
    """Run a sample copilot with analytics, simulated users and a back-dated month.

    The month's frames go through adapter, tracker and recorder under a simulated clock; then users
    talk to the copilot over real WebSockets, and the dashboard is read back over GraphQL. It stays
    up, with a trickle of traffic, until Ctrl-C.
    """
    from .demo import Demo

    demonstration = Demo(
        host=host, port=port, token=token, users=users, days=days, store=store, once=once
    )
    sys.exit(asyncio.run(demonstration.run()))


@app.command(epilog="Example: COPILOT_ANALYTICS_TOKEN=… copilot-analytics serve --port 8080")
def serve(
    store: StoreOption = None,
    host: HostOption = "127.0.0.1",
    port: PortOption = None,
    token: TokenOption = None,
    tokens: TokensOption = None,
) -> None:
    """Serve the GraphQL endpoint over a store, at /graphql, for one token or a file of them."""
    from .serve import serve as run

    asyncio.run(run(store=store, host=host, port=port, token=token, tokens=tokens))


@rollups.command("verify", epilog="Example: copilot-analytics rollups verify --from 2026-11-01")
def verify_rollups(
    store: StoreOption = None,
    start: Annotated[
        str | None,
        typer.Option("--from", metavar="DATE", help="The first day.", show_default="29 days ago"),
    ] = None,
    end: Annotated[
        str | None, typer.Option("--to", metavar="DATE", help="The last day.", show_default="today")
    ] = None,
) -> None:
    """Count the stored events again and say where the rollups differ; status 1 if they do."""
    config = AnalyticsConfig.from_env(**({} if store is None else {"store": store}))
    clock = SystemClock()
    days = DateRange.of(start, end, now_ms=clock.now_ms())
    with open_store(config.store, clock=clock) as opened:
        report = verify(opened, days)
    console = Console()
    for line in report.lines():
        console.print(line, markup=False, highlight=False)
    raise typer.Exit(1 if report.differences else 0)
