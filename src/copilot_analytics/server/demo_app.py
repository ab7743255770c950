"""The demo's server: the sample copilot at `/ws` with the plugin's two lines, and its answers."""

from __future__ import annotations

import asyncio

from starlette.applications import Starlette
from starlette.requests import Request as HTTPRequest
from starlette.responses import RedirectResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from copilot_analytics_graphql import Authenticate, SignInCodes, analytics_routes
from copilot_analytics_plugins.starlette import AnalyticsMiddleware

from ..analytics import Analytics
from .page import PAGE
from .sample_copilot import CopilotCrashError, Ending, Request

__all__ = ["LIVE_SPEED", "demo_app"]

LIVE_SPEED = 0.1
"""Live answers take a tenth of the scripts' time, so that the demo is over in seconds."""


def demo_app(
    analytics: Analytics,
    authenticate: Authenticate,
    codes: SignInCodes | None = None,
    *,
    session_key: str | None = None,
) -> Starlette:
    """Return the sample copilot's application, observed by `analytics`.

    Args:
        analytics: observes, and answers; not owned.
        authenticate: tells who may ask.
        codes: sign somebody in to the page once.
        session_key: signs the page's sessions; a random one by default.
    """
    app = Starlette(
        routes=[
            WebSocketRoute("/ws", _copilot),
            Route("/", _home),
            *analytics_routes(
                analytics,
                authenticate=authenticate,
                dashboard=PAGE,
                session_key=session_key,
                sign_in_codes=codes,
            ),
        ]
    )
    app.add_middleware(AnalyticsMiddleware, analytics=analytics)
    return app


async def _home(request: HTTPRequest) -> RedirectResponse:
    return RedirectResponse(f"{PAGE}/")


async def _copilot(websocket: WebSocket) -> None:
    await websocket.accept()
    try:
        while True:
            message = await websocket.receive_json()
            if isinstance(message, dict) and message.get("action") == "message":
                await _answer(websocket, message)
    except WebSocketDisconnect:
        return


async def _answer(websocket: WebSocket, message: dict[str, object]) -> None:
    script = Request.parse(str(message.get("message", ""))).script(
        str(message.get("conversationId", ""))
    )
    for step in script.steps:
        await asyncio.sleep(step.delay_ms * LIVE_SPEED / 1000)
        await websocket.send_json(step.frame)
    if script.ending is Ending.HANDLER_RAISES:
        raise CopilotCrashError(script.failure)
