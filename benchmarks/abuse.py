"""How long the copilot's own users wait while its GraphQL endpoint is attacked.

A canary, in a process of its own, sends a message on the copilot's socket and waits for the answer,
a thousand times a second at most: its longest wait is the longest that the event loop was held.
Each case is sent over and over while the canary sings, three times; its best counts, held against
the worst of an idle run. So is what the limits let pass, as another text each time, so that no held
response answers it.

    python benchmarks/abuse.py [seconds=0.3]
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import httpx
from _abuse import REQUESTS, SOCKETS, Conversation, Request
from _dear import DEAR, fill_rows
from _report import Result
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

BOUND_MS = 50.0
ROUNDS = 3
SHOWN = 12
SLOW_CLIENTS = 200
TOKENS = {"admin": "admin-" + "a" * 32, "user": "user-" + "u" * 32}
NEWER = {"accept": "application/graphql-response+json"}


def serve() -> None:
    """Serve a copilot that answers at once, tracked, with the endpoint beside it."""
    import uvicorn
    from starlette.applications import Starlette
    from starlette.routing import WebSocketRoute
    from starlette.websockets import WebSocket

    from copilot_analytics import Analytics
    from copilot_analytics_graphql import any_of, graphql_routes, static_token
    from copilot_analytics_graphql.jwt import JWTAuthenticator
    from copilot_analytics_plugins.starlette import AnalyticsMiddleware

    async def copilot(websocket: WebSocket) -> None:
        await websocket.accept()
        async for text in websocket.iter_text():
            await websocket.send_text(text)

    authenticate = any_of(
        static_token(TOKENS["admin"]),
        static_token(TOKENS["user"], role="user", id="ada"),
        JWTAuthenticator(issuer="x", audience="x", secret="s" * 32),
    )
    analytics = Analytics("memory://")
    fill_rows(analytics)
    assert asyncio.run(analytics.flush())
    # As docs/performance.md advises: else Python's own full collections are what is measured.
    gc.freeze()
    routes = graphql_routes(analytics, authenticate=authenticate, rate_limit=None)
    app = Starlette(routes=[*routes, WebSocketRoute("/copilot", copilot)])
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(listener.getsockname()[1], flush=True)
        config = uvicorn.Config(
            AnalyticsMiddleware(app, analytics=analytics), log_level="error", access_log=False
        )
        asyncio.run(uvicorn.Server(config).serve(sockets=[listener]))


async def sing(port: int) -> None:
    """Print the longest wait, ms, since the last line that came in; a line asks for it."""
    loop, longest = asyncio.get_running_loop(), 0.0

    def tell() -> None:
        nonlocal longest
        sys.stdin.readline()
        print(longest, flush=True)
        longest = 0.0

    loop.add_reader(sys.stdin, tell)
    async with connect(f"ws://127.0.0.1:{port}/copilot", proxy=None, compression=None) as canary:
        print("ready", flush=True)
        while True:
            started = time.perf_counter()
            await canary.send("tweet")
            await canary.recv()
            longest = max(longest, (time.perf_counter() - started) * 1000)
            await asyncio.sleep(0.001)


class Canary:
    """The other process."""

    def __init__(self, port: int) -> None:
        self._process = _child("sing", str(port))
        assert self._line() == "ready"

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def longest(self) -> float:
        """Return its longest wait since this was asked, in ms."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return float(self._line())

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()


def _child(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, __file__, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


class Attacker:
    """Sends the cases to a server."""

    def __init__(self, port: int, client: httpx.AsyncClient) -> None:
        self._host = f"127.0.0.1:{port}"
        self._client = client

    async def request(self, case: Request) -> None:
        """Send a request; its answer has to be the expected one."""
        url = f"http://{self._host}/graphql"
        response = await self._client.request(
            case.method,
            f"{url}?{case.query_string}" if case.query_string else url,
            content=case.body,
            headers={**NEWER, **_bearer(case.token), **case.headers},
        )
        assert response.status_code == case.status, (case.name, response.text)

    async def dear(self, query: str) -> None:
        """Send an operation that is allowed; it has to be answered."""
        response = await self._client.post(
            f"http://{self._host}/graphql",
            json={"query": f"{query} #{time.monotonic_ns()}"},
            headers={**NEWER, **_bearer("admin")},
        )
        assert response.status_code == 200, response.text
        assert "errors" not in response.json(), response.text

    async def conversation(self, case: Conversation) -> None:
        """Send a socket's messages and hear the end."""
        url, headers = f"ws://{self._host}/graphql", _bearer("admin")
        async with connect(
            url, additional_headers=headers, subprotocols=[_PROTOCOL], proxy=None, max_queue=None
        ) as attacking:
            with contextlib.suppress(ConnectionClosed):
                for message in (*(['{"type": "connection_init"}'] * case.greets), *case.messages):
                    await attacking.send(message)
            with contextlib.suppress(ConnectionClosed):
                while json.loads(await attacking.recv())["type"] != "error":
                    pass

    async def loris(self) -> None:
        """Open many requests that never end, each sending a byte now and then."""
        host, _, port = self._host.partition(":")
        opened = [await asyncio.open_connection(host, int(port)) for _ in range(SLOW_CLIENTS)]
        head = (
            "POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
            f"authorization: Bearer {TOKENS['admin']}\r\ncontent-length: 60000\r\n\r\n"
        )
        for text in (head, *'{"que'):
            for _, writer in opened:
                writer.write(text.encode())
            await asyncio.sleep(0.02)
        for _, writer in opened:
            writer.close()


_PROTOCOL: Any = "graphql-transport-ws"


def _bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {TOKENS.get(token, token)}"}


async def attack(port: int, seconds: float) -> int:
    """Print what each case holds the loop for; return how many hold it too long."""
    canary = Canary(port)
    result = Result()

    async def longest(act: Callable[[], Awaitable[None]]) -> float:
        canary.longest()
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            await act()
        return canary.longest()

    async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
        attacker = Attacker(port, client)
        cases: dict[str, Callable[[], Awaitable[None]]] = {
            **{f"request: {c.name}": partial(attacker.request, c) for c in REQUESTS},
            **{f"socket: {c.name}": partial(attacker.conversation, c) for c in SOCKETS},
            **{f"allowed: {name}": partial(attacker.dear, query) for name, query in DEAR.items()},
            f"{SLOW_CLIENTS} slow requests": attacker.loris,
        }
        idle = max([await longest(lambda: asyncio.sleep(0.01)) for _ in range(ROUNDS)])
        result.line("idle, worst", idle, "ms")
        held = {
            name: min([await longest(act) for _ in range(ROUNDS)]) for name, act in cases.items()
        }
    canary.close()
    worst = sorted(held, key=lambda name: held[name], reverse=True)
    for name in worst[:SHOWN]:
        result.line(name, held[name], "ms", idle + BOUND_MS)
    print(f"… and {len(held) - SHOWN} cases that hold the loop for less")
    return result.missed


def main() -> int:
    """Run the server, the canary and the attack; return the exit status."""
    if sys.argv[1:2] == ["serve"]:
        serve()
        return 0
    if sys.argv[1:2] == ["sing"]:
        asyncio.run(sing(int(sys.argv[2])))
        return 0
    options = dict(argument.split("=") for argument in sys.argv[1:])
    server = _child("serve")
    try:
        assert server.stdout is not None
        port = int(server.stdout.readline())
        return 1 if asyncio.run(attack(port, float(options.get("seconds", "0.3")))) else 0
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    sys.exit(main())
