"""The copilot that the capture benchmarks measure, bare or with the plugin, in its own process.

Each message is answered by an acknowledgment, a stream start, 50 token frames of 128 bytes and a
completion. Workloads: `copilot` does what copilots do: tokens come at a model's pace (one every 5
ms), each frame is encoded as JSON, and the server compresses, by its defaults, for every client
that offers permessage-deflate, as all browsers do. `burst` sends as fast as it can what it has
encoded beforehand; `raw` does so without compression, the least that a server can do for a frame.
`GET /cpu` (uvicorn) or the message `cpu` (websockets) answers the
process's CPU time so far in nanoseconds, all threads.

    python benchmarks/_copilot.py uvicorn|websockets bare|plugin copilot|burst|raw STORE

prints its port when it listens and runs until it is killed.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
import time
from collections.abc import AsyncIterator
from typing import Any

import uvloop

TOKENS = 50
PACE_SECONDS = 0.005
MESSAGE = json.dumps(
    {"action": "message", "message": "Where is my order?", "conversationId": "c-1"}
)
_TOKEN = json.dumps({"type": "stream_token", "token": ""})
TOKEN = json.dumps({"type": "stream_token", "token": "x" * (128 - len(_TOKEN))})
FRAMES = (
    {"type": "acknowledgment", "conversationId": "c-1"},
    {
        "type": "stream_start",
        "conversationId": "c-1",
        "metadata": {"intent": "track-order", "confidence": 0.9},
    },
    *([json.loads(TOKEN)] * TOKENS),
    {"type": "stream_complete", "metadata": {"tokenCount": 50, "actionSuccess": True}},
)
ANSWER = tuple(json.dumps(frame) for frame in FRAMES)


async def paced() -> AsyncIterator[str]:
    """Yield an answer at a model's pace, each frame encoded when it is due."""
    for frame in FRAMES:
        await asyncio.sleep(PACE_SECONDS)
        yield json.dumps(frame)


async def app(scope: Any, receive: Any, send: Any, workload: str = "raw") -> None:
    """Answer messages over plain ASGI, and the CPU time over HTTP."""
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                return
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": str(time.process_time_ns()).encode()})
        return
    await receive()
    await send({"type": "websocket.accept"})
    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            return
        if workload == "copilot":
            async for frame in paced():
                await send({"type": "websocket.send", "text": frame})
            continue
        for frame in ANSWER:
            await send({"type": "websocket.send", "text": frame})


async def handler(connection: Any, workload: str = "raw") -> None:
    """Answer messages over `websockets`, and the CPU time to the message `cpu`."""
    async for message in connection:
        if message == "cpu":
            await connection.send(str(time.process_time_ns()))
            continue
        if workload == "copilot":
            async for frame in paced():
                await connection.send(frame)
            continue
        for frame in ANSWER:
            await connection.send(frame)


def listening() -> socket.socket:
    """Return a listening socket on a free port, which is printed."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", 0))
    listener.listen(128)
    print(listener.getsockname()[1], flush=True)
    return listener


def serve_uvicorn(store: str | None, workload: str) -> None:
    """Serve `app` on uvicorn, uvloop and websockets-sansio."""
    import uvicorn

    async def served_app(scope: Any, receive: Any, send: Any) -> None:
        await app(scope, receive, send, workload)

    served: Any = served_app
    if store:
        from copilot_analytics import Analytics
        from copilot_analytics_plugins.starlette import AnalyticsMiddleware

        served = AnalyticsMiddleware(served_app, Analytics(store))
    config = uvicorn.Config(
        served,
        loop="uvloop",
        ws="websockets-sansio",
        log_level="error",
        ws_per_message_deflate=workload != "raw",
    )
    uvloop.run(uvicorn.Server(config).serve(sockets=[listening()]))


async def _websockets(store: str | None, workload: str) -> None:
    from websockets.asyncio.server import serve

    async def served_handler(connection: Any) -> None:
        await handler(connection, workload)

    served: Any = served_handler
    if store:
        from copilot_analytics import Analytics
        from copilot_analytics_plugins.websockets import track

        served = track(Analytics(store))(served_handler)
    compression = None if workload == "raw" else "deflate"
    async with serve(served, sock=listening(), compression=compression):
        await asyncio.Future()


if __name__ == "__main__":
    kind, variant, load, path = sys.argv[1:]
    os.environ.pop("COPILOT_ANALYTICS_ENABLED", None)
    where = f"sqlite:///{path}" if variant == "plugin" else None
    if kind == "uvicorn":
        serve_uvicorn(where, load)
    else:
        uvloop.run(_websockets(where, load))
