"""`copilot-analytics erase-user`: removes a user from the store, after a question."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from ..errors import ConfigurationError
from ..redaction import bound_id
from ..stores import Erasure
from .options import JSONOption, StoreOption, open_configured
from .telling import count, tell_json, waiting

__all__ = ["erase_user"]


def erase_user(
    user_id: Annotated[
        str,
        typer.Argument(help="The user's id, as the copilot knows them or as answers show it."),
    ],
    store: StoreOption = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing.")] = False,
    as_json: JSONOption = False,
) -> None:
    """Remove a user from the store, for good.

    Their events, counts and traces go; counts that they were part of stay. What running processes
    have recorded of them and not stored yet comes later: repeat it a minute after they are signed
    out. It is idempotent.
    """
    with open_configured(store) as opened:
        if not yes:
            _confirm(opened.store.url)
        erased = Erasure()
        with waiting("Erasing"):
            for stored_id in dict.fromkeys((opened.stored_user_id(user_id), bound_id(user_id))):
                erased += opened.store.erase_user(stored_id)
    if as_json:
        tell_json(erased)
        return
    if erased == Erasure():
        typer.echo("The store holds nothing of this user.")
        return
    typer.echo(
        f"Erased {count(erased.events)} events and {count(erased.rollups)} daily counts; "
        f"taken out of {count(erased.patterns)} error patterns and {count(erased.distinct)} sets "
        "of users."
    )


def _confirm(url: str) -> None:
    if not sys.stdin.isatty():
        raise ConfigurationError(
            "--yes", False, "give it: standard input is no terminal, so nobody can be asked"
        )
    typer.confirm(f"Erase this user from {url}, for good?", abort=True, err=True)
