"""The endpoint in applications: at exactly its path, in Starlette, FastAPI and bare."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.routing import Mount

from copilot_analytics import Analytics
from copilot_analytics_graphql import create_graphql_app, graphql_routes, static_token


def starlette(routes: Any) -> Starlette:
    return Starlette(routes=routes)


def fastapi(routes: Any) -> FastAPI:
    app = FastAPI()
    app.router.routes.extend(routes)
    return app


def fastapi_from_the_start(routes: Any) -> FastAPI:
    return FastAPI(routes=routes)


@pytest.mark.parametrize("wrap", [starlette, fastapi, fastapi_from_the_start])
def test_both_protocols_answer_at_exactly_the_path(
    endpoint: Any, wrap: Callable[[Any], Any]
) -> None:
    async def ask() -> None:
        async with endpoint(wrap=wrap) as served:
            response = await served.post(json={"query": "{ __typename }"})
            assert (response.status_code, response.history) == (200, [])
            async with served.connect(served.bearer(served.admin)) as socket:
                await socket.send(json.dumps({"type": "connection_init"}))
                assert json.loads(await socket.recv()) == {"type": "connection_ack"}
            elsewhere = await served.post(url=f"{served.url}/more", json={})
            assert elsewhere.status_code == 404

    asyncio.run(ask())


def test_fastapi_still_makes_its_own_documents(endpoint: Any) -> None:
    async def ask() -> dict[str, Any]:
        async with endpoint(wrap=fastapi) as served:
            response = await served.post(method="GET", url=f"http://{served.host}/openapi.json")
            document: dict[str, Any] = response.json()
            return document

    assert asyncio.run(ask())["paths"] == {}


def test_another_path_and_a_mounted_application(endpoint: Any) -> None:
    def wrap(routes: Any) -> Starlette:
        return Starlette(routes=[Mount("/internal", routes=routes)])

    async def ask() -> None:
        async with endpoint(wrap=wrap, path="/analytics") as served:
            url = f"http://{served.host}/internal/analytics"
            response = await served.post(url=url, json={"query": "{ __typename }"})
            assert response.json() == {"data": {"__typename": "Query"}}
            page = await served.post(url=url, method="GET", headers={"accept": "text/html"})
            assert f"curl {url} " in page.text

    asyncio.run(ask())


def test_two_endpoints_over_two_stores_share_nothing(endpoint: Any) -> None:
    query = "{ popularCommands { totalCount } }"

    async def ask() -> list[int]:
        async with endpoint() as full, endpoint(events=False) as empty:
            return [
                (await one.data(query))["popularCommands"]["totalCount"]
                for one in (full, empty, full)
            ]

    assert asyncio.run(ask()) == [2, 0, 2]


def test_the_application_knows_no_lifespan() -> None:
    analytics = Analytics("memory://")
    app = create_graphql_app(analytics, authenticate=static_token("t" * 32))

    async def nothing(*_: Any) -> Any:
        raise AssertionError

    with pytest.raises(RuntimeError, match="mount it in an app"):
        asyncio.run(app({"type": "lifespan"}, nothing, nothing))  # type: ignore[arg-type] # pyright: ignore

    analytics.close()


def test_a_path_starts_with_a_slash() -> None:
    analytics = Analytics("memory://")

    with pytest.raises(Exception, match="'/'"):
        graphql_routes(analytics, path="graphql", authenticate=static_token("t" * 32))

    analytics.close()
