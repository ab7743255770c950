"""What HTTP asks of the API: methods, validators, compression, access, limits."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.routing import BaseRoute, Mount

from copilot_analytics import Analytics
from copilot_analytics.config import AnalyticsConfig
from copilot_analytics.errors import ConfigurationError, StoreUnavailableError
from copilot_analytics.periods import DAY_MS
from copilot_analytics.stores import MemoryStore
from copilot_analytics_graphql import RateLimit, rest_routes, static_token
from copilot_analytics_graphql.rest.routes import ALIAS_PREFIX

Serve = Callable[..., AbstractAsyncContextManager[Any]]

PAST = "/dashboard?startDate=2025-05-01&endDate=2025-05-31"


def test_nobody_is_let_in_without_credentials(story: Any) -> None:
    for path in ("/dashboard", "/users/ada", "/export", "/openapi.json", "/dashboard?bad=1"):
        response = story.get(path, token=None)

        assert response.status_code == 401
        assert response.headers["www-authenticate"] == "Bearer"
        assert response.json()["code"] == "UNAUTHENTICATED"
        assert story.get(path, token="wrong" * 8).status_code == 401


def test_methods_that_change_are_refused(story: Any) -> None:
    for method in ("POST", "PUT", "PATCH", "DELETE", "TRACE", "QUERY"):
        response = story.get("/dashboard", method=method)

        assert response.status_code == 405
        assert response.headers["allow"] == "GET, HEAD, OPTIONS"
        assert response.json()["code"] == "METHOD_NOT_ALLOWED"
    options = story.get("/dashboard", method="OPTIONS", token=None)
    assert (options.status_code, options.headers["allow"]) == (204, "GET, HEAD, OPTIONS")


@pytest.mark.parametrize(
    "path", ["/dashboard", PAST, "/commands/no-such", "/export", "/openapi.json"]
)
def test_head_is_get_without_the_body(story: Any, path: str) -> None:
    get, head = story.get(path), story.get(path, method="HEAD")

    assert head.content == b""
    assert head.status_code == get.status_code
    # A file's length is not known before it has been made.
    ignored = {"date", "transfer-encoding"}
    assert {**head.headers, **dict.fromkeys(ignored)} == {**get.headers, **dict.fromkeys(ignored)}


def test_closed_range_is_validated_by_its_etag(story: Any) -> None:
    first = story.get(PAST)
    etag = first.headers["etag"]

    assert re.fullmatch(r'W/"\d+-[0-9a-f]{16}"', etag)
    assert first.headers["cache-control"] == "private, max-age=5"
    assert first.headers["vary"] == "authorization, cookie, accept-encoding"
    for asked in (etag, etag.removeprefix("W/"), f'"x", {etag}', "*"):
        again = story.get(PAST, if_none_match=asked)
        assert (again.status_code, again.content) == (304, b"")
        for name in ("etag", "cache-control", "vary"):
            assert again.headers[name] == first.headers[name]
    for asked in ('"x"', etag[:-2] + '"', ""):
        assert story.get(PAST, if_none_match=asked).status_code == 200


def test_range_with_today_may_not_be_kept(story: Any) -> None:
    response = story.get("/dashboard", if_none_match="*")

    assert response.status_code == 200
    assert response.headers["cache-control"] == "no-store"
    assert "etag" not in response.headers


def test_etag_changes_with_a_late_write_to_the_past(endpoint: Serve) -> None:
    async def ask() -> tuple[Any, Any, Any]:
        async with endpoint() as served:
            before = await served.get(PAST)
            served.analytics.service.track_event(
                "ACTION_EXECUTED",
                "ada",
                metadata={"command_name": "late", "success": True},
                timestamp=served.clock.now_ms() - 40 * DAY_MS,
            )
            assert await served.analytics.flush()
            served.clock.advance(5_001)
            after = await served.get(PAST, if_none_match=before.headers["etag"])
            return before, after, await served.get(PAST, if_none_match=after.headers["etag"])

    before, after, again = asyncio.run(ask())

    executions = [reply.json()["summary"]["totalExecutions"] for reply in (before, after)]
    assert executions == [5, 6]
    generations = [reply.headers["etag"].partition("-")[0] for reply in (before, after)]
    assert generations[0] != generations[1]
    assert again.status_code == 304


def test_etag_changes_where_only_what_ever_happened_did(endpoint: Serve) -> None:
    """A closed range's patterns tell of their whole life, which today's errors go on with."""
    path = "/errors?endDate=2025-06-14"

    def error(served: Any, days_ago: int) -> None:
        served.analytics.service.track_event(
            "ERROR_OCCURRED",
            "ada",
            metadata={"error_type": "KeyError", "error_message": "gone"},
            timestamp=served.clock.now_ms() - days_ago * DAY_MS,
        )

    async def ask() -> tuple[Any, Any]:
        async with endpoint(events=False) as served:
            error(served, 2)
            assert await served.analytics.flush()
            before = await served.get(path)
            error(served, 0)
            assert await served.analytics.flush()
            served.clock.advance(300_001)
            return before, await served.get(path, if_none_match=before.headers["etag"])

    before, after = asyncio.run(ask())

    assert [reply.json()["patterns"][0]["totalCount"] for reply in (before, after)] == [1, 2]


@pytest.mark.parametrize(
    ("accepted", "compressed"),
    [
        ("gzip", True),
        ("br, GZIP;q=0.5", True),
        ("*", True),
        ("identity, *;q=0", False),
        ("gzip;q=0", False),
        ("gzip; q=0.0, *", False),
        ("gzip;q=none", False),
        ("br", False),
        ("", False),
    ],
)
def test_large_answers_are_compressed_for_those_who_take_it(
    story: Any, accepted: str, compressed: bool
) -> None:
    response = story.get("/openapi.json", accept_encoding=accepted)

    assert (response.headers.get("content-encoding") == "gzip") is compressed
    assert response.json()["openapi"] == "3.1.0"
    assert "accept-encoding" in response.headers["vary"]
    if compressed:
        assert int(response.headers["content-length"]) < len(response.content) / 2


def test_small_answers_are_not_compressed(story: Any) -> None:
    assert "content-encoding" not in story.get("/commands/popular", accept_encoding="gzip").headers


def test_list_of_a_thousand_commands_is_compressed_beside_the_loop(endpoint: Serve) -> None:
    async def ask() -> tuple[Any, Any]:
        async with endpoint(events=False) as served:
            for number in range(1000):
                served.analytics.service.track_command_execution("ada", f"c{number}", True, 1.5)
            assert await served.analytics.flush()
            path = "/commands/popular?limit=1000"
            return (
                await served.get(path, accept_encoding="gzip"),
                await served.get(path, accept_encoding="identity"),
            )

    packed, plain = asyncio.run(ask())

    assert packed.headers["content-encoding"] == "gzip"
    assert int(packed.headers["content-length"]) < len(plain.content) / 4
    assert packed.content == plain.content
    assert len(plain.json()["commands"]) == 1000


def test_rate_limit_is_the_same_as_graphqls(endpoint: Serve) -> None:
    async def ask() -> list[Any]:
        async with endpoint(rate_limit=RateLimit(per_second=1, burst=3)) as served:
            await served.post(json={"query": "{ __typename }"})
            return [await served.get("/dashboard") for _ in range(3)]

    first, second, third = asyncio.run(ask())

    assert [first.status_code, second.status_code, third.status_code] == [200, 200, 429]
    assert third.headers["retry-after"] == "1"
    assert third.json()["code"] == "RATE_LIMITED"
    assert third.json()["retryAfter"] == 1


def test_answers_are_those_that_graphql_holds(endpoint: Serve) -> None:
    """One store read for the same question, whoever asks, however many at once."""
    statistics = "{ recorderHealth { cache { misses } } }"

    async def ask() -> tuple[int, int, set[int]]:
        async with endpoint() as served:
            await served.data("{ dashboard(top: 5) { summary { messages { value } } } }")
            before = (await served.data(statistics))["recorderHealth"]["cache"]["misses"]
            replies = await asyncio.gather(*(served.get("/dashboard") for _ in range(50)))
            after = (await served.data(statistics))["recorderHealth"]["cache"]["misses"]
            return before, after, {reply.status_code for reply in replies}

    before, after, statuses = asyncio.run(ask())

    assert statuses == {200}
    assert after == before


class _Counting(MemoryStore):
    """A store that counts how often it is asked for totals."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0

    def totals(self, *arguments: Any, **options: Any) -> Any:
        self.asked += 1
        return super().totals(*arguments, **options)


