"""`copilot-analytics serve`: the page, GraphQL and REST over a store, no copilot."""

from __future__ import annotations

import asyncio
import secrets
from pathlib import Path

from rich.console import Console
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse
from starlette.routing import Route

from copilot_analytics_graphql import (
    Authenticate,
    Principal,
    SignInCodes,
    TokenFile,
    analytics_routes,
    any_of,
    static_token,
)
from copilot_analytics_graphql.authenticators import check_token

from ..analytics import Analytics
from ..config import AnalyticsConfig
from .listening import base_url, listen, running
from .page import PAGE, session_key, sign_in_link

__all__ = ["chosen_token", "serve"]


def chosen_token(given: str | None) -> tuple[str, bool]:
    """Return the admin token, and whether it was generated here.

    Raises:
        SecretError: the given one is too short, or is nothing that a header carries as it is.
    """
    if not given:
        return secrets.token_urlsafe(32), True
    check_token("the token", given)
    return given, False


def _app(
    analytics: Analytics, authenticate: Authenticate, token: str | None, codes: SignInCodes
) -> Starlette:
    return Starlette(
        routes=[
            Route("/", _home),
            *analytics_routes(
                analytics,
                authenticate=authenticate,
                dashboard=PAGE,
                session_key=None if token is None else session_key(token),
                sign_in_codes=codes,
            ),
        ]
    )


async def _home(request: Request) -> RedirectResponse:
    return RedirectResponse(f"{PAGE}/")


def _authenticator(token: str | None, tokens: Path | None) -> Authenticate:
    """Return who is let in: by the administrator's token, by a file of tokens, or by either."""
    known: list[Authenticate] = []
    if token is not None:
        known.append(static_token(token))
    if tokens is not None:
        known.append(TokenFile(tokens))
    return any_of(*known)


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
    chosen, is_generated = (None, False) if tokens and not token else chosen_token(token)
    authenticate = _authenticator(chosen, tokens)
    config = AnalyticsConfig.from_env(**({} if store is None else {"store": store}))
    analytics = Analytics(config=config)
    await asyncio.to_thread(analytics.store.open)
    listener = listen(host, port)
    codes = SignInCodes(analytics.clock)
    app = _app(analytics, authenticate, chosen, codes)
    async with analytics, running(app, listener) as server:
        if not server.done():
            console = Console(highlight=False, soft_wrap=True)
            if chosen is None:
                console.print(f"Page     {base_url(listener)}{PAGE}")
            else:
                link = sign_in_link(base_url(listener), codes, Principal("admin", "admin"))
                console.print(f"Page     {link}   (signs you in once, within ten minutes)")
            console.print(f"GraphQL  {base_url(listener)}/graphql")
            console.print(f"REST     {base_url(listener)}/analytics")
            console.print(f"Store    {analytics.store.url}", markup=False)
            if tokens is not None:
                console.print(f"Tokens   {tokens}", markup=False)
            if is_generated:
                console.print(
                    f"Token    {chosen}   (shown once; COPILOT_ANALYTICS_TOKEN sets another)"
                )
        await server
