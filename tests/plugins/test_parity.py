"""Two lines record all 14 event types, the same ones whatever the server is made with."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import fastapi
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve

from copilot_analytics.analytics import Analytics
from copilot_analytics.config import AnalyticsConfig
from copilot_analytics.events import AnalyticsEvent, EventType
from copilot_analytics.testing import FakeClock
from copilot_analytics_plugins.starlette import AnalyticsMiddleware
from copilot_analytics_plugins.websockets import AnalyticsConnection, track

Server = Callable[..., AbstractAsyncContextManager[int]]

Frame = dict[str, Any]

INTENT: Frame = {"intent": "add-supplier", "confidence": 0.9}
GREETING: Frame = {"type": "connected", "connectionId": "s-1"}
TOKEN: Frame = {"type": "stream_token", "token": "word"}
STREAM: list[Frame] = [{"type": "stream_start", "metadata": INTENT}, TOKEN, TOKEN, TOKEN]


def message(**metadata: Any) -> Frame:
    return {"type": "message", "content": "Done.", "metadata": {**INTENT, **metadata}}


CONVERSATION: list[tuple[str, list[Frame]]] = [
    ("add one", [{"type": "acknowledgment"}, message(actionSuccess=True, executionTime=12)]),
    ("add two", [message(actionSuccess=False)]),
    ("add", [message(requiresClarification=True)]),
    (
        "tell me",
        [
            *STREAM,
            {"type": "stream_complete", "metadata": {"tokenCount": 3, "actionSuccess": True}},
        ],
    ),
    (
        "tell me more",
        [*STREAM, {"type": "stream_interrupted", "error": "lost", "partialResponse": "word"}],
    ),
    (
        "do it all",
        [
            {"type": "multi_step_start", "totalSteps": 1},
            {"type": "multi_step_progress", "stepNumber": 1, "intent": "find", "success": True},
            {"type": "multi_step_complete", "stepsExecuted": 1},
        ],
    ),
    (
        "once more",
        [
            {"type": "multi_step_start", "totalSteps": 2},
            {"type": "multi_step_failed", "stepNumber": 1, "error": "no stock"},
        ],
    ),
    ("and now", [{"type": "error", "error": "declined", "code": "PaymentDeclined"}]),
]
"""What the user says, and the frames with which the copilot answers."""

ANSWERS = {text: [json.dumps(frame) for frame in frames] for text, frames in CONVERSATION}


# --- three servers that know nothing of analytics -------------------------------------------------


async def endpoint(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_json(GREETING)
    try:
        while True:
            message = await websocket.receive_json()
            for frame in ANSWERS[message["message"]]:
                await websocket.send_text(frame)
    except WebSocketDisconnect:
        return


async def handler(connection: ServerConnection) -> None:
    await connection.send(json.dumps(GREETING))
    async for message in connection:
        for frame in ANSWERS[json.loads(message)["message"]]:
            await connection.send(frame)


def starlette_application(analytics: Analytics) -> Starlette:
    app = Starlette(routes=[WebSocketRoute("/ws", endpoint)])
    app.add_middleware(AnalyticsMiddleware, analytics=analytics)
    return app


def fastapi_application(analytics: Analytics) -> fastapi.FastAPI:
    app = fastapi.FastAPI()
    app.websocket("/ws")(endpoint)
    app.add_middleware(AnalyticsMiddleware, analytics=analytics)
    return app


@asynccontextmanager
async def serving(**arguments: Any) -> AsyncIterator[int]:
    async with serve(host="127.0.0.1", port=0, **arguments) as server:
        yield next(iter(server.sockets)).getsockname()[1]


# --- one user -------------------------------------------------------------------------------------


async def converse(running: AbstractAsyncContextManager[int]) -> None:
    async with running as port:
        url = f"ws://127.0.0.1:{port}/ws"
        async with connect(url, additional_headers={"X-User": "ada"}) as client:
            await client.recv()
            for text, frames in CONVERSATION:
                message = {"action": "message", "message": text, "conversationId": "c-1"}
                await client.send(json.dumps(message))
                for _ in frames:
                    await client.recv()


def comparable(event: AnalyticsEvent) -> tuple[object, ...]:
    metadata = {name: value for name, value in event.metadata.items() if name != "fault_id"}
    return (
        event.event_type,
        event.user_id,
        event.timestamp,
        event.conversation_id,
        event.connection_id,
        metadata,
    )


def recorded(
    stored_events: Callable[[Analytics], list[AnalyticsEvent]],
    running: Callable[[Analytics], AbstractAsyncContextManager[int]],
) -> list[tuple[object, ...]]:
    config = AnalyticsConfig(strict=True, identity_header="X-User")
    analytics = Analytics("memory://", config=config, clock=FakeClock())
    asyncio.run(converse(running(analytics)))
    events = stored_events(analytics)
    analytics.close()
    return [comparable(event) for event in events]


def test_every_server_records_the_same_events_of_all_types(
    uvicorn_server: Server,
    stored_events: Callable[[Analytics], list[AnalyticsEvent]],
) -> None:
    decorated = recorded(stored_events, lambda a: serving(handler=track(a)(handler)))
    connections = recorded(
        stored_events,
        lambda a: serving(handler=handler, create_connection=AnalyticsConnection.factory(a)),
    )
    starlette = recorded(stored_events, lambda a: uvicorn_server(starlette_application(a)))
    fastapi = recorded(stored_events, lambda a: uvicorn_server(fastapi_application(a)))

    assert {event_type for event_type, *_ in decorated} == set(EventType)
    assert {event[1:2] + event[4:5] for event in decorated} == {("ada", "s-1")}
    assert connections == decorated
    assert starlette == decorated
    assert fastapi == decorated
