"""The cache: asked once, in one scope, for a while; a write to the past shows within 5 s."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from copilot_analytics.periods import DAY_MS
from copilot_analytics.testing import FakeClock
from copilot_analytics_graphql.cache import AnswerCache, CacheKey, CacheStatistics
from copilot_analytics_graphql.questions import CLOSED_TTL_MS, GENERATION_TTL_MS, OPEN_TTL_MS

KEY = CacheKey("dashboard", ("2025-06-01", "2025-06-02", 5), None)


class Asked:
    """Answers a question and counts how often it was asked."""

    def __init__(self, answer: object = "answer") -> None:
        self.count = 0
        self.answer = answer

    async def __call__(self) -> object:
        self.count += 1
        # Whoever else asks comes to the cache before this is answered.
        await asyncio.sleep(0)
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer


def test_an_answer_is_held_for_its_time() -> None:
    async def ask() -> list[int]:
        clock, asked = FakeClock(), Asked()
        cache, counts = AnswerCache(clock), []
        for ms in (0, 999, 1, 0):
            clock.advance(ms)
            assert (await cache.get(KEY, asked, ttl_ms=1000)).value == "answer"
            counts.append(asked.count)
        assert cache.statistics == CacheStatistics(hits=2, misses=2, joined=0, entries=1)
        clock.advance(1000)
        assert cache.statistics.entries == 0
        return counts

    assert asyncio.run(ask()) == [1, 1, 2, 2]


def test_what_many_ask_at_once_is_asked_once() -> None:
    async def ask() -> None:
        cache, asked = AnswerCache(FakeClock()), Asked()
        answers = await asyncio.gather(*(cache.get(KEY, asked, ttl_ms=1000) for _ in range(20)))
        assert [answer.value for answer in answers] == ["answer"] * 20
        assert asked.count == 1
        assert cache.statistics == CacheStatistics(hits=0, misses=1, joined=19, entries=1)

    asyncio.run(ask())


def test_none_is_an_answer() -> None:
    async def ask() -> int:
        cache, asked = AnswerCache(FakeClock()), Asked(None)
        for _ in range(3):
            assert (await cache.get(KEY, asked, ttl_ms=1000)).value is None
        return asked.count

    assert asyncio.run(ask()) == 1


def test_an_error_reaches_all_who_wait_and_is_not_held() -> None:
    async def ask() -> int:
        cache, asked = AnswerCache(FakeClock()), Asked(LookupError())
        results = await asyncio.gather(
            *(cache.get(KEY, asked, ttl_ms=1000) for _ in range(3)), return_exceptions=True
        )
        assert [type(result) for result in results] == [LookupError] * 3
        with pytest.raises(LookupError):
            await cache.get(KEY, asked, ttl_ms=1000)
        return asked.count

    assert asyncio.run(ask()) == 2


def test_who_is_cancelled_does_not_take_the_answer_from_others() -> None:
    async def ask() -> None:
        cache, asked, free = AnswerCache(FakeClock()), asyncio.Event(), asyncio.Event()

        async def slow() -> str:
            asked.set()
            await free.wait()
            return "answer"

        first, second = (asyncio.create_task(cache.get(KEY, slow, ttl_ms=1000)) for _ in range(2))
        await asked.wait()
        first.cancel()
        free.set()
        assert (await second).value == "answer"
        await asyncio.gather(first, return_exceptions=True)
        assert first.cancelled()

    asyncio.run(ask())


@pytest.mark.parametrize(
    "other",
    [
        CacheKey("commandStats", KEY.arguments, None),
        CacheKey("dashboard", ("2025-06-01", "2025-06-02", 6), None),
        CacheKey("dashboard", ("2025-06-01", "2025-06-02", "5"), None),
        CacheKey("dashboard", ("2025-06-01", "2025-06-02", None), None),
        CacheKey("dashboard", ("2025-06-01", "2025-06-02"), None),
        CacheKey("dashboard", KEY.arguments, "ada"),
        CacheKey("dashboard", KEY.arguments, ""),
        CacheKey("dashboard", KEY.arguments, "None"),
        CacheKey("dashboard", KEY.arguments, None, (1,)),
        CacheKey("dashboard", (), None, ()),
    ],
)
def test_other_questions_have_other_keys(other: CacheKey) -> None:
    assert other.text() != KEY.text()


def test_keys_carry_no_ids() -> None:
    text = CacheKey("userActivity", ("ada@example.com",), "ada@example.com").text()

    assert "ada" not in text
    assert text.startswith("userActivity:")


@pytest.mark.parametrize(("entries", "weight"), [(3, 1000), (1000, 6)])
def test_the_least_recently_used_go_first(entries: int, weight: int) -> None:
    async def ask() -> list[int]:
        cache = AnswerCache(FakeClock(), max_entries=entries, max_weight=weight)
        asked = [Asked() for _ in range(4)]

        async def get(number: int) -> None:
            key = CacheKey("q", (number,), None)
            await cache.get(key, asked[number], ttl_ms=1000, weight=2)

        for number in (0, 1, 2, 0, 3, 0, 2, 3, 1):
            await get(number)
        return [one.count for one in asked]

    assert asyncio.run(ask()) == [1, 2, 1, 1]


def test_what_is_too_heavy_is_not_held() -> None:
    async def ask() -> tuple[int, CacheStatistics]:
        cache, asked = AnswerCache(FakeClock(), max_weight=10), Asked()
        for _ in range(2):
            await cache.get(KEY, asked, ttl_ms=1000, weight=11)
        return asked.count, cache.statistics

    count, statistics = asyncio.run(ask())
    assert (count, statistics.entries) == (2, 0)


def test_another_loop_may_use_it_later() -> None:
    cache, asked = AnswerCache(FakeClock()), Asked()

    async def abandon() -> None:
        begun = asyncio.Event()

        async def hang() -> None:
            begun.set()
            await asyncio.Event().wait()

        task = asyncio.create_task(cache.get(KEY, hang, ttl_ms=1000))
        await begun.wait()
        task.cancel()

    asyncio.run(abandon())

    async def ask() -> object:
        return (await cache.get(KEY, asked, ttl_ms=1000)).value

    assert asyncio.run(ask()) == "answer"


EXECUTIONS = (
    "query($range: DateRange) { dashboard(range: $range) { summary { executions { value } } } }"
)


async def executions(served: Any, range: dict[str, str]) -> int:
    answer = await served.data(EXECUTIONS, {"range": range})
    return int(answer["dashboard"]["summary"]["executions"]["value"])


async def run_a_command(served: Any, ago_ms: int) -> None:
    served.analytics.service.track_event(
        "ACTION_EXECUTED",
        "ada",
        metadata={"command_name": "late", "success": True},
        timestamp=served.clock.now_ms() - ago_ms,
    )
    assert await served.analytics.flush()


@pytest.mark.parametrize("store", ["memory://", "sqlite"])
def test_today_shows_within_seconds(endpoint: Any, store: str, tmp_path: Any) -> None:
    url = f"sqlite:///{tmp_path}/a.db" if store == "sqlite" else store

    async def ask() -> list[int]:
        seen = []
        async with endpoint(url) as served:
            today = {"preset": "TODAY"}
            seen.append(await executions(served, today))
            await run_a_command(served, 0)
            seen.append(await executions(served, today))
            served.clock.advance(OPEN_TTL_MS)
            seen.append(await executions(served, today))
        return seen

    assert asyncio.run(ask()) == [11, 11, 12]


@pytest.mark.parametrize("store", ["memory://", "sqlite"])
def test_a_write_to_the_past_shows_once_its_generation_is_read_again(
    endpoint: Any, store: str, tmp_path: Any
) -> None:
    url = f"sqlite:///{tmp_path}/a.db" if store == "sqlite" else store

    async def ask() -> list[int]:
        seen = []
        async with endpoint(url) as served:
            past = {"start": "2025-05-01", "end": "2025-05-10"}
            seen.append(await executions(served, past))
            await run_a_command(served, 40 * DAY_MS)
            seen.append(await executions(served, past))
            served.clock.advance(GENERATION_TTL_MS)
            seen.append(await executions(served, past))
        return seen

    assert asyncio.run(ask()) == [5, 5, 6]


def test_a_write_before_a_closed_range_changes_its_comparison(endpoint: Any) -> None:
    query = (
        'query { dashboard(range: {start: "2025-05-11", end: "2025-05-20"})'
        " { summary { executions { previous } } } }"
    )

    async def ask() -> list[int]:
        seen = []
        async with endpoint() as served:
            for _ in range(2):
                answer = await served.data(query)
                seen.append(answer["dashboard"]["summary"]["executions"]["previous"])
                await run_a_command(served, 40 * DAY_MS)
                served.clock.advance(GENERATION_TTL_MS)
        return seen

    assert asyncio.run(ask()) == [5, 6]


def test_closed_ranges_are_read_once_in_five_minutes(endpoint: Any) -> None:
    async def ask() -> list[dict[str, int]]:
        seen = []
        async with endpoint() as served:
            for number, ms in enumerate((0, 1000, CLOSED_TTL_MS - 1001, 1)):
                served.clock.advance(ms)
                # Under another name each time: the response as a whole is not held.
                await served.data(
                    f"query Q{number} {{ popularCommands"
                    '(range: {start: "2025-05-01", end: "2025-05-10"}) { totalCount } }'
                )
                health = await served.data("{ recorderHealth { cache { hits misses joined } } }")
                seen.append(health["recorderHealth"]["cache"])
        return seen

    first, second, third, fourth = asyncio.run(ask())

    # Each asks for the generation, too, which is read again after 5 s.
    assert (first["hits"], first["misses"]) == (0, 2)
    assert (second["hits"], second["misses"]) == (2, 2)
    assert (third["hits"], third["misses"]) == (3, 3)
    assert (fourth["hits"], fourth["misses"]) == (4, 4)


def test_many_queries_cost_one_read(endpoint: Any) -> None:
    async def ask() -> int:
        async with endpoint() as served:
            reads = 0
            question = served.analytics.service.popular_commands

            async def count(*args: Any, **options: Any) -> Any:
                nonlocal reads
                reads += 1
                return await question(*args, **options)

            served.analytics.service.popular_commands = count
            await asyncio.gather(
                *(
                    served.data(f"query Q{n} {{ popularCommands {{ totalCount }} }}")
                    for n in range(30)
                )
            )
            return reads

    assert asyncio.run(ask()) == 1


def test_a_mistake_is_not_remembered(endpoint: Any) -> None:
    async def ask() -> None:
        async with endpoint() as served:
            for limit in (0, 0, 10**9):
                error = await served.error(
                    f"{{ popularCommands(first: {limit}) {{ totalCount }} }}"
                )
                assert error["extensions"]["argument"] == "first"

    asyncio.run(ask())
