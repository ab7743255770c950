"""The copilot that the capture benchmarks measure, bare or with the plugin, in its own process.

Each message is answered by an acknowledgment, a stream start, 50 token frames of 128 bytes and a
completion, as fast as possible. `GET /cpu` (uvicorn) or the message `cpu` (websockets) answers the
process's CPU time so far in nanoseconds, all threads.

    python benchmarks/_copilot.py uvicorn|websockets bare|plugin STORE

prints its port when it listens and runs until it is killed.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
import time
from typing import Any

import uvloop

TOKENS = 50
MESSAGE = json.dumps(
    {"action": "message", "message": "Where is my order?", "conversationId": "c-1"}
)
_TOKEN = json.dumps({"type": "stream_token", "token": ""})
TOKEN = json.dumps({"type": "stream_token", "token": "x" * (128 - len(_TOKEN))})
ANSWER = (
    json.dumps({"type": "acknowledgment", "conversationId": "c-1"}),
    json.dumps(
        {
            "type": "stream_start",
            "conversationId": "c-1",
            "metadata": {"intent": "track-order", "confidence": 0.9},
        }
    ),
    *([TOKEN] * TOKENS),
    json.dumps({"type": "stream_complete", "metadata": {"tokenCount": 50, "actionSuccess": True}}),
)


async def app(scope: Any, receive: Any, send: Any) -> None:
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
        for frame in ANSWER:
            await send({"type": "websocket.send", "text": frame})


async def handler(connection: Any) -> None:
    """Answer messages over `websockets`, and the CPU time to the message `cpu`."""
    async for message in connection:
        if message == "cpu":
            await connection.send(str(time.process_time_ns()))
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


def serve_uvicorn(store: str | None) -> None:
    """Serve `app` on uvicorn, uvloop and websockets-sansio."""
    import uvicorn

    served: Any = app
    if store:
        from copilot_analytics import Analytics
        from copilot_analytics_plugins.starlette import AnalyticsMiddleware

        served = AnalyticsMiddleware(app, Analytics(store))
    config = uvicorn.Config(
        served,
        loop="uvloop",
        ws="websockets-sansio",
        log_level="error",
        ws_per_message_deflate=False,
    )
    uvloop.run(uvicorn.Server(config).serve(sockets=[listening()]))


async def _websockets(store: str | None) -> None:
    from websockets.asyncio.server import serve

    served: Any = handler
    if store:
        from copilot_analytics import Analytics
        from copilot_analytics_plugins.websockets import track

        served = track(Analytics(store))(handler)
    async with serve(served, sock=listening(), compression=None):
        await asyncio.Future()


if __name__ == "__main__":
    kind, variant, path = sys.argv[1:]
    os.environ.pop("COPILOT_ANALYTICS_ENABLED", None)
    where = f"sqlite:///{path}" if variant == "plugin" else None
    if kind == "uvicorn":
        serve_uvicorn(where)
    else:
        uvloop.run(_websockets(where))
