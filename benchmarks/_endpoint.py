"""The server of `graphql_http.py`: the endpoint, a bare one beside it, and the same in process.

    python benchmarks/_endpoint.py DATABASE

Prints its port. `/bare` reads a POST and answers with the bytes that `/graphql` gives to the first
query, `/bare-dashboard` with the bytes that were given to `/keep`; `/jwt` is the endpoint again,
behind JWTs; `/cpu` tells the process's CPU time. `/executed`
and `/answered` run the dashboard without HTTP and without a cache, and tell how long that took:
by GraphQL, and by the service alone. The clock steps 4 s a request of `/uncached`, so that nothing
held is young enough for it.
"""

from __future__ import annotations

import socket
import sys
import time
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from copilot_analytics import Analytics
from copilot_analytics.typing import Receive, Scope, Send
from copilot_analytics_graphql import (
    Principal,
    RateLimit,
    analytics_routes,
    create_graphql_app,
    graphql_routes,
    static_token,
)
from copilot_analytics_graphql.access import Authenticate
from copilot_analytics_graphql.execution import Executor
from copilot_analytics_graphql.limits import Limits
from copilot_analytics_graphql.requests import GraphQLRequest

TOKEN = "benchmark-" + "x" * 32
SECRET = "benchmark-" + "s" * 32
ISSUER, AUDIENCE = "https://issuer.example", "copilot-analytics"
QUERY = (
    Path(__file__).parent.parent / "graphql_schema" / "operations" / "dashboard.graphql"
).read_text("utf-8")
STEP_MS = 4_000
RATE_LIMIT = RateLimit(per_second=1_000_000, burst=1_000_000)
"""It counts every request, and refuses none."""


class SteppingClock:
    """The machine's clock, and a step more each time one is asked for."""

    def __init__(self) -> None:
        self.steps = 0

    def now_ms(self) -> int:
        """Return the time, epoch ms."""
        return time.time_ns() // 1_000_000 + self.steps * STEP_MS

    def monotonic_ms(self) -> float:
        """Return a time that never steps back, in ms."""
        return time.monotonic() * 1000 + self.steps * STEP_MS


def _by_jwt() -> Authenticate:
    from copilot_analytics_graphql import jwt

    return jwt.JWTAuthenticator(
        issuer=ISSUER, audience=AUDIENCE, secret=SECRET, algorithms=("HS256",)
    )


def build(database: str) -> Starlette:
    """Return the application."""
    clock = SteppingClock()
    analytics = Analytics(f"sqlite:///{database}")
    stepping = Analytics(f"sqlite:///{database}", clock=clock)
    known = static_token(TOKEN)
    uncached = create_graphql_app(stepping, authenticate=known, rate_limit=RATE_LIMIT)
    request, admin = GraphQLRequest(QUERY), Principal("admin", "admin")

    async def bare(request: Request) -> Response:
        await request.body()
        return Response(await body(), media_type="application/json")

    held: list[bytes] = []

    async def body() -> bytes:
        if not held:
            executor = Executor(analytics, limits=Limits(), time_limit=60)
            held.append((await executor.run(request, admin)).body)
        return held[0]

    async def cpu(_: Request) -> Response:
        return Response(str(time.process_time_ns()))

    async def executed(_: Request) -> Response:
        executor = Executor(stepping, limits=Limits(), time_limit=60)
        started = time.perf_counter()
        outcome = await executor.run(request, admin)
        took = time.perf_counter() - started
        assert outcome.ran
        return Response(str(took * 1000))

    async def answered(_: Request) -> Response:
        started = time.perf_counter()
        await stepping.service.dashboard(stepping.service.range())
        return Response(str((time.perf_counter() - started) * 1000))

    class Uncached:
        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            clock.steps += 1
            await uncached(scope, receive, send)

    async def bare_dashboard(_: Request) -> Response:
        return Response(dashboards[0], media_type="application/json")

    async def keep(request: Request) -> Response:
        dashboards.append(await request.body())
        return Response("kept")

    dashboards: list[bytes] = []

    return Starlette(
        routes=[
            *analytics_routes(analytics, authenticate=known, rate_limit=RATE_LIMIT),
            Route("/bare-dashboard", bare_dashboard),
            Route("/keep", keep, methods=["POST"]),
            *graphql_routes(analytics, authenticate=_by_jwt(), path="/jwt", rate_limit=RATE_LIMIT),
            Route("/uncached", Uncached()),
            Route("/bare", bare, methods=["POST"]),
            Route("/cpu", cpu),
            Route("/executed", executed),
            Route("/answered", answered),
        ]
    )


def main(database: str) -> None:
    """Serve until killed."""
    listening = socket.create_server(("127.0.0.1", 0))
    print(listening.getsockname()[1], flush=True)
    config = uvicorn.Config(build(database), loop="uvloop", log_level="warning", access_log=False)
    uvicorn.Server(config).run(sockets=[listening])


if __name__ == "__main__":
    main(sys.argv[1])
