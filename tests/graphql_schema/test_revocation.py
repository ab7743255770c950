"""Open sockets: they end when whoever opened them is revoked, and share the event loop."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from pathlib import Path
from typing import Any

import pytest

from copilot_analytics import Analytics
from copilot_analytics_graphql import Credentials, Principal, TokenFile, create_graphql_app
from copilot_analytics_graphql.tokens import create_token, revoke_token

INIT = {"type": "connection_init"}
FOLLOW = {
    "type": "subscribe",
    "id": "follow",
    "payload": {"query": "subscription { eventRecorded { missed } }"},
}
SUBSCRIBE = {"type": "subscribe", "id": "1", "payload": {"query": "{ __typename }"}}


def test_a_socket_ends_with_what_it_follows_when_its_token_is_revoked(
    endpoint: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("copilot_analytics_graphql.websocket._REVOCATION_SECONDS", 0.02)
    path = tmp_path / "tokens.json"
    tokens = [create_token(path, name=name, role="admin", now_ms=0) for name in ("gone", "kept")]
    authenticate = TokenFile(path, recheck_seconds=0)

    async def converse() -> tuple[Any, ...]:
        async with endpoint(events=False, authenticate=authenticate) as served:
            gone, kept = [await served.connect(served.bearer(token)) for token in tokens]
            for socket in (gone, kept):
                await socket.send(json.dumps(INIT))
                assert json.loads(await socket.recv()) == {"type": "connection_ack"}
            await gone.send(json.dumps(FOLLOW))
            await asyncio.to_thread(revoke_token, path, "gone")
            await gone.wait_closed()
            await kept.send(json.dumps(SUBSCRIBE))
            answer = json.loads(await kept.recv())
            await kept.close()
            return gone.close_code, gone.close_reason, answer["type"]

    assert asyncio.run(converse()) == (4403, "Your credentials have been revoked", "next")


def test_a_socket_ends_when_nobody_can_tell_whether_it_may_stay(
    endpoint: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("copilot_analytics_graphql.websocket._REVOCATION_SECONDS", 0)

    async def fail() -> bool:
        raise LookupError

    async def known(credentials: Credentials) -> Principal | None:
        return Principal("root", "admin", still_valid=fail)

    async def converse() -> int:
        async with endpoint(events=False, authenticate=known) as served:
            closed: int = await served.close_code(INIT)
            return closed

    assert asyncio.run(converse()) == 4403


def test_a_flood_of_messages_leaves_others_their_turn() -> None:
    """A server that has thousands of one client's messages at hand suspends for none of them."""
    analytics = Analytics("memory://")

    async def known(credentials: Credentials) -> Principal | None:
        return Principal("root", "admin")

    async def converse() -> int:
        pings = [{"type": "websocket.receive", "text": '{"type": "ping"}'}] * 3_200
        messages = deque(
            [{"type": "websocket.connect"}, *pings, {"type": "websocket.disconnect", "code": 1001}]
        )
        turns = 0

        async def receive() -> Any:
            return messages.popleft()

        async def send(message: Any) -> None:
            pass

        async def others() -> None:
            nonlocal turns
            while messages:
                turns += 1
                await asyncio.sleep(0)

        app = create_graphql_app(analytics, authenticate=known)
        scope = {"type": "websocket", "headers": [], "subprotocols": ["graphql-transport-ws"]}
        await asyncio.gather(app(scope, receive, send), others())
        return turns

    assert asyncio.run(converse()) >= 100
    analytics.close()
