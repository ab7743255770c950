"""Links to exports: who gets one, what it is good for, and for how long."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette

from copilot_analytics import Analytics
from copilot_analytics.event_log import EventPosition
from copilot_analytics.exporting import ExportRequest
from copilot_analytics.periods import DateRange
from copilot_analytics.queries import ExportFormat, ExportSection
from copilot_analytics.testing import FakeClock
from copilot_analytics_graphql import Credentials, Principal, graphql_routes, static_token
from copilot_analytics_graphql.links import LIFE_MS, ExportLinks, LinkError

NOW_MS = 1_750_000_000_000
ADMIN = "admin-" + "a" * 32
DAYS = DateRange.of("2025-06-01", "2025-06-15", now_ms=NOW_MS)
NDJSON = ExportRequest(DAYS, ExportFormat.NDJSON)
ROOT = Principal("root", "admin")
LINKS = ExportLinks("/analytics/export", "k" * 32)


def parameters(url: str | None) -> dict[str, str]:
    assert url is not None
    split = urlsplit(url)
    assert split.path == "/analytics/export"
    return dict(parse_qsl(split.query, strict_parsing=True))


def given_to(principal: Principal, request: ExportRequest = NDJSON) -> dict[str, str]:
    return parameters(LINKS.url(request, principal, NOW_MS))


def test_a_link_says_which_file_in_the_words_of_rest() -> None:
    csv = ExportRequest(DAYS, ExportFormat.CSV, ExportSection.ERRORS, byte_order_mark=True)
    rest = replace(NDJSON, after=EventPosition(1, "a b&c"))

    assert LINKS.check(given_to(ROOT, csv), NOW_MS).parameters == {
        "startDate": "2025-06-01",
        "endDate": "2025-06-15",
        "format": "csv",
        "section": "errors",
        "bom": "true",
    }
    assert LINKS.check(given_to(ROOT, rest), NOW_MS).parameters["after"] == "1:a b&c"


def test_a_link_lives_for_five_minutes_and_its_principal_at_most() -> None:
    link = given_to(ROOT)
    shorter = given_to(replace(ROOT, expires_at=NOW_MS + 60_000))

    assert LINKS.check(link, NOW_MS + LIFE_MS - 1).expires_at == NOW_MS + LIFE_MS
    assert LINKS.check(shorter, NOW_MS + 59_999).expires_at == NOW_MS + 60_000
    for ended, at_ms in ((link, NOW_MS + LIFE_MS), (shorter, NOW_MS + 60_000)):
        with pytest.raises(LinkError, match="has ended"):
            LINKS.check(ended, at_ms)


def test_users_get_none() -> None:
    assert LINKS.url(NDJSON, Principal("ada", "user"), NOW_MS) is None


def test_a_link_is_known_as_its_principals_without_naming_them() -> None:
    link = LINKS.check(given_to(ROOT), NOW_MS)

    assert LINKS.is_of(link, ROOT)
    assert not LINKS.is_of(link, Principal("other", "admin"))
    assert "root" not in urlencode(given_to(ROOT))


@given(st.data())
@settings(max_examples=60)
def test_a_link_that_is_changed_anywhere_is_refused(data: st.DataObject) -> None:
    link = given_to(ROOT)
    name = data.draw(st.sampled_from([*link, "section", "bom"]))
    if name in link and data.draw(st.booleans(), label="drop"):
        del link[name]
    else:
        link[name] = data.draw(st.text(max_size=40).filter(lambda text: text != link.get(name)))

    with pytest.raises(LinkError, match="not as it was given"):
        LINKS.check(link, NOW_MS)


@pytest.mark.parametrize("signature", ["", "é\udcff", "A" * 10_000])
def test_odd_signatures_are_refused(signature: str) -> None:
    with pytest.raises(LinkError, match="not as it was given") as refused:
        LINKS.check({**given_to(ROOT), "signature": signature}, NOW_MS)

    assert "ask GraphQL for a new one" in refused.value.fix


def test_links_of_other_keys_and_of_other_processes_are_refused() -> None:
    for links in (ExportLinks("/analytics/export", "x" * 32), ExportLinks("/analytics/export")):
        with pytest.raises(LinkError):
            links.check(given_to(ROOT), NOW_MS)


def test_a_link_downloads_the_file_without_credentials_and_nothing_else(endpoint: Any) -> None:
    query = "{ export(format: NDJSON) { filename url } }"

    async def ask() -> None:
        async with endpoint() as served:
            export = (await served.data(query))["export"]
            path = export["url"].removeprefix("/analytics")
            whole = await served.get("/export?format=ndjson")
            linked = await served.get(path, token=None)
            assert (linked.status_code, linked.content) == (200, whole.content)
            assert export["filename"] in linked.headers["content-disposition"]
            assert (await served.get(path)).content == whole.content
            assert (await served.get(path, token=served.ada)).status_code == 403
            assert (await served.get(path, token="nobody")).status_code == 401
            assert (await served.get(path, token=None, method="DELETE")).status_code == 405
            for other in (
                path.replace("format=ndjson", "format=parquet"),
                path + "&after=1:a",
                path.replace("/export", "/dashboard"),
                path.partition("&expires")[0],
            ):
                refused = await served.get(other, token=None)
                assert refused.status_code in (400, 401, 403), other
            served.clock.advance(LIFE_MS)
            ended = await served.get(path, token=None)
            assert (ended.status_code, "has ended" in ended.text) == (403, True)

    asyncio.run(ask())


def test_what_an_admin_asks_at_once_is_never_another_admins_link(endpoint: Any) -> None:
    """Responses are shared between all who see all, but not those that have a link in them."""
    query = "{ export(format: NDJSON) { url } }"
    admins = {name * 32: Principal(name, "admin") for name in "ab"}

    async def authenticate(credentials: Credentials) -> Principal | None:
        return admins.get(credentials.bearer_token or "")

    async def ask() -> list[str]:
        async with endpoint(events=False, authenticate=authenticate) as served:
            answers = await asyncio.gather(*(served.data(query, token=token) for token in admins))
            return [answer["export"]["url"] for answer in answers]

    first, second = (parameters(url) for url in asyncio.run(ask()))

    assert first["by"] != second["by"]


def test_without_rest_beside_it_there_is_no_link(endpoint: Any) -> None:
    query = "{ export(format: PARQUET) { contentType url size } }"

    async def ask() -> Any:
        async with endpoint(wrap=lambda routes: Starlette(routes=graphql)) as served:
            return (await served.data(query))["export"]

    analytics = Analytics("memory://", clock=FakeClock(NOW_MS))
    graphql = graphql_routes(analytics, authenticate=static_token(ADMIN))
    answer = asyncio.run(ask())
    analytics.close()

    assert answer == {
        "contentType": "application/vnd.apache.parquet",
        "url": None,
        "size": None,
    }
