"""The copilot that the capture benchmarks measure, bare or with the plugin, in its own process.

Each message is answered by an acknowledgment, a stream start, 50 token frames of 128 bytes and a
completion. Twenty answers take turns, each 50 other pieces of this project's documents: prose, of
which compression leaves two fifths and takes 7 µs a frame. Of one letter, or of one answer again
and again, it would leave a tenth and take 1.5 µs, which no copilot's answer does.

Workloads: `copilot` does what copilots do: tokens come at a model's pace (one every 5 ms), each
frame is encoded as JSON, and the server compresses, by its defaults, for every client that offers
permessage-deflate, as all browsers do. `burst` sends as fast as it can what it has encoded
beforehand; `raw` does so without compression, the least that a server can do for a frame.
`GET /cpu` (uvicorn) or the message `cpu` (websockets) answers the
process's CPU time so far in nanoseconds, all threads.

    python benchmarks/_copilot.py uvicorn|websockets bare|plugin copilot|burst|raw STORE

prints its port when it listens and runs until it is killed.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import socket
import sys
import time
from collections.abc import AsyncIterator, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

import uvloop

TOKENS = 50
PACE_SECONDS = 0.005
MESSAGE = json.dumps(
    {"action": "message", "message": "Where is my order?", "conversationId": "c-1"}
)
FRAME_BYTES = 128
ANSWER_COUNT = 20


def _prose() -> str:
    """Return this project's documents, without what JSON would escape."""
    folder = Path(__file__).parents[1] / "docs"
    text = " ".join(path.read_text("utf-8") for path in sorted(folder.glob("*.md")))
    return " ".join(re.sub(r'[^ -~]|["\\]', " ", text).split())


_PROSE = _prose()


def _answer(number: int) -> tuple[dict[str, Any], ...]:
    """Return an answer's frames: always the same for a number."""
    room = FRAME_BYTES - len(json.dumps({"type": "stream_token", "token": ""}))
    start = number * TOKENS * room
    return (
        {"type": "acknowledgment", "conversationId": "c-1"},
        {
            "type": "stream_start",
            "conversationId": "c-1",
            "metadata": {"intent": "track-order", "confidence": 0.9},
        },
        *(
            {"type": "stream_token", "token": _PROSE[place : place + room]}
            for place in range(start, start + TOKENS * room, room)
        ),
        {"type": "stream_complete", "metadata": {"tokenCount": TOKENS, "actionSuccess": True}},
    )


FRAMES = tuple(map(_answer, range(ANSWER_COUNT)))
ANSWERS = tuple(tuple(map(json.dumps, frames)) for frames in FRAMES)
ANSWER = ANSWERS[0]


async def paced(frames: Sequence[dict[str, Any]]) -> AsyncIterator[str]:
    """Yield an answer at a model's pace, each frame encoded when it is due."""
    for frame in frames:
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
    for frames, answer in cycle(zip(FRAMES, ANSWERS, strict=True)):
        message = await receive()
        if message["type"] == "websocket.disconnect":
            return
        if workload == "copilot":
            async for frame in paced(frames):
                await send({"type": "websocket.send", "text": frame})
            continue
        for frame in answer:
            await send({"type": "websocket.send", "text": frame})


async def handler(connection: Any, workload: str = "raw") -> None:
    """Answer messages over `websockets`, and the CPU time to the message `cpu`."""
    answers = cycle(zip(FRAMES, ANSWERS, strict=True))
    async for message in connection:
        if message == "cpu":
            await connection.send(str(time.process_time_ns()))
            continue
        frames, answer = next(answers)
        if workload == "copilot":
            async for frame in paced(frames):
                await connection.send(frame)
            continue
        for frame in answer:
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