def test_requests_at_once_are_answered_by_one_read(endpoint: Serve) -> None:
    store = _Counting()

    async def ask() -> tuple[int, set[bytes]]:
        async with endpoint(store) as served:
            await served.get("/commands/popular")
            once = store.asked
            served.clock.advance(3_001)
            replies = await asyncio.gather(*(served.get("/commands/popular") for _ in range(100)))
            return store.asked - 2 * once, {reply.content for reply in replies}

    more, contents = asyncio.run(ask())

    assert more == 0
    assert len(contents) == 1


def test_replies_are_held_for_each_principals_own_eyes(endpoint: Serve) -> None:
    async def ask() -> list[int]:
        async with endpoint() as served:
            return [
                (await served.get("/users/ada", token=token)).status_code
                for token in (served.admin, served.ada, served.bob, served.ada, served.bob)
            ]

    assert asyncio.run(ask()) == [200, 200, 403, 200, 403]


class _Failing(MemoryStore):
    """A store that fails as it is told to."""

    error: Exception | None = None

    def totals(self, *arguments: Any, **options: Any) -> Any:
        if self.error is not None:
            raise self.error
        return super().totals(*arguments, **options)


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (StoreUnavailableError("memory://", "secret of the store", "wait"), 503, "UNAVAILABLE"),
        (RuntimeError("secret of the store"), 500, "INTERNAL_SERVER_ERROR"),
    ],
)
def test_failure_of_ours_is_told_by_its_reference(
    endpoint: Serve, caplog: pytest.LogCaptureFixture, error: Exception, status: int, code: str
) -> None:
    store = _Failing()

    async def ask() -> tuple[Any, Any, Any]:
        async with endpoint(store) as served:
            store.error = error
            failed = await served.get("/dashboard"), await served.get("/export")
            store.error = None
            return *failed, await served.get("/dashboard")

    *failed, after = asyncio.run(ask())

    for response in failed:
        assert response.status_code == status
        assert response.headers["content-type"] == "application/problem+json"
        problem = response.json()
        assert problem["code"] == code
        assert problem["reference"] in problem["detail"]
        assert problem["reference"] in caplog.text
        assert "secret" not in response.text + caplog.text
    assert after.status_code == 200, "a failure is not held"


