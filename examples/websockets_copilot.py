"""A copilot on the `websockets` library that is seen: two lines record its sockets.

    python examples/websockets_copilot.py --port 8765

It speaks the default wire protocol. Say `tell me about Acme`, or `ship it` for an answer in steps,
or anything else for an error:

    {"action": "message", "message": "ship it", "conversationId": "c-1"}

Events go to copilot-analytics.db in this folder (COPILOT_ANALYTICS_STORE sets another place);
`copilot-analytics serve` answers over it.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import signal
from typing import Any

from websockets.asyncio.server import ServerConnection, serve

from copilot_analytics import Analytics
from copilot_analytics_plugins.websockets import track

analytics = Analytics.from_env()  # line one


@track(analytics)  # line two
async def copilot(connection: ServerConnection) -> None:
    """Answer a user's messages, one after the other."""
    async for frame in connection:
        message = json.loads(frame)
        if message.get("action") == "message":
            await answer(connection, message["message"], message.get("conversationId"))


async def answer(connection: ServerConnection, text: str, conversation_id: str | None) -> None:
    """Do what the message asks for, and say so in the copilot's protocol."""

    async def say(kind: str, **fields: Any) -> None:
        frame = {"type": kind, "conversationId": conversation_id, **fields}
        await connection.send(json.dumps(frame))

    if text.startswith("tell"):
        await say("stream_start", metadata={"intent": "describe-supplier", "confidence": 0.88})
        words = ("They ", "deliver ", "on ", "time, ", "nearly ", "always.")
        for word in words:
            await say("stream_token", token=word)
            await asyncio.sleep(0.01)
        await say("stream_complete", metadata={"tokenCount": len(words)})
    elif text.startswith("ship"):
        steps = ("pick-order", "print-label", "call-carrier")
        await say("multi_step_start", totalSteps=len(steps))
        for number, step in enumerate(steps, start=1):
            await asyncio.sleep(0.02)
            await say("multi_step_progress", stepNumber=number, intent=step, success=True)
        await say("multi_step_complete", stepsExecuted=len(steps))
    else:
        await say("error", code="NotUnderstood", error="I can tell and ship.", retryable=False)


async def main() -> None:
    """Serve until Ctrl-C or SIGTERM."""
    parser = argparse.ArgumentParser(description="A websockets copilot with analytics.")
    parser.add_argument("--port", type=int, default=8765)
    port = parser.parse_args().port
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):  # Windows
            asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    async with analytics, serve(copilot, "127.0.0.1", port) as server:
        host, port = next(iter(server.sockets)).getsockname()
        print(f"Copilot  ws://{host}:{port}", flush=True)
        await stopped.wait()


if __name__ == "__main__":
    asyncio.run(main())
