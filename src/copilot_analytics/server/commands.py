"""What the command line offers; each command is thin, the work is in the modules beside it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from typing import Annotated

import typer

from .. import __version__
from .config_command import show_config
from .dashboard_command import show_dashboard
from .doctor_command import examine
from .erase_command import erase_user
from .event_commands import show_events
from .export_command import export
from .import_commands import import_source
from .listing_commands import show_commands, show_errors, show_users
from .options import StoreOption
from .rollup_commands import rollups
from .status_command import show_status
from .table_commands import table
from .token_commands import TokensOption, tokens

__all__ = ["app"]

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    # Frames are for people: pipes, logs and programs get plain text.
    rich_markup_mode="rich" if sys.stdout.isatty() and sys.stderr.isatty() else None,
    help="See what happens on your AI copilot's WebSockets.",
    epilog="Settings come from COPILOT_ANALYTICS_* variables; an option wins over its variable. "
    "Exit status: 0 all well · 1 a problem was found · 2 wrong use · 3 the store cannot be used "
    "now · 130 Ctrl-C.",
)


def _offer(name: str, command: Callable[..., None], example: str, *, panel: str) -> None:
    app.command(name, epilog=f"Example: copilot-analytics {example}", rich_help_panel=panel)(
        command
    )


_SEE = "See what happened"
_MOVE = "Move and remove data"
_OPERATE = "Operate"
_SERVE = "Serve"

_offer("status", show_status, "status", panel=_SEE)
_offer("dashboard", show_dashboard, "dashboard --days 7 --watch", panel=_SEE)
_offer("commands", show_commands, "commands --days 7 --order-by failures", panel=_SEE)
_offer("errors", show_errors, "errors --from 2026-11-01 --type TimeoutError", panel=_SEE)
_offer("users", show_users, "users --order-by last_seen --limit 50", panel=_SEE)
_offer("events", show_events, "events --type ERROR_OCCURRED --follow", panel=_SEE)
_offer("export", export, "export events.parquet --days 90", panel=_MOVE)
_offer(
    "import",
    import_source,
    "import events.ndjson.gz --store sqlite:///copilot-analytics.db",
    panel=_MOVE,
)
_offer("erase-user", erase_user, "erase-user ada@example.com", panel=_MOVE)
_offer("doctor", examine, "doctor", panel=_OPERATE)
_offer("config", show_config, "config", panel=_OPERATE)
app.add_typer(rollups, name="rollups", rich_help_panel=_OPERATE)
app.add_typer(table, name="table", rich_help_panel=_OPERATE)
app.add_typer(tokens, name="token", rich_help_panel=_OPERATE)

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


@app.command(epilog="Example: copilot-analytics demo --once", rich_help_panel=_SERVE)
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


@app.command(
    epilog="Example: COPILOT_ANALYTICS_TOKEN=… copilot-analytics serve --port 8080",
    rich_help_panel=_SERVE,
)
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