def test_pages_of_other_origins_may_ask_where_they_are_listed(endpoint: Serve) -> None:
    origin = "https://admin.example.com"

    async def ask() -> tuple[Any, ...]:
        async with endpoint(allowed_origins=[origin]) as served:
            asked = {"origin": origin, "access_control_request_method": "GET"}
            return (
                await served.get("/dashboard", method="OPTIONS", token=None, **asked),
                await served.get("/dashboard", origin=origin, sec_fetch_site="cross-site"),
                await served.get("/dashboard?x=1", origin=origin),
                await served.get(
                    "/dashboard", origin="https://evil.example", sec_fetch_site="cross-site"
                ),
            )

    preflight, listed, mistaken, other = asyncio.run(ask())

    assert preflight.status_code == 204
    assert preflight.headers["access-control-allow-origin"] == origin
    assert listed.status_code == 200
    assert listed.headers["access-control-allow-origin"] == origin
    assert "etag" in listed.headers["access-control-expose-headers"]
    assert mistaken.headers["access-control-allow-origin"] == origin
    assert other.status_code == 403
    assert "access-control-allow-origin" not in other.headers


def _routes(analytics: Analytics) -> list[BaseRoute]:
    return rest_routes(analytics, authenticate=static_token("t" * 32), prefix="/numbers")


def _fastapi(analytics: Analytics) -> FastAPI:
    app = FastAPI()
    app.router.routes.extend(_routes(analytics))
    return app


def _mounted(analytics: Analytics) -> Starlette:
    return Starlette(routes=[Mount("/below", routes=_routes(analytics))])


@pytest.mark.parametrize(
    ("root", "app"),
    [
        ("", lambda analytics: Starlette(routes=_routes(analytics))),
        ("", _fastapi),
        (
            "/below",
            lambda analytics: Starlette(routes=[Mount("/below", routes=_routes(analytics))]),
        ),
    ],
    ids=["starlette", "fastapi", "mounted"],
)
def test_api_is_mounted_by_itself_below_any_prefix(
    endpoint: Serve, root: str, app: Callable[[Analytics], Any]
) -> None:
    async def ask() -> list[str]:
        analytics = Analytics("memory://", config=AnalyticsConfig(strict=True))
        async with analytics, endpoint(wrap=lambda _: app(analytics)) as served:
            documents = [
                await served.get("/openapi.json", prefix=root + prefix, token="t" * 32)
                for prefix in ("/numbers", ALIAS_PREFIX)
            ]
            return [response.json()["servers"][0]["url"] for response in documents]

    assert asyncio.run(ask()) == [root + "/numbers", root + ALIAS_PREFIX]


@pytest.mark.parametrize("prefix", ["", "analytics", "/", "/a/", "/{name}", "/a b"])
def test_prefix_has_to_be_a_path(prefix: str) -> None:
    analytics = Analytics("memory://", config=AnalyticsConfig(strict=True))

    with pytest.raises(ConfigurationError, match="/analytics"):
        rest_routes(analytics, authenticate=static_token("t" * 32), prefix=prefix)


def test_answer_that_takes_too_long_is_given_up(endpoint: Serve) -> None:
    async def ask() -> list[Any]:
        async with endpoint(time_limit=0.0) as served:
            return [await served.get("/dashboard"), await served.get("/export")]

    for response in asyncio.run(ask()):
        assert response.status_code == 503
        assert response.json()["code"] == "TIMEOUT"
        assert "fewer days" in response.json()["detail"]
