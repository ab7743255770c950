"""Queries by GET: with everything in the URL, for those who may ask, and nothing that changes."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import urlencode

import pytest

NEW = {"accept": "application/graphql-response+json"}


def get(shared: Any, query_string: str, **headers: str) -> Any:
    return shared.post(
        method="GET",
        url=f"{shared.url}?{query_string}",
        headers={**NEW, **{name.replace("_", "-"): value for name, value in headers.items()}},
    )


@pytest.mark.parametrize(
    "parameters",
    [
        {"query": "{ __typename }"},
        {"query": "{ __typename }", "variables": "", "operationName": "", "extensions": ""},
        {"query": "query A { __typename } query B { b: __typename }", "operationName": "A"},
        {"query": "query($a: Boolean!) { __typename @include(if: $a) }", "variables": '{"a":true}'},
        {"query": "{ __typename }", "other": "1"},
    ],
)  # fmt: skip
def test_a_query_is_answered(shared: Any, parameters: dict[str, str]) -> None:
    response = get(shared, urlencode(parameters))

    assert response.status_code == 200
    assert response.json() == {"data": {"__typename": "Query"}}


@pytest.mark.parametrize(
    ("query_string", "message"),
    [
        ("x", "cannot be read"),
        ("query", "cannot be read"),
        ("query=%ff", "cannot be read"),
        ("query=%00", "Syntax Error"),
        ("query=", "malformed"),
        ("variables={}", "malformed"),
        ("query={a}&query={b}", "each parameter of the URL once"),
        ("query={__typename}&variables=[]", "malformed"),
        ("query={__typename}&variables=5", "malformed"),
        ("query={__typename}&variables={", "cannot be read"),
        ("query={__typename}&variables=" + '{"a":' * 2_000, "cannot be read"),
        ("query={__typename}&extensions=[]", "malformed"),
        ("&".join(f"a{number}=1" for number in range(100)), "cannot be read"),
        ("query={__typename}" + "+" * 20_100, "characters"),
        ("query={" + "a" * 25 + "}", "Cannot query field"),
    ],
)
def test_malformed_parameters_are_400(shared: Any, query_string: str, message: str) -> None:
    response = get(shared, query_string)

    assert response.status_code == 400, response.text
    [error] = response.json()["errors"]
    assert message in error["message"]


@pytest.mark.parametrize("accept", ["application/json", NEW["accept"], "*/*"])
def test_nothing_is_changed_by_get(shared: Any, accept: str) -> None:
    mutation = 'mutation { eraseUser(userId: "ada") { events } }'
    response = get(shared, urlencode({"query": mutation}), accept=accept)

    assert response.status_code == 405
    assert "by POST only" in response.json()["errors"][0]["message"]


def test_nobody_is_let_in_without_credentials(endpoint: Any) -> None:
    async def ask() -> list[int]:
        async with endpoint(events=False) as served:
            url = f"{served.url}?query={{__typename}}"
            return [
                (await served.post(method="GET", url=url, token=token)).status_code
                for token in (None, "x" * 40, served.ada)
            ]

    assert asyncio.run(ask()) == [401, 401, 200]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"sec-fetch-site": "none"}, 200),
        ({"sec-fetch-site": "same-origin"}, 200),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "nonsense"}, 403),
        ({"sec-fetch-site": "cross-site", "origin": "https://evil.example.com"}, 403),
        ({"sec-fetch-site": "cross-site", "origin": "https://admin.example.com"}, 200),
    ],
)
def test_pages_of_other_origins_cannot_make_their_visitors_ask(
    endpoint: Any, headers: dict[str, str], status: int
) -> None:
    async def ask() -> int:
        options = {"allowed_origins": ["https://admin.example.com"]}
        async with endpoint(events=False, **options) as served:
            url = f"{served.url}?query={{__typename}}"
            response = await served.post(method="GET", url=url, headers=headers)
            return int(response.status_code)

    assert asyncio.run(ask()) == status
