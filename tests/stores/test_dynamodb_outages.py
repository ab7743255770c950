"""A copilot whose table cannot be used goes on, is told why once, and loses no event."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from copilot_analytics import Analytics, AnalyticsConfig
from copilot_analytics.rollups import ACTIVITY, RollupKind
from copilot_analytics.server.listening import listen, running
from copilot_analytics.stores._dynamodb_client import DynamoDBClient
from copilot_analytics.stores._dynamodb_provisioning import create
from copilot_analytics.stores.dynamodb import DynamoDBStore
from copilot_analytics.typing import ASGIApp, Receive, Scope, Send
from copilot_analytics_plugins.starlette import AnalyticsMiddleware

from .dynamodb_engines import Engine
from .faulty_proxy import Answer, Drop, Fault, FaultyProxy, Hold, Lose, Rates

TURNS = 3
EVENTS_OF_A_TALK = 2 + 3 * TURNS
"""Connected and disconnected; in a turn the message, and the start and the end of the answer."""

MISSING = Answer.error("ResourceNotFoundException", "Requested resource not found")
CAUSES: dict[str, tuple[Fault, str, str]] = {
    "missing table": (MISSING, "there is no table", "run copilot-analytics table create"),
    "denied permission": (
        Answer.error("AccessDeniedException", "not authorized to perform: dynamodb:UpdateItem"),
        "AWS does not permit dynamodb:UpdateItem",
        "copilot-analytics table policy prints the least-privilege one",
    ),
    "expired credentials": (
        Answer.error("ExpiredTokenException", "The security token is expired"),
        "the AWS credentials have expired",
        "renew them",
    ),
    "other keys": (
        Answer.error("ValidationException", "The provided key element does not match the schema"),
        "has other keys or indexes than this product's",
        "run copilot-analytics table describe",
    ),
    "wrong region": (
        Answer.error(
            "InvalidSignatureException", "Credential should be scoped to a valid region, not 'x'."
        ),
        "the endpoint does not belong to the region",
        "correct ?region= in the URL",
    ),
    "down": (Lose(), "the connection to", "check the region"),
    "no answers": (Drop(), "the connection to", "check the region"),
    "hanging": (Hold(), "gave no answer within", "check the region"),
}


@pytest.fixture
def proxy(engine: Engine) -> Iterator[FaultyProxy]:
    with FaultyProxy(engine.endpoint_url) as proxy:
        yield proxy


async def copilot(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer each message with a stream."""
    if scope["type"] == "lifespan":
        while (message := await receive())["type"] != "lifespan.shutdown":
            await send({"type": f"{message['type']}.complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    await receive()
    await send({"type": "websocket.accept"})
    while (await receive())["type"] == "websocket.receive":
        for frame in (
            {"type": "stream_start", "conversationId": "c"},
            *({"type": "stream_token", "token": f"word-{number}"} for number in range(20)),
            {"type": "stream_complete"},
        ):
            await send({"type": "websocket.send", "text": json.dumps(frame)})


@asynccontextmanager
async def served(app: ASGIApp) -> AsyncIterator[str]:
    """Serve an app with uvicorn and yield its address."""
    listener = listen("127.0.0.1", 0)
    async with running(app, listener):
        yield f"ws://127.0.0.1:{listener.getsockname()[1]}/chat"


async def talk(address: str) -> list[object]:
    """Return all that a client is sent in some turns, and how its connection ends."""
    frames: list[object] = []
    async with connect(address, proxy=None) as client:
        for _ in range(TURNS):
            await client.send(json.dumps({"action": "message", "message": "Hello"}))
            while "stream_complete" not in str(frames[-1:]):
                frames.append(await client.recv())
            frames.append("end of turn")
        await client.close(4_000, "enough")
        with pytest.raises(ConnectionClosed) as closed:
            await client.recv()
        frames.append(str(closed.value))
    return frames


@pytest.mark.parametrize("cause", CAUSES)
def test_the_copilot_goes_on_and_events_wait(
    cause: str,
    engine: Engine,
    proxy: FaultyProxy,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """From its start on, and again amidst its work."""
    fault, said, remedy = CAUSES[cause]
    client = DynamoDBClient(engine.new_table_name(), endpoint_url=engine.endpoint_url)
    bad, good = Rates({fault: 1.0}), Rates()
    if fault is MISSING:
        bad = good  # there is none
    else:
        create(client)
    proxy.rates = bad
    config = AnalyticsConfig(spool_dir=str(tmp_path / "spool"), write_interval=0.05)
    analytics = Analytics(f"dynamodb://{client.table}?endpoint={proxy.url}", config=config)
    store = analytics.store
    assert isinstance(store, DynamoDBStore)
    store._client._time_limit = 1.0

    def errors() -> list[str]:
        return [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]

    async def wait_for_error() -> None:
        async with asyncio.timeout(60):
            while not errors():
                assert not await analytics.flush(timeout=0.1)

    def assert_told_once() -> None:
        (error,) = errors()
        assert said in error
        assert remedy in error
        caplog.clear()

    async def converse() -> None:
        async with served(copilot) as address:
            bare = await talk(address)
        async with served(AnalyticsMiddleware(copilot, analytics)) as address:
            assert await talk(address) == bare
            await wait_for_error()
            assert await talk(address) == bare
            health = analytics.recorder.health()
            assert (health.stored, health.dropped) == (0, {})
            assert_told_once()

            proxy.rates = good
            proxy.let_go.set()
            create(client)
            assert await analytics.flush(timeout=60)
            assert await talk(address) == bare
            assert not errors()

            proxy.let_go.clear()
            proxy.rates = Rates({fault: 1.0})
            assert await talk(address) == bare
            await wait_for_error()
            assert_told_once()
            proxy.rates = good
            proxy.let_go.set()
            assert await talk(address) == bare
            assert await analytics.flush(timeout=60)
            health = analytics.recorder.health()
            assert (health.stored, health.spooled) == (5 * EVENTS_OF_A_TALK, 0)
            assert health.dropped == {}
            days = analytics.service.range()
            counted = store.totals(RollupKind.ACTIVITY, days, detail=True)[ACTIVITY]
            assert counted.counters["e.MESSAGE_SENT"] == 5 * TURNS

    asyncio.run(converse())
    client.close()
    assert not errors()
