"""`copilot-analytics token`: tokens for whoever asks the endpoint, kept as hashes in a file."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from ..periods import DAY_MS
from ..typing import SystemClock

__all__ = ["TokensOption", "tokens"]

DEFAULT_FILE = Path("copilot-analytics-tokens.json")

tokens = typer.Typer(
    no_args_is_help=True, help="Make, list and revoke tokens for the GraphQL endpoint."
)

_HELP = "The file that keeps the tokens' hashes."

TokensOption = Annotated[
    Path | None,
    typer.Option(
        "--tokens",
        metavar="FILE",
        envvar="COPILOT_ANALYTICS_TOKENS",
        help="A file of tokens that are let in, from `copilot-analytics token create`.",
        show_default="none",
        show_envvar=True,
    ),
]
FileOption = Annotated[
    Path,
    typer.Option(
        "--tokens",
        metavar="FILE",
        envvar="COPILOT_ANALYTICS_TOKENS",
        help=_HELP,
        show_envvar=True,
    ),
]
NameArgument = Annotated[
    str, typer.Argument(help="What you call it: 1 to 64 letters, digits and . _ - @ +")
]


class _Role(StrEnum):
    ADMIN = "admin"
    USER = "user"


@tokens.command("create", epilog="Example: copilot-analytics token create grafana --days 365")
def create(
    name: NameArgument,
    file: FileOption = DEFAULT_FILE,
    role: Annotated[
        _Role, typer.Option("--role", help="An admin sees everything, a user what is their own.")
    ] = _Role.ADMIN,
    user: Annotated[
        str | None,
        typer.Option(
            "--user",
            metavar="ID",
            help="Whose token it is: a user's id as the copilot knows it; required for a user.",
            show_default="an admin's is the name",
        ),
    ] = None,
    days: Annotated[
        int | None,
        typer.Option(
            "--days", min=1, max=3650, help="Days until it expires.", show_default="never"
        ),
    ] = None,
) -> None:
    """Make a token and print it, once; the file keeps only its hash."""
    from copilot_analytics_graphql.tokens import create_token

    now_ms = SystemClock().now_ms()
    token = create_token(
        file,
        name=name,
        role=role.value,
        id=user,
        expires_at=None if days is None else now_ms + days * DAY_MS,
        now_ms=now_ms,
    )
    # Alone on standard output, so that a script can take it from there.
    typer.echo(f"Shown once; {file} keeps only its hash:", err=True)
    typer.echo(token)


@tokens.command("revoke", epilog="Example: copilot-analytics token revoke grafana")
def revoke(name: NameArgument, file: FileOption = DEFAULT_FILE) -> None:
    """Revoke a token: running servers refuse it within a second, and close its sockets.

    Status 1 if there is no token of that name.
    """
    from copilot_analytics_graphql.tokens import revoke_token

    if not revoke_token(file, name):
        typer.echo(f"copilot-analytics: {file} has no token of that name.", err=True)
        raise typer.Exit(1)
    typer.echo(f"Revoked {name}.")


@tokens.command("list", epilog="Example: copilot-analytics token list")
def show(file: FileOption = DEFAULT_FILE) -> None:
    """List the tokens, but for themselves: nobody can show them again."""
    from copilot_analytics_graphql.tokens import list_tokens

    now_ms = SystemClock().now_ms()
    table = Table("name", "role", "id", "created", "expires", box=None)
    for token in list_tokens(file):
        expires = "never" if token.expires_at is None else _date(token.expires_at)
        if token.expires_at is not None and token.expires_at <= now_ms:
            expires = f"{expires} (expired)"
        table.add_row(token.name, token.role, token.id, _date(token.created_at), expires)
    Console(markup=False, highlight=False).print(table)


def _date(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).date().isoformat()
