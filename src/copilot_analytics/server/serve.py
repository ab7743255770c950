"""`copilot-analytics serve`: the GraphQL endpoint and the REST API over a store, no copilot."""

from __future__ import annotations

import asyncio
import secrets
from pathlib import Path

from rich.console import Console
from starlette.applications import Starlette

from copilot_analytics_graphql import (
    Authenticate,
    TokenFile,
    analytics_routes,
    any_of,
    static_token,
)

from ..analytics import Analytics
from ..config import AnalyticsConfig
from ..errors import ConfigurationError
from .listening import base_url, listen, running

__all__ = ["MIN_TOKEN_BYTES", "chosen_token", "serve"]

MIN_TOKEN_BYTES = 32


def chosen_token(given: str | None) -> tuple[str, bool]:
    """Return the admin token, and whether it was generated here.

    Raises:
        ConfigurationError: the given one is shorter than 32 bytes.
    """
    if not given:
        return secrets.token_urlsafe(MIN_TOKEN_BYTES), True
    if len(given.encode()) < MIN_TOKEN_BYTES:
        raise ConfigurationError(
            "the token",
            f"{len(given.encode())} bytes long",
            f"give at least {MIN_TOKEN_BYTES} bytes; "
            'python -c "import secrets; print(secrets.token_urlsafe(32))" makes one',
        )
    return given, False


def _app(analytics: Analytics, authenticate: Authenticate) -> Starlette:
    return Starlette(routes=analytics_routes(analytics, authenticate=authenticate))


def _authenticator(token: str | None, tokens: Path | None) -> tuple[Authenticate, str | None]:
    """Return who is let in, and the token that was generated for it, if one was."""
    if tokens is None:
        chosen, generated = chosen_token(token)
        return static_token(chosen), chosen if generated else None
    if not token:
        return TokenFile(tokens), None
    return any_of(static_token(chosen_token(token)[0]), TokenFile(tokens)), None


async def serve(
    *,
    store: str | None,
    host: str,
    port: int | None,
    token: str | None,
    tokens: Path | None = None,
) -> None:
    """Serve until Ctrl-C; print the address, and the token if it was generated.

    Args:
        store: the store's URL; the environment's by default.
        host: the address to listen on.
        port: the port; 8000 or a free one by default.
        token: the administrator's; without it and `tokens`, one is generated.
        tokens: a file of tokens that are let in.

    Raises:
        ConfigurationError: an option cannot be used.
        StoreError: the store cannot be opened.
    """
    authenticate, generated = _authenticator(token, tokens)
    config = AnalyticsConfig.from_env(**({} if store is None else {"store": store}))
    analytics = Analytics(config=config)
    await asyncio.to_thread(analytics.store.open)
    listener = listen(host, port)
    async with analytics, running(_app(analytics, authenticate), listener) as server:
        if not server.done():
            console = Console(highlight=False, soft_wrap=True)
            console.print(f"GraphQL  {base_url(listener)}/graphql")
            console.print(f"REST     {base_url(listener)}/analytics")
            console.print(f"Store    {analytics.store.url}", markup=False)
            if tokens is not None:
                console.print(f"Tokens   {tokens}", markup=False)
            if generated is not None:
                console.print(
                    f"Token    {generated}   (shown once; COPILOT_ANALYTICS_TOKEN sets another)"
                )
        await server
