"""Long lists come in slices, between which others have the event loop."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from graphql import GraphQLField, GraphQLObjectType, GraphQLSchema, GraphQLString

from copilot_analytics import Analytics
from copilot_analytics.testing import FakeClock
from copilot_analytics_graphql import Principal
from copilot_analytics_graphql.execution import Executor
from copilot_analytics_graphql.limits import Limits
from copilot_analytics_graphql.requests import GraphQLRequest
from copilot_analytics_graphql.slices import complete_in_slices, in_slices
from copilot_analytics_graphql.turns import Turns

ADMIN = Principal("root", "admin")


async def count_turns(until: asyncio.Future[Any]) -> int:
    turns = 0
    while not until.done():
        turns += 1
        await asyncio.sleep(0)
    return turns


async def taken(entries: Any, turns: Turns, *, seconds: float) -> list[Any]:
    return [entry async for entry in in_slices(entries, turns, seconds=seconds)]


@pytest.mark.parametrize(("seconds", "least", "most"), [(0, 50, 200), (60, 1, 5)])
def test_others_have_a_turn_between_slices(seconds: float, least: int, most: int) -> None:
    async def ask() -> int:
        listing = asyncio.ensure_future(taken(range(50), Turns(1), seconds=seconds))
        turns = await count_turns(listing)
        assert await listing == list(range(50))
        return turns

    assert least <= asyncio.run(ask()) <= most


def test_many_lists_have_no_more_of_a_turn_than_one() -> None:
    async def ask() -> int:
        turns = Turns(1)
        listing = asyncio.gather(*(taken(range(10), turns, seconds=0) for _ in range(20)))
        count = await count_turns(listing)
        assert await listing == [list(range(10))] * 20
        return count

    assert asyncio.run(ask()) >= 20 * 10


def test_a_time_out_waits_for_the_end_and_is_one() -> None:
    """Else what graphql-core has begun of the list's entries would never be awaited."""

    async def ask() -> list[int]:
        got: list[int] = []

        async def take() -> None:
            async with asyncio.timeout(0):
                got.extend(await taken(range(20), Turns(1), seconds=0))
                await asyncio.Event().wait()

        with pytest.raises(TimeoutError):
            await take()
        return got

    assert asyncio.run(ask()) == list(range(20))


def test_a_cancellation_ends_the_task_after_the_list() -> None:
    async def ask() -> tuple[int, bool]:
        got: list[int] = []

        async def take() -> None:
            async for entry in in_slices(range(20), Turns(1), seconds=0):
                got.append(entry)

        listing = asyncio.ensure_future(take())
        await asyncio.sleep(0)
        listing.cancel()
        await asyncio.wait({listing})
        return len(got), listing.cancelled()

    assert asyncio.run(ask()) == (20, True)


@pytest.mark.parametrize(
    ("query", "least", "more"),
    [
        ("{ users(first: 1000) { edges { node { userId } } } }", 1, 39),
        (
            "{ popularCommands(first: 500) { edges { node { name stats { executions } } } } }",
            40,
            39,
        ),
        ("{ dashboard(top: 1000) { topCommands { name } } }", 1, 39),
        ("{ timeSeries(metric: MESSAGES, interval: HOUR) { at values } }", 1, 2 * 719),
    ],
)
def test_long_lists_leave_others_the_event_loop(
    monkeypatch: pytest.MonkeyPatch, query: str, least: int, more: int
) -> None:
    async def ask(executor: Executor, seconds: Iterator[float], text: str) -> tuple[int, bytes]:
        clock = SimpleNamespace(perf_counter=seconds.__next__)
        monkeypatch.setattr("copilot_analytics_graphql.slices.time", clock)
        asking = asyncio.ensure_future(executor.run(GraphQLRequest(text), ADMIN))
        turns = await count_turns(asking)
        return turns, (await asking).body

    async def compare() -> list[tuple[int, bytes]]:
        async with Analytics("memory://", clock=FakeClock()) as analytics:
            for number in range(40):
                analytics.service.track_command_execution(f"u{number}", f"c{number}", True)
            assert await analytics.flush()
            executor = Executor(analytics, limits=Limits(), time_limit=60)
            # From here on answers are held; other texts are no held responses.
            await executor.run(GraphQLRequest(query), ADMIN)
            return [
                await ask(executor, itertools.repeat(0.0), f"{query} # the clock stands"),
                await ask(executor, itertools.count(1.0), f"{query} # each look is 1 s later"),
            ]

    (whole, one), (sliced, other) = asyncio.run(compare())

    assert whole >= least
    assert sliced >= whole + more
    assert one == other
    assert b"errors" not in one


def test_only_fields_of_a_schema_can_be_sliced() -> None:
    schema = GraphQLSchema(GraphQLObjectType("Query", {"name": GraphQLField(GraphQLString)}))

    for place in ("Nothing.edges", "Query.name"):
        with pytest.raises(TypeError, match=place.partition(".")[0]):
            complete_in_slices(schema, [place])
