"""A FastAPI copilot that is seen: two lines record its sockets, GraphQL answers beside it.

    python examples/fastapi_copilot.py --port 8000

The copilot speaks the default wire protocol at ws://127.0.0.1:8000/ws. Say `add Acme`, `find Acme`,
`tell me about Acme` or anything else:

    {"action": "message", "message": "add Acme", "conversationId": "c-1"}

The dashboard is at http://127.0.0.1:8000/graphql, for whoever has the token that is printed
(COPILOT_ANALYTICS_TOKEN sets another). Events go to copilot-analytics.db in this folder
(COPILOT_ANALYTICS_STORE sets another place).
"""

from __future__ import annotations

import argparse
import asyncio
import os
import secrets
from typing import Any

import uvicorn
from fastapi import FastAPI, WebSocket, WebSocketDisconnect

from copilot_analytics import Analytics, command
from copilot_analytics_graphql import graphql_routes, static_token
from copilot_analytics_plugins.starlette import AnalyticsMiddleware

app = FastAPI(title="Supplier copilot")
suppliers: set[str] = set()

analytics = Analytics.from_env()  # line one
app.add_middleware(AnalyticsMiddleware, analytics=analytics)  # line two

token = os.environ.get("COPILOT_ANALYTICS_TOKEN") or secrets.token_urlsafe(32)
app.router.routes.extend(graphql_routes(analytics, authenticate=static_token(token)))


@app.websocket("/ws")
async def copilot(websocket: WebSocket) -> None:
    """Answer a user's messages, one after the other."""
    await websocket.accept()
    try:
        while True:
            message = await websocket.receive_json()
            if message.get("action") == "message":
                await answer(websocket, message["message"], message.get("conversationId"))
    except WebSocketDisconnect:
        return


async def answer(websocket: WebSocket, text: str, conversation_id: str | None) -> None:
    """Do what the message asks for, and say so in the copilot's protocol."""
    verb, _, rest = text.partition(" ")
    name = rest.rpartition(" ")[2]

    async def say(kind: str, **fields: Any) -> None:
        await websocket.send_json({"type": kind, "conversationId": conversation_id, **fields})

    await say("acknowledgment")
    if verb == "add":
        suppliers.add(name)
        metadata = {"intent": "add-supplier", "confidence": 0.97, "actionSuccess": True}
        await say("message", content=f"{name} is added.", metadata=metadata)
    elif verb == "find":
        found = name in suppliers
        metadata = {"intent": "find-supplier", "confidence": 0.93, "actionSuccess": found}
        await say("message", content="Here." if found else "Nobody.", metadata=metadata)
    elif verb == "tell":
        with command("look-up-supplier"):  # what no frame says, the code does
            await asyncio.sleep(0.02)
        await say("stream_start", metadata={"intent": "describe-supplier", "confidence": 0.88})
        words = (name, " delivers ", "on ", "time, ", "nearly ", "always.")
        for word in words:
            await say("stream_token", token=word)
            await asyncio.sleep(0.01)
        await say("stream_complete", metadata={"tokenCount": len(words)})
    else:
        metadata = {"intent": "unclear", "confidence": 0.3, "requiresClarification": True}
        await say("message", content="Shall I add, find or tell?", metadata=metadata)


def main() -> None:
    """Serve until Ctrl-C."""
    parser = argparse.ArgumentParser(description="A FastAPI copilot with analytics.")
    parser.add_argument("--port", type=int, default=8000)
    port = parser.parse_args().port
    print(f"Copilot  ws://127.0.0.1:{port}/ws")
    print(f"GraphQL  http://127.0.0.1:{port}/graphql")
    print(f"Token    {token}", flush=True)
    uvicorn.run(app, port=port)


if __name__ == "__main__":
    main()
