"""Pages of other origins: none may ask, but for those that are listed, and browsers are told so."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from copilot_analytics.errors import ConfigurationError
from copilot_analytics_graphql.origins import Origins

ASK = {"query": "{ __typename }"}
OURS = "https://admin.example.com"
EXPOSED = "content-disposition, etag, retry-after"
PREFLIGHT = {
    "access-control-request-method": "POST",
    "access-control-request-headers": "authorization,content-type",
}


def cors_of(response: httpx.Response) -> dict[str, str]:
    return {
        name.removeprefix("access-control-"): value
        for name, value in response.headers.items()
        if name.startswith("access-control-")
    }


async def preflight(served: Any, origin: str, **headers: str) -> httpx.Response:
    response: httpx.Response = await served.post(
        method="OPTIONS", token=None, headers={"origin": origin, **PREFLIGHT, **headers}
    )
    return response


def test_a_listed_page_may_ask_and_see_the_answer(endpoint: Any) -> None:
    async def ask() -> None:
        async with endpoint(events=False, allowed_origins=[OURS]) as served:
            asked = await preflight(served, OURS)
            assert (asked.status_code, asked.content) == (204, b"")
            assert cors_of(asked) == {
                "allow-origin": OURS,
                "allow-methods": "GET, POST",
                "allow-headers": "authorization, content-type",
                "expose-headers": EXPOSED,
                "max-age": "600",
            }
            assert asked.headers["vary"] == "origin"
            for token, status in ((served.admin, 200), (None, 401)):
                answer = await served.post(token=token, headers={"origin": OURS}, json=ASK)
                assert answer.status_code == status
                assert cors_of(answer) == {"allow-origin": OURS, "expose-headers": EXPOSED}
                assert answer.headers["vary"] == "origin"

    asyncio.run(ask())


@pytest.mark.parametrize("allowed", [[], [OURS]])
@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example.com",
        "http://admin.example.com",
        "https://admin.example.com:8443",
        "https://admin.example.com.evil.example.com",
        "https://evil.example.com/https://admin.example.com",
        "HTTPS://ADMIN.EXAMPLE.COM",
        "null",
        "*",
        "",
    ],
)
def test_no_other_page_is_let_in(endpoint: Any, allowed: list[str], origin: str) -> None:
    async def ask() -> None:
        async with endpoint(events=False, allowed_origins=allowed) as served:
            asked = await preflight(served, origin)
            answer = await served.post(headers={"origin": origin}, json=ASK)
            assert (asked.status_code, asked.headers["allow"]) == (405, "GET, POST")
            assert cors_of(asked) == cors_of(answer) == {}
            assert answer.headers.get("vary") == ("origin" if allowed else None)

    asyncio.run(ask())


def test_a_listed_page_may_do_nothing_but_ask(endpoint: Any) -> None:
    async def ask() -> None:
        async with endpoint(events=False, allowed_origins=[OURS]) as served:
            for method in ("PUT", "DELETE", "post", ""):
                asked = await preflight(served, OURS, **{"access-control-request-method": method})
                assert asked.status_code == 405

    asyncio.run(ask())


def test_cookies_are_for_those_who_say_so(endpoint: Any) -> None:
    options = {"allowed_origins": [OURS], "allow_credentials": True}

    async def ask() -> None:
        async with endpoint(events=False, **options) as served:
            asked = await preflight(served, OURS)
            answer = await served.post(headers={"origin": OURS}, json=ASK)
            foreign = await served.post(headers={"origin": "https://evil.example.com"}, json=ASK)
            assert cors_of(asked)["allow-credentials"] == "true"
            assert cors_of(answer)["allow-credentials"] == "true"
            assert cors_of(foreign) == {}

    asyncio.run(ask())


@pytest.mark.parametrize(
    "origin",
    [
        "*",
        "null",
        "",
        "admin.example.com",
        "https://admin.example.com/",
        "https://*.example.com",
        "https://Admin.example.com ",
        "https://user@example.com",
        "//example.com",
    ],
)
def test_what_is_no_origin_is_refused_at_once(origin: str) -> None:
    with pytest.raises(ConfigurationError, match="allowed_origins"):
        Origins([origin])


def test_a_text_is_no_list() -> None:
    with pytest.raises(ConfigurationError, match="give a list"):
        Origins(OURS)
