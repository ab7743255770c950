"""Answers shared through a real Redis: by whom, for how long, and what happens without it."""

from __future__ import annotations

import asyncio
import gc
import logging
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, NoReturn

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from copilot_analytics.config import AnalyticsConfig
from copilot_analytics.errors import ConfigurationError
from copilot_analytics.periods import DAY_MS
from copilot_analytics.queries import Interval, Metric, SeriesGroup
from copilot_analytics.rankings import CommandOrder, IntentOrder, UserOrder
from copilot_analytics.testing import FakeClock
from copilot_analytics_graphql import remote
from copilot_analytics_graphql.access import Principal
from copilot_analytics_graphql.cache import AnswerCache, CacheKey
from copilot_analytics_graphql.questions import GENERATION_TTL_MS, OPEN_TTL_MS, CachedQuestions
from copilot_analytics_graphql.remote import RemoteAnswers
from copilot_analytics_graphql.responses import Freshness

# An endpoint is never closed, so that its connections end with the process: here with their loop.
pytestmark = [
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(autouse=True)
def _let_go() -> Iterator[None]:
    """Have what a test has left open noticed here, where that is expected."""
    yield
    gc.collect()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@pytest.fixture(scope="module")
def redis(
    tmp_path_factory: pytest.TempPathFactory, leave_out: Callable[[str], NoReturn]
) -> Iterator[str]:
    """Start Debian's redis-server, which keeps nothing."""
    program = shutil.which("redis-server")
    if program is None:
        leave_out(
            "What is shared through Redis was not tested: install redis-server (Debian: apt "
            "install redis-server)"
        )
    port = free_port()
    folder = tmp_path_factory.mktemp("redis")
    arguments = ["--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    server = subprocess.Popen(
        [program, *map(str, arguments), "--dir", str(folder)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdout is not None
    for line in server.stdout:
        if "Ready to accept connections" in line:
            break
    yield f"redis://127.0.0.1:{port}"
    server.terminate()
    server.stdout.close()
    server.wait(30)


def over(url: str, store: str = "a store", clock: FakeClock | None = None) -> AnswerCache:
    return AnswerCache(clock or FakeClock(), remote=RemoteAnswers(url, store))


class Asked:
    """Counts how often it is asked."""

    def __init__(self, answer: int = 7) -> None:
        self.count = 0
        self._answer = answer

    async def __call__(self) -> int:
        self.count += 1
        return self._answer


KEY = CacheKey("generations", ("2025-06-01", "2025-06-02"), None)


def test_another_process_is_given_the_answer_for_the_rest_of_its_life(redis: str) -> None:
    clock = FakeClock()

    async def ask() -> list[Any]:
        one, two, other = (over(redis, name, clock) for name in ("a", "a", "b"))
        asked = Asked()
        first = await one.get(KEY, asked, ttl_ms=1_000)
        await one.aclose()
        clock.advance(400)
        second = await two.get(KEY, asked, ttl_ms=1_000)
        third = await two.get(KEY, asked, ttl_ms=1_000)
        counts = [asked.count]
        await other.get(KEY, asked, ttl_ms=1_000)
        counts.append(asked.count)
        clock.advance(600)
        await two.get(KEY, asked, ttl_ms=1_000)
        counts.append(asked.count)
        for cache in (two, other):
            await cache.aclose()
        assert first == second == third
        return [counts, two.statistics.hits, two.statistics.misses]

    assert asyncio.run(ask()) == [[1, 2, 3], 2, 1]


def test_what_cannot_be_read_or_is_unknown_is_asked_for(redis: str) -> None:
    async def ask() -> None:
        cache, asked = over(redis, "c"), Asked()
        answers = RemoteAnswers(redis, "c")
        for junk in (b"", b"junk", b"\x92\x01\xa1x", b"\x93\x01\x02\x03", b"\x80"):
            await answers._connected().set(KEY.text(), junk)
            assert await answers.get("generations", KEY.text()) is None
        assert await answers.get("nothing", KEY.text()) is None
        answers.put("nothing", "key", 1, 1, 1)
        await cache.get(KEY, asked, ttl_ms=60_000)
        await cache.aclose()
        # Written over what could not be read.
        found = await answers.get("generations", KEY.text())
        assert found is not None
        assert found[0] == 7
        await answers.aclose()
        assert (asked.count, answers.failures) == (1, 0)

    asyncio.run(ask())


@pytest.mark.parametrize("hangs", [False, True])
def test_a_redis_that_is_away_or_hangs_costs_one_short_wait(
    hangs: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async def ask() -> tuple[int, int]:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            url = f"redis://127.0.0.1:{listener.getsockname()[1]}"
            if not hangs:
                listener.close()
            cache, asked = over(url), Asked()
            for number in range(20):
                key = CacheKey("generations", (number,), None)
                assert (await cache.get(key, asked, ttl_ms=1_000)).value == 7
            statistics = cache.statistics
            await cache.aclose()
            return asked.count, statistics.failures

    with caplog.at_level(logging.WARNING):
        assert asyncio.run(ask()) == (20, 1)

    [record] = caplog.records
    assert "graphql cache" in record.getMessage()


def test_it_is_asked_again_after_a_while(redis: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "PAUSE_SECONDS", 0.0)

    async def ask() -> int:
        answers = RemoteAnswers(redis, "again")
        answers._connected().timeout = 1e-9
        assert await answers.get("generations", "key") is None
        answers._connected().timeout = 5
        answers.put("generations", "key", 3, 2, 60_000)
        await answers.aclose()
        found = await answers.get("generations", "key")
        await answers.aclose()
        assert found == (3, 2)
        return answers.failures

    assert asyncio.run(ask()) == 1


def test_nothing_of_an_answer_or_of_a_user_is_logged_or_in_a_key(
    redis: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def ask() -> list[str]:
        cache = over(redis, "logs")
        await cache.get(
            CacheKey("generations", ("ada@example.com",), "ada@example.com"),
            Asked(123_456_789),
            ttl_ms=60_000,
        )
        await cache.aclose()
        answers = RemoteAnswers(redis, "logs")
        keys = await answers._connected().raw("keys", "*")
        await answers.aclose()
        return [str(key) for key in keys]

    with caplog.at_level(logging.DEBUG):
        keys = asyncio.run(ask())

    assert keys
    assert not [key for key in keys if "ada" in key]
    assert "ada" not in caplog.text
    assert "123456789" not in caplog.text


def test_every_question_s_answer_survives(redis: str, endpoint: Any) -> None:
    async def ask() -> int:
        async with endpoint() as served:
            service, clock = served.analytics.service, served.clock
            days = service.range()
            shared = 0
            answers: list[list[Any]] = [[], []]
            for number in range(2):
                cache = over(redis, "everything", clock)
                questions = CachedQuestions(
                    service, cache, clock, Principal("root", "admin"), Freshness()
                )
                page: Any = {"search": None, "first": 5, "after": None}
                patterns = await questions.error_patterns(
                    days, error_type=None, fingerprint=None, **page
                )
                answers[number] = [
                    patterns,
                    await questions.dashboard(days, top=5),
                    await questions.command_stats("add-supplier", days),
                    await questions.commands_stats(("add-supplier",), days),
                    await questions.popular_commands(days, order_by=CommandOrder.USERS, **page),
                    await questions.error_trends(
                        ((patterns.rows[0].fingerprint, "ValueError"),), days
                    ),
                    await questions.intents(days, order_by=IntentOrder.COUNT, **page),
                    await questions.users(days, order_by=UserOrder.LAST_SEEN, **page),
                    await questions.streaming(days),
                    await questions.connections(days),
                    await questions.user_activity("ada", days),
                    await questions.user_actions("ada", days),
                    await questions.time_series(
                        Metric.EXECUTIONS,
                        days,
                        interval=Interval.DAY,
                        group_by=SeriesGroup.COMMAND,
                    ),
                ]
                shared = cache.statistics.hits
                await cache.aclose()
            assert answers[0] == answers[1]
            return shared

    assert asyncio.run(ask()) == 13


EXECUTIONS = (
    "query($range: DateRange) { dashboard(range: $range) { summary { executions { value } } } }"
)


def test_writes_and_erasures_show_in_all_processes_within_seconds(
    redis: str, endpoint: Any, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path}/a.db"
    past = {"start": "2025-05-01", "end": "2025-05-10"}

    async def ask() -> list[list[int]]:
        seen = []
        async with AsyncExitStack() as stack:
            one, two = [
                await stack.enter_async_context(endpoint(url, events=first, cache_url=redis))
                for first in (True, False)
            ]

            async def executions(query: str = EXECUTIONS) -> list[int]:
                return [
                    (await served.data(query, {"range": past}))["dashboard"]["summary"][
                        "executions"
                    ]["value"]
                    for served in (one, two)
                ]

            seen.append(await executions())
            one.analytics.service.track_event(
                "ACTION_EXECUTED",
                "ada",
                metadata={"command_name": "late", "success": True},
                timestamp=one.clock.now_ms() - 40 * DAY_MS,
            )
            assert await one.analytics.flush()
            for served in (one, two):
                served.clock.advance(GENERATION_TTL_MS)
            seen.append(await executions())
            activity = 'query { userActivity(userId: "ada") { executions } }'
            before = [(await served.data(activity))["userActivity"] for served in (two, one)]
            await two.data('mutation { eraseUser(userId: "ada") { events } }')
            for served in (one, two):
                served.clock.advance(max(OPEN_TTL_MS, GENERATION_TTL_MS))
            after = [(await served.data(activity))["userActivity"] for served in (one, two)]
            seen.append([answer["executions"] for answer in (*before, *after)])
        return seen

    assert asyncio.run(ask()) == [[5, 5], [6, 6], [8, 8, 0, 0]]


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost",
        "redis://",
        "redis://localhost:port/0",
        "redis://localhost/zero",
        "redis://localhost:6379/0?password=hush",
        "",
    ],
)
def test_urls_that_cannot_be_used_are_refused_and_not_shown(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        RemoteAnswers(url, "")

    assert "hush" not in str(caught.value)
    assert "redis://" in str(caught.value)


def test_the_setting_and_the_argument_name_it(endpoint: Any, redis: str) -> None:
    async def ask() -> list[int]:
        config = AnalyticsConfig(strict=True, cache_url=f"{redis}/3")
        seen = []
        for options in ({"config": config}, {"cache_url": f"{redis}/4"}, {}):
            async with endpoint(events=False, **options) as served:
                await served.data("{ streaming { ended { value } } }")
        for database in (3, 4, 5):
            answers = RemoteAnswers(f"{redis}/{database}", "")
            seen.append(len(await answers._connected().raw("keys", "*")))
            await answers.aclose()
        return [int(bool(count)) for count in seen]

    assert asyncio.run(ask()) == [1, 1, 0]


scopes = st.one_of(st.none(), st.text(max_size=4))
keys = st.builds(
    CacheKey,
    st.sampled_from(["dashboard", "userActivity", "generations"]),
    st.lists(
        st.one_of(st.none(), st.text(max_size=3), st.integers(0, 3), st.floats(0, 3)), max_size=3
    ).map(tuple),
    scopes,
    st.lists(st.integers(0, 2), max_size=2).map(tuple),
)


@settings(max_examples=200)
@given(keys, keys)
def test_no_two_keys_are_one(one: CacheKey, other: CacheKey) -> None:
    same = repr(one) == repr(other)

    assert (one.text() == other.text()) == same


@pytest.fixture(scope="module")
def shared_by_all(redis: str) -> Callable[[list[tuple[str, bool]]], None]:
    def ask_all(principals: list[tuple[str, bool]]) -> None:
        """Have everybody ask the same of two processes; each answer names who asked."""

        async def ask() -> None:
            caches = [over(redis, "principals") for _ in range(2)]
            for name, admin in principals * 2:
                scope = None if admin else name
                owner = hash((admin, None if admin else name)) & 0xFFFF_FFFF

                async def answer(owner: int = owner) -> int:
                    return owner

                for cache in caches:
                    key = CacheKey("generations", ("same",), scope)
                    assert (await cache.get(key, answer, ttl_ms=60_000)).value == owner
            for cache in caches:
                await cache.aclose()

        asyncio.run(ask())

    return ask_all


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.text(max_size=6), st.booleans()), min_size=1, max_size=6))
def test_no_answer_crosses_principals(
    shared_by_all: Callable[[list[tuple[str, bool]]], None], principals: list[tuple[str, bool]]
) -> None:
    shared_by_all(principals)
