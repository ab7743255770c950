"""Serves the endpoint and runs JavaScript clients against it: `run.py NODE SCRIPT…`, `make audit`.

Each script finds the endpoint and its tokens in the environment; the worst status is this one's.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
from pathlib import Path

from starlette.applications import Starlette

from copilot_analytics import Analytics
from copilot_analytics.server.listening import base_url, listen, running
from copilot_analytics_graphql import Authenticate, Credentials, Principal, graphql_routes

BRIEF_MS = 1_500


def authenticator(analytics: Analytics, token: str, brief: str) -> Authenticate:
    """Know an admin by two tokens, of which one ends soon after it is shown."""

    async def authenticate(credentials: Credentials) -> Principal | None:
        if credentials.bearer_token == token:
            return Principal("root", "admin")
        if credentials.bearer_token == brief:
            return Principal("root", "admin", expires_at=analytics.clock.now_ms() + BRIEF_MS)
        return None

    return authenticate


async def run(node: str, scripts: list[str]) -> int:
    """Return 0 if every script is content."""
    token, brief = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
    analytics = Analytics("memory://")
    authenticate = authenticator(analytics, token, brief)
    app = Starlette(routes=graphql_routes(analytics, authenticate=authenticate))
    listener = listen("127.0.0.1", 0)
    url = f"{base_url(listener)}/graphql"
    environment = {
        **os.environ,
        "ENDPOINT": url,
        "SOCKET": url.replace("http", "ws", 1),
        "TOKEN": token,
        "BRIEF_TOKEN": brief,
    }
    status = 0
    async with analytics, running(app, listener):
        for script in scripts:
            path = Path(__file__).with_name(script)
            process = await asyncio.create_subprocess_exec(node, path, env=environment)
            status = max(status, abs(await asyncio.wait_for(process.wait(), 120)))
    return status


if __name__ == "__main__":
    sys.exit(asyncio.run(run(sys.argv[1], sys.argv[2:])))
