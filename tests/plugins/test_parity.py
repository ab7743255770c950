"""Two lines record the events written by hand for a conversation, whatever the server is made with.

The transcripts' README says how they are written. Here they are spoken over real sockets by servers
that know nothing of analytics but those two lines.
"""

from __future__ import annotations

import asyncio
import builtins
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import fastapi
import pytest
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from copilot_analytics.analytics import Analytics
from copilot_analytics.config import AnalyticsConfig
from copilot_analytics.events import AnalyticsEvent, EventType
from copilot_analytics.testing import FakeClock
from copilot_analytics_plugins.starlette import AnalyticsMiddleware
from copilot_analytics_plugins.websockets import AnalyticsConnection, track

TRANSCRIPTS = {
    path.stem: json.loads(path.read_bytes())
    for path in sorted((Path(__file__).parent.parent / "transcripts").glob("*.json"))
}
NOT_WRITTEN = {"adapter", "message_bytes", "fingerprint", "error_message", "reconnect"}

ADDED = {("error_type", "unknown")}
"""What admission adds where a frame names no type."""

Running = AbstractAsyncContextManager[int]
Event = dict[str, Any]


class Script:
    """One transcript as both ends of a socket play it; the server's end moves the clock."""

    def __init__(self, name: str) -> None:
        self.steps = TRANSCRIPTS[name]["steps"]
        self.clock = FakeClock()
        self.leave = asyncio.Event()

    async def answer(
        self,
        receive: Callable[[], Awaitable[object]],
        send: Callable[[str], Awaitable[None]],
    ) -> None:
        """Play the copilot."""
        for step in self.steps:
            self.clock.advance(step["at_ms"] - self.clock.monotonic_ms())
            if "server" in step:
                await send(frame(step["server"]))
            elif "raises" in step:
                raised = step["raises"]
                raise getattr(builtins, raised["type"])(raised["message"])
            else:
                if "closes" in step:
                    self.leave.set()
                await receive()

    async def converse(self, port: int, user: str | None) -> None:
        """Play the client."""
        headers = {} if user is None else {"X-User": user}
        url = f"ws://127.0.0.1:{port}/ws"
        async with connect(url, additional_headers=headers, max_queue=None) as client:
            for step in self.steps:
                if "client" in step:
                    await client.send(frame(step["client"]))
            ends = (self.leave.wait(), client.wait_closed())
            tasks = [asyncio.ensure_future(end) for end in ends]
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            await client.close(self.steps[-1]["closes"])
            tasks[0].cancel()


def frame(step: object) -> str:
    return step if isinstance(step, str) else json.dumps(step)


# --- the servers ----------------------------------------------------------------------------------


def endpoint(script: Script) -> Callable[[WebSocket], Awaitable[None]]:
    async def websocket_endpoint(websocket: WebSocket) -> None:
        await websocket.accept()
        with suppress(WebSocketDisconnect):
            await script.answer(websocket.receive_text, websocket.send_text)

    return websocket_endpoint


def starlette_application(script: Script, analytics: Analytics) -> Starlette:
    app = Starlette(routes=[WebSocketRoute("/ws", endpoint(script))])
    app.add_middleware(AnalyticsMiddleware, analytics=analytics)
    return app


def fastapi_application(script: Script, analytics: Analytics) -> fastapi.FastAPI:
    app = fastapi.FastAPI()
    app.add_api_websocket_route("/ws", endpoint(script))
    app.add_middleware(AnalyticsMiddleware, analytics=analytics)
    return app


def handler(script: Script) -> Callable[[ServerConnection], Awaitable[None]]:
    async def connection_handler(connection: ServerConnection) -> None:
        with suppress(ConnectionClosed):
            await script.answer(connection.recv, connection.send)

    return connection_handler


def decorated(script: Script, analytics: Analytics) -> dict[str, Any]:
    return {"handler": track(analytics)(handler(script))}


def connections(script: Script, analytics: Analytics) -> dict[str, Any]:
    connection = AnalyticsConnection.factory(analytics)
    return {"handler": handler(script), "create_connection": connection}


@asynccontextmanager
async def websockets_server(arguments: dict[str, Any]) -> AsyncIterator[int]:
    async with serve(host="127.0.0.1", port=0, **arguments) as server:
        yield next(iter(server.sockets)).getsockname()[1]


# --- the comparison -------------------------------------------------------------------------------


def comparable(events: list[AnalyticsEvent]) -> list[Event]:
    letters: dict[object, str] = {}
    return [
        {
            "at_ms": event.timestamp - FakeClock().now_ms(),
            "type": event.event_type,
            "conversation_id": event.conversation_id,
            "metadata": {
                name: letters.setdefault(value, f"<{'abc'[len(letters)]}>")
                if name == "fault_id"
                else value
                for name, value in event.metadata.items()
                if name not in NOT_WRITTEN and (name, value) not in ADDED
            },
        }
        for event in events
    ]


def written(name: str) -> list[Event]:
    """Return a transcript's events; servers close in the moment in which a handler raises."""
    raised_at = [step["at_ms"] for step in TRANSCRIPTS[name]["steps"] if "raises" in step]
    events = []
    for event in TRANSCRIPTS[name]["events"]:
        metadata = {k: v for k, v in event["metadata"].items() if k not in NOT_WRITTEN}
        at_ms = min([event["at_ms"], *raised_at])
        if "connection_ms" in metadata:
            metadata["connection_ms"] = at_ms
        events.append({"conversation_id": None, **event, "at_ms": at_ms, "metadata": metadata})
    return events


@pytest.mark.parametrize("name", TRANSCRIPTS)
@pytest.mark.parametrize(
    "made", [starlette_application, fastapi_application, decorated, connections]
)
def test_two_lines_record_the_conversation(
    uvicorn_server: Callable[..., Running],
    stored_events: Callable[[Analytics], list[AnalyticsEvent]],
    made: Callable[[Script, Analytics], Any],
    name: str,
) -> None:
    transcript = TRANSCRIPTS[name]
    config = AnalyticsConfig(strict=True, identity_header="X-User")

    async def main() -> Analytics:
        script = Script(name)
        analytics = Analytics("memory://", config=config, clock=script.clock)
        served = made(script, analytics)
        server = websockets_server if isinstance(served, dict) else uvicorn_server
        async with asyncio.timeout(30), server(served) as port:
            await script.converse(port, transcript["user"])
        return analytics

    analytics = asyncio.run(main())
    events = stored_events(analytics)
    analytics.close()
    assert comparable(events) == written(name)
    assert len({event.connection_id for event in events}) == 1
    assert transcript["connection_id"] in (None, events[0].connection_id)
    users = {event.user_id for event in events}
    assert len(users) == 1
    assert users == {transcript["user"]} or users.pop().startswith("anonymous:")


def test_one_conversation_has_all_event_types() -> None:
    assert {event["type"] for event in written("all-event-types")} == set(EventType)
