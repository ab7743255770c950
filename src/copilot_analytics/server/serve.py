"""`copilot-analytics serve`: the GraphQL endpoint over a store, without a copilot."""

from __future__ import annotations

import asyncio
import secrets

from rich.console import Console
from starlette.applications import Starlette

from copilot_analytics_graphql import Authenticate, graphql_routes, static_token

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
    return Starlette(routes=graphql_routes(analytics, authenticate=authenticate, path="/graphql"))


async def serve(*, store: str | None, host: str, port: int | None, token: str | None) -> None:
    """Serve until Ctrl-C; print the address, and the token if it was generated.

    Raises:
        ConfigurationError: an option cannot be used.
        StoreError: the store cannot be opened.
    """
    token, generated = chosen_token(token)
    config = AnalyticsConfig.from_env(**({} if store is None else {"store": store}))
    analytics = Analytics(config=config)
    await asyncio.to_thread(analytics.store.open)
    listener = listen(host, port)
    async with analytics, running(_app(analytics, static_token(token)), listener) as server:
        if not server.done():
            console = Console(highlight=False, soft_wrap=True)
            console.print(f"GraphQL  {base_url(listener)}/graphql")
            console.print(f"Store    {analytics.store.url}", markup=False)
            if generated:
                console.print(
                    f"Token    {token}   (shown once; COPILOT_ANALYTICS_TOKEN sets another)"
                )
        await server
