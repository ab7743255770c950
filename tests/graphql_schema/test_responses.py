"""Whole responses, given again to whoever asks the same with the same eyes."""

from __future__ import annotations

import asyncio
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from copilot_analytics.testing import FakeClock
from copilot_analytics_graphql import Principal
from copilot_analytics_graphql.questions import GENERATION_TTL_MS, OPEN_TTL_MS
from copilot_analytics_graphql.requests import GraphQLRequest
from copilot_analytics_graphql.responses import Freshness, Outcome, ResponseCache, ResponseKey

KEY = ResponseKey("{ a }", None, b"{}", None)
POPULAR = "{ popularCommands { totalCount edges { node { executions } } } }"
CLOSED = '{ popularCommands(range: {start: "2025-05-01", end: "2025-05-10"}) { totalCount } }'


class Responding:
    """Makes responses, counted, that may be given again until a time."""

    def __init__(self, until: int | None, body: bytes = b'{"data":{}}') -> None:
        self.count = 0
        self._until = until
        self._outcome = Outcome(body, (), True, 200)

    async def __call__(self, freshness: Freshness) -> Outcome:
        self.count += 1
        if self._until is not None:
            freshness.limit(self._until)
        await asyncio.sleep(0)
        return self._outcome


def test_freshness_is_that_of_the_first_answer_to_end() -> None:
    freshness = Freshness()
    assert freshness.until is None
    for ends in (5, 3, 4):
        freshness.limit(ends)
    assert freshness.until == 3
    freshness.spoil()
    assert freshness.until is None


def test_a_response_is_given_again_until_it_ends() -> None:
    clock = FakeClock()
    cache, respond = ResponseCache(clock), Responding(clock.now_ms() + 100)

    async def ask() -> None:
        outcome = await cache.get(KEY, respond)
        clock.advance(99)
        assert cache.held(KEY) is outcome
        clock.advance(1)
        assert cache.held(KEY) is None
        await cache.get(KEY, respond)

    asyncio.run(ask())
    assert respond.count == 2


def test_many_who_ask_at_once_share_one_even_if_it_may_not_be_held() -> None:
    cache, respond = ResponseCache(FakeClock()), Responding(None)

    async def ask() -> None:
        outcomes = await asyncio.gather(*(cache.get(KEY, respond) for _ in range(100)))
        assert len({id(outcome) for outcome in outcomes}) == 1

    asyncio.run(ask())
    assert respond.count == 1
    assert cache.held(KEY) is None
    statistics = cache.statistics
    assert (statistics.misses, statistics.joined, statistics.entries) == (1, 99, 0)


def test_who_is_cancelled_does_not_take_the_response_from_others() -> None:
    cache, respond = ResponseCache(FakeClock()), Responding(None)

    async def ask() -> Outcome:
        first, second = (asyncio.create_task(cache.get(KEY, respond)) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        return await second

    assert asyncio.run(ask()).body == b'{"data":{}}'
    assert respond.count == 1


def test_the_least_recently_used_go_first_and_large_ones_are_not_held() -> None:
    clock = FakeClock()
    cache = ResponseCache(clock, max_bytes=3_000)
    keys = [ResponseKey(str(n), None, b"", None) for n in range(4)]
    small, large = Responding(clock.now_ms() + 1, b"x" * 900), b"x" * (1 << 20)

    async def ask() -> list[bool]:
        for key in keys[:3]:
            await cache.get(key, small)
        assert cache.held(keys[0])
        await cache.get(keys[3], small)
        await cache.get(KEY, Responding(clock.now_ms() + 1, large))
        return [cache.held(key) is not None for key in (*keys, KEY)]

    assert asyncio.run(ask()) == [True, False, True, True, False]


principals = st.builds(
    Principal,
    id=st.sampled_from(["ada", "bob", "admin", ""]),
    role=st.sampled_from(["admin", "user"]),
)
requests = st.builds(
    GraphQLRequest,
    query=st.sampled_from(["{ a }", "{ b }"]),
    operation_name=st.sampled_from([None, "A", ""]),
    variables=st.none()
    | st.dictionaries(
        st.sampled_from(["a", "b"]), st.sampled_from([None, 1, "1", True, [1], {"a": 1}, {}])
    ),
)


@given(requests, principals, requests, principals)
def test_keys_are_equal_for_equal_requests_and_rights_only(
    request: GraphQLRequest, principal: Principal, other: GraphQLRequest, somebody: Principal
) -> None:
    def identity(request: GraphQLRequest, principal: Principal) -> object:
        # repr tells 1 from True and from "1".
        variables = repr(sorted((request.variables or {}).items(), key=lambda pair: pair[0]))
        scope = ("admin", "") if principal.role == "admin" else ("user", principal.id)
        return request.query, request.operation_name, variables, scope

    equal = ResponseKey.of(request, principal) == ResponseKey.of(other, somebody)
    assert equal == (identity(request, principal) == identity(other, somebody))


async def _responses(served: Any) -> dict[str, int]:
    health = await served.data("{ recorderHealth { responses { hits misses joined entries } } }")
    counters: dict[str, int] = health["recorderHealth"]["responses"]
    return counters


def test_a_hundred_tabs_cost_one_execution(endpoint: Any) -> None:
    async def ask() -> dict[str, int]:
        async with endpoint() as served:
            answers = await asyncio.gather(*(served.data(POPULAR) for _ in range(100)))
            assert all(answer == answers[0] for answer in answers)
            return await _responses(served)

    counters = asyncio.run(ask())
    # The other miss is the health that is being asked for.
    assert counters["misses"] == 2
    assert counters["hits"] + counters["joined"] == 99
    assert counters["entries"] == 1


def test_a_response_ends_with_its_answers(endpoint: Any) -> None:
    async def ask() -> list[int]:
        hits = []
        async with endpoint() as served:
            for query, ttl_ms in ((POPULAR, OPEN_TTL_MS), (CLOSED, GENERATION_TTL_MS)):
                await served.data(query)
                served.clock.advance(ttl_ms - 1)
                await served.data(query)
                served.clock.advance(1)
                await served.data(query)
                hits.append((await _responses(served))["hits"])
        return hits

    assert asyncio.run(ask()) == [1, 2]


def test_nobody_gets_what_another_may_see(endpoint: Any) -> None:
    async def ask() -> None:
        async with endpoint() as served:
            query = "{ userActivity { userId executions } }"
            for token, user in [(served.ada, "ada"), (served.bob, "bob")] * 2:
                answer = await served.data(query, token=token)
                assert answer["userActivity"]["userId"] == user
            for _ in range(2):
                assert await served.data(POPULAR, token=served.admin)
                refused = await served.error(POPULAR, token=served.ada)
                assert refused["extensions"]["code"] == "FORBIDDEN"

    asyncio.run(ask())


def test_what_is_about_now_and_what_failed_is_not_held(endpoint: Any) -> None:
    async def ask() -> dict[str, int]:
        async with endpoint() as served:
            for _ in range(2):
                await served.data("{ recorderHealth { accepted } popularCommands { totalCount } }")
                await served.error("{ popularCommands(first: 0) { totalCount } }")
            return await _responses(served)

    counters = asyncio.run(ask())
    assert (counters["hits"], counters["entries"]) == (0, 0)
