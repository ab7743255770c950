"""Serves both endpoints and lets others ask them: `make audit`, `run.py NODE SCHEMATHESIS`.

graphql-http's audits and the client graphql-ws, in JavaScript beside this file, and schemathesis,
which makes operations and requests up from the schema and the OpenAPI document. The worst status is
this one's.
"""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import sys
import tempfile
from pathlib import Path

from starlette.applications import Starlette

from copilot_analytics import Analytics
from copilot_analytics.server.listening import base_url, listen, running
from copilot_analytics.testing import FakeClock
from copilot_analytics_graphql import (
    Authenticate,
    Credentials,
    Principal,
    graphql_routes,
    rest_routes,
)

FOLDER = Path(__file__).resolve().parent
BRIEF_MS = 1_500

EXAMPLES_MS = 1_750_000_000_000
"""2025-06-15T15:06:40Z, which the examples of the OpenAPI document are about."""


def authenticator(analytics: Analytics, token: str, brief: str) -> Authenticate:
    """Know an admin by two tokens, of which one ends soon after it is shown."""

    async def authenticate(credentials: Credentials) -> Principal | None:
        if credentials.bearer_token == token:
            return Principal("root", "admin")
        if credentials.bearer_token == brief:
            return Principal("root", "admin", expires_at=analytics.clock.now_ms() + BRIEF_MS)
        return None

    return authenticate


def guide(socket: str) -> str:
    """Return the browser's program of docs/graphql.md, which ends once it has printed an event."""
    text = (FOLDER.parent.parent / "docs/graphql.md").read_text()
    program: str
    (program,) = re.findall(r"^```js\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    packages = FOLDER / "node_modules"
    return (
        f"import WebSocket from {str(packages / 'ws/wrapper.mjs')!r};\n"
        "globalThis.WebSocket ??= WebSocket;\n"
        "const token = process.env.TOKEN;\n"
        "setTimeout(() => process.exit(1), 20_000);\n"
        "console.log = (event) => {\n"
        "  process.stdout.write(`the guide: ${JSON.stringify(event)}\\n`);\n"
        "  process.exit(event.event.eventType === 'ACTION_EXECUTED' ? 0 : 1);\n"
        "};\n"
        + program.replace("wss://example.com/graphql", socket).replace(
            '"graphql-ws"', repr(str(packages / "graphql-ws/dist/index.js"))
        )
    )


async def go_on_recording(analytics: Analytics) -> None:
    """Have something happen ten times a second, for those who follow."""
    while True:
        analytics.service.track_command_execution("ada", "add-supplier", True, 10.0)
        await asyncio.sleep(0.1)


async def run(node: str, schemathesis: str) -> int:
    """Return 0 if all of them are content."""
    token, brief = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
    analytics = Analytics("memory://")
    analytics.service.track_command_execution("ada", "add-supplier", True, 10.0)
    # A clock that stands still: the examples have answers.
    examples = Analytics("memory://", clock=FakeClock(EXAMPLES_MS))
    examples.service.track_command_execution("ada", "add-supplier", True, 10.0)
    examples.service.track_error("ada", "ValidationError", "no supplier for ada@example.com")
    authenticate = authenticator(analytics, token, brief)
    routes = [
        *graphql_routes(analytics, authenticate=authenticate, rate_limit=None),
        *rest_routes(examples, authenticate=authenticate, rate_limit=None),
    ]
    listener = listen("127.0.0.1", 0)
    url = f"{base_url(listener)}/graphql"
    rest = f"{base_url(listener)}/analytics/openapi.json"
    environment = {
        **os.environ,
        "ENDPOINT": url,
        "SOCKET": url.replace("http", "ws", 1),
        "TOKEN": token,
        "BRIEF_TOKEN": brief,
    }
    commands: list[list[str]] = [
        [node, str(FOLDER / "audit.js")],
        [node, str(FOLDER / "sockets.js")],
        [node, "--input-type=module", "--eval", guide(environment["SOCKET"])],
        [
            schemathesis, "run", url, "--header", f"Authorization: Bearer {token}",
            "--checks", "not_a_server_error", "--max-examples", "50", "--seed", "1", "--no-color",
        ],
        [
            schemathesis, "--config-file", str(FOLDER / "rest.toml"), "run", rest,
            "--header", f"Authorization: Bearer {token}",
            "--checks", "all", "--max-examples", "100", "--seed", "1", "--no-color",
        ],
    ]  # fmt: skip
    status = 0
    # What schemathesis writes down is left behind with its folder.
    with tempfile.TemporaryDirectory() as folder:
        async with analytics, examples, running(Starlette(routes=routes), listener):
            recording = asyncio.create_task(go_on_recording(analytics))
            for command in commands:
                process = await asyncio.create_subprocess_exec(
                    *command, env=environment, cwd=folder
                )
                status = max(status, abs(await asyncio.wait_for(process.wait(), 300)))
            recording.cancel()
    return status


if __name__ == "__main__":
    sys.exit(asyncio.run(run(*sys.argv[1:])))
