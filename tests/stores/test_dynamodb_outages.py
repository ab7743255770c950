"""A copilot whose table cannot be used goes on, is told why once, and loses no event."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from copilot_analytics import Analytics, AnalyticsConfig
from copilot_analytics.rollups import RollupKind
from copilot_analytics.stores._dynamodb_client import DynamoDBClient
from copilot_analytics.stores._dynamodb_provisioning import create

from .dynamodb_engines import Engine
from .faulty_proxy import Answer, Fault, FaultyProxy, Rates

EVENTS = 5


@pytest.fixture
def proxy(engine: Engine) -> Iterator[FaultyProxy]:
    with FaultyProxy(engine.endpoint_url) as proxy:
        yield proxy


@pytest.mark.parametrize(
    ("fault", "said", "remedy"),
    [
        (None, "there is no table", "run copilot-analytics table create"),
        (
            Answer.error("AccessDeniedException", "not authorized to perform: dynamodb:UpdateItem"),
            "AWS does not permit dynamodb:UpdateItem",
            "copilot-analytics table policy prints the least-privilege one",
        ),
        (
            Answer.error("ExpiredTokenException", "The security token is expired"),
            "the AWS credentials have expired",
            "renew them",
        ),
        (
            Answer.error(
                "ValidationException", "The provided key element does not match the schema"
            ),
            "has other keys or indexes than this product's",
            "run copilot-analytics table describe",
        ),
    ],
    ids=["missing table", "denied permission", "expired credentials", "other keys"],
)
def test_the_copilot_goes_on_and_events_wait(
    fault: Fault | None,
    said: str,
    remedy: str,
    engine: Engine,
    proxy: FaultyProxy,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    client = DynamoDBClient(engine.new_table_name(), endpoint_url=engine.endpoint_url)
    if fault is not None:
        create(client)
        proxy.rates = Rates({fault: 1.0})
    config = AnalyticsConfig(spool_dir=str(tmp_path / "spool"), flush_interval=0.05)

    def errors() -> list[str]:
        return [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]

    async def converse() -> None:
        url = f"dynamodb://{client.table}?endpoint={proxy.url}"
        async with Analytics(url, config=config) as analytics:
            for _ in range(EVENTS):
                analytics.service.track_command_execution("ada", "add-supplier", True)
            async with asyncio.timeout(60):
                while not errors():
                    assert not await analytics.flush(timeout=0.1)
            health = analytics.recorder.health()
            assert (health.spooled, health.stored, health.dropped) == (EVENTS, 0, {})

            proxy.rates = Rates()
            create(client)
            assert await analytics.flush(timeout=60)

            health = analytics.recorder.health()
            assert (health.spooled, health.stored, health.dropped) == (0, EVENTS, {})
            totals = analytics.store.totals(RollupKind.COMMAND, analytics.service.range())
            assert totals["add-supplier"].counters["executions"] == EVENTS

    asyncio.run(converse())
    client.close()
    (error,) = errors()
    assert said in error
    assert remedy in error
