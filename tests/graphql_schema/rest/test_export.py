"""Files over HTTP: what they are called, how they stream, how they end."""

from __future__ import annotations

import asyncio
import csv
import importlib.util
import io
import json
import zipfile
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any

import httpx
import pytest

from copilot_analytics.errors import StoreUnavailableError
from copilot_analytics.stores import MemoryStore
from copilot_analytics_graphql.rest.download import MAX_AT_ONCE

Serve = Callable[..., AbstractAsyncContextManager[Any]]

DAYS = "2025-05-17_2025-06-15"


def _file(response: httpx.Response) -> tuple[str, str]:
    """The type and the name of a file."""
    assert response.status_code == 200, response.text
    disposition, _, name = response.headers["content-disposition"].partition("; filename=")
    assert disposition == "attachment"
    return response.headers["content-type"], json.loads(name)


def test_json_is_the_default(story: Any) -> None:
    response = story.get("/export")

    assert _file(response) == ("application/json", f"copilot-analytics-{DAYS}.json")
    document = response.json()
    assert set(document) == {"period", "exportDate", "summary", "commands", "errors"}
    assert document["exportDate"] == "2025-06-15T15:06:40.000Z"
    assert response.headers["cache-control"] == "no-store"


def test_csv_is_one_table_or_an_archive_of_all(story: Any) -> None:
    table = story.get("/export?format=csv&section=commands")
    archive = story.get("/export?format=csv")

    assert _file(table)[1] == f"copilot-analytics-commands-{DAYS}.csv"
    rows = list(csv.DictReader(io.StringIO(table.text)))
    assert [row["name"] for row in rows] == ["add-supplier", "list-orders"]
    assert _file(archive) == ("application/zip", f"copilot-analytics-{DAYS}.zip")
    with zipfile.ZipFile(io.BytesIO(archive.content)) as members:
        assert members.read(_file(table)[1]) == table.content
        assert len(members.namelist()) == 2
    marked = story.get("/export?format=csv&section=commands&bom=true")
    assert marked.content == "\ufeff".encode() + table.content


def test_ndjson_goes_on_where_it_broke_off(story: Any) -> None:
    whole = story.get("/export?format=ndjson")

    assert _file(whole) == ("application/x-ndjson", f"copilot-analytics-events-{DAYS}.ndjson")
    lines = whole.text.splitlines()
    events = [json.loads(line) for line in lines]
    assert len(events) == 14
    place = f"{events[4]['timestamp']}:{events[4]['eventId']}"
    rest = story.get(f"/export?format=ndjson&after={place}")
    assert rest.text.splitlines() == lines[5:]


@pytest.mark.skipif(importlib.util.find_spec("pyarrow") is None, reason="needs pyarrow")
def test_parquet_is_a_file_of_its_own_compression(story: Any) -> None:
    response = story.get("/export?format=parquet", accept_encoding="gzip")

    assert _file(response)[0] == "application/vnd.apache.parquet"
    assert "content-encoding" not in response.headers
    assert response.content[:4] == response.content[-4:] == b"PAR1"


@pytest.mark.skipif(importlib.util.find_spec("pyarrow") is not None, reason="pyarrow is there")
def test_parquet_needs_its_extra(story: Any) -> None:
    problem = story.problem("/export?format=parquet", 501)

    assert problem["code"] == "NOT_IMPLEMENTED"
    assert "copilot-analytics[parquet]" in problem["detail"]


def test_texts_are_compressed_for_those_who_take_it(story: Any) -> None:
    for query in ("", "?format=csv&section=errors", "?format=ndjson"):
        packed = story.get(f"/export{query}", accept_encoding="gzip")
        plain = story.get(f"/export{query}", accept_encoding="identity")

        assert packed.headers["content-encoding"] == "gzip"
        assert "content-encoding" not in plain.headers
        assert packed.content == plain.content


@pytest.mark.parametrize(
    ("query", "status", "parameter"),
    [
        ("format=xml", 400, "format"),
        ("format=JSON", 400, "format"),
        ("format=csv&section=users", 400, "section"),
        ("section=commands", 422, "section"),
        ("format=csv&bom=yes", 400, "bom"),
        ("format=ndjson&bom=true", 422, "bom"),
        ("format=ndjson&after=yesterday", 400, "after"),
        ("format=json&after=1:x", 422, "after"),
        ("startDate=2025-06-02&endDate=2025-06-01", 422, "startDate"),
    ],
)
def test_mistake_is_told_before_the_file_begins(
    story: Any, query: str, status: int, parameter: str
) -> None:
    problem = story.problem(f"/export?{query}", status)

    assert problem["parameter"] == parameter


class _Endless(MemoryStore):
    """A store whose events never end."""

    def events(self, *arguments: Any, **options: Any) -> Any:
        found = list(super().events(*arguments, **{**options, "after": None}))
        return (found * options["limit"])[: options["limit"]]


def test_files_at_once_are_bounded_and_end_with_their_clients(endpoint: Serve) -> None:
    async def ask() -> tuple[httpx.Response, int]:
        async with endpoint(_Endless(), rate_limit=None) as served:
            url = f"http://{served.host}/analytics/export?format=ndjson"
            headers = served.bearer(served.admin)
            async with AsyncExitStack() as clients:
                # An iterator that is left is closed, and its connection with it.
                bodies = []
                for _ in range(MAX_AT_ONCE):
                    stream = served.client.stream("GET", url, headers=headers)
                    response = await clients.enter_async_context(stream)
                    bodies.append(response.aiter_bytes())
                    await anext(bodies[-1])
                refused = await served.get("/export")
            status = 503
            for _ in range(1_000):
                if (status := (await served.get("/export")).status_code) == 200:
                    break
            return refused, status

    refused, afterwards = asyncio.run(ask())

    assert refused.status_code == 503
    assert refused.headers["retry-after"] == "5"
    assert "files are being made" in refused.json()["detail"]
    assert afterwards == 200


class _Breaking(_Endless):
    """A store that goes away after its first page."""

    pages = 0

    def events(self, *arguments: Any, **options: Any) -> Any:
        self.pages += 1
        if self.pages > 1:
            raise StoreUnavailableError("memory://", "secret of the store", "wait")
        return super().events(*arguments, **options)


def test_file_that_fails_on_the_way_is_broken_off(
    endpoint: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    async def ask() -> int:
        async with endpoint(_Breaking()) as served:
            with pytest.raises(httpx.RemoteProtocolError):
                await served.get("/export?format=ndjson")
            return int((await served.get("/export?format=json")).status_code)

    assert asyncio.run(ask()) == 200
    assert "StoreUnavailableError" in caplog.text
    assert "secret" not in caplog.text
