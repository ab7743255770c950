"""HTTP itself: methods, media types, sizes, the browser's page, and whatever a client may send."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
import os
import random
import re
import sys
from collections.abc import Iterable
from typing import Any

import httpx
import pytest

TYPENAME = '{"query": "{ __typename }"}'
ANSWER = {"data": {"__typename": "Query"}}


def send(shared: Any, body: bytes | str, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    response: httpx.Response = shared.post(
        content=body, headers={"content-type": "application/json", **named}
    )
    return response


@pytest.mark.parametrize(
    "body",
    [
        TYPENAME,
        '{"query": "{ __typename }", "variables": null, "operationName": null}',
        '{"query": "{ __typename }", "variables": {}, "extensions": {"a": [1]}, "more": 1}',
        '{"query": "query A { __typename } query B { x: __typename }", "operationName": "A"}',
        f"\n\t {TYPENAME} ",
    ],
)
def test_well_formed_requests_are_answered(shared: Any, body: str) -> None:
    response = send(shared, body)

    assert response.status_code == 200
    assert response.json() == ANSWER


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("", "no JSON"),
        ("{", "no JSON"),
        ("nonsense", "no JSON"),
        (b"\xff\xfe", "no JSON"),
        (b'{"query": "\xff"}', "no JSON"),
        (b'{"query": "\\ud800"}', "no JSON"),
        ("[" * 60_000, "Batches"),
        ('{"a":' * 10_000, "no JSON"),
        ('{"query": "{ __typename }", "variables": ' + '{"a":' * 9_000, "no JSON"),
        (f"[{TYPENAME}]", "Batches are not taken"),
        ("null", "malformed"),
        ("5", "malformed"),
        ('"{ __typename }"', "malformed"),
        ("true", "malformed"),
        ("{}", "malformed"),
        ('{"query": null}', "malformed"),
        ('{"query": 5}', "malformed"),
        ('{"query": ["{ __typename }"]}', "malformed"),
        ('{"query": "{ __typename }", "variables": []}', "malformed"),
        ('{"query": "{ __typename }", "variables": "{}"}', "malformed"),
        ('{"query": "{ __typename }", "operationName": 5}', "malformed"),
        ('{"query": "{ __typename }", "extensions": true}', "malformed"),
        ('{"query": "{ __typename }", "variables": {"a": NaN}}', "no JSON"),
    ],
)
def test_malformed_bodies_are_400_with_what_to_send(
    shared: Any, body: bytes | str, message: str
) -> None:
    response = send(shared, body)

    assert response.status_code == 400
    [error] = response.json()["errors"]
    assert message in error["message"]
    assert 'send {"query"' in error["message"]
    assert error["extensions"]["code"] == "BAD_REQUEST"


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("{ __typename }", 200),
        ("{ __typename popularCommands(first: 0) { totalCount } }", 200),
        ("{", 400),
        ("{ nope }", 400),
        ("{ dashboard }", 400),
        ("", 400),
        ("query($a: Int!) { popularCommands(first: $a) { totalCount } }", 400),
        ("mutation { __typename }", 200),
        ("subscription { __typename }", 400),
        ("{" + " __typename" * 11 + "}", 400),
    ],
)
def test_the_status_tells_in_the_newer_media_type_only(
    shared: Any, query: str, status: int
) -> None:
    body = json.dumps({"query": query})
    newer = send(shared, body, accept="application/graphql-response+json, application/json;q=0.9")
    older = send(shared, body, accept="application/json")

    assert newer.status_code == status
    assert newer.headers["content-type"] == "application/graphql-response+json; charset=utf-8"
    assert older.status_code == 200
    assert older.headers["content-type"] == "application/json; charset=utf-8"
    assert ("data" in newer.json()) is (status == 200)


@pytest.mark.parametrize(
    ("query", "token", "status"),
    [
        ("{ popularCommands(first: 0) { totalCount } }", "admin", 400),
        ("{ dashboard { range { days } } }", "ada", 403),
        ("{ dashboard { range { days } } users { totalCount } }", "ada", 403),
        ('{ users { totalCount } events(after: "x") { edges { cursor } } }', "ada", 400),
        ("{ userActivity { executions } users { totalCount } }", "ada", 200),
    ],
)
def test_a_response_without_any_answer_says_whose_fault_that_is(
    endpoint: Any, query: str, token: str, status: int
) -> None:
    async def ask() -> None:
        async with endpoint(events=False) as served:
            options = {"json": {"query": query}, "token": getattr(served, token)}
            newer = await served.post(
                **options, headers={"accept": "application/graphql-response+json"}
            )
            older = await served.post(**options)
            assert (newer.status_code, older.status_code) == (status, 200)
            assert newer.json() == older.json()

    asyncio.run(ask())


@pytest.mark.parametrize("accept", ["*/*", "application/*", "text/plain", "", "text/html"])
def test_a_post_is_answered_in_json_whatever_is_accepted(shared: Any, accept: str) -> None:
    response = send(shared, TYPENAME, accept=accept)

    assert response.json() == ANSWER
    assert response.headers["content-type"] == "application/json; charset=utf-8"


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "application/json; charset=utf-8",
        'APPLICATION/JSON ; CHARSET="UTF-8"',
        "application/json;charset=utf8",
    ],
)
def test_json_is_taken_however_it_is_spelt(shared: Any, content_type: str) -> None:
    assert send(shared, TYPENAME, content_type=content_type).json() == ANSWER


@pytest.mark.parametrize(
    "headers",
    [
        {"content_type": ""},
        {"content_type": "text/plain"},
        {"content_type": "application/x-www-form-urlencoded"},
        {"content_type": "multipart/form-data; boundary=x"},
        {"content_type": "application/graphql"},
        {"content_type": "application/json; charset=latin-1"},
        {"content_type": "application/json", "content_encoding": "br"},
    ],
    ids=str,
)
def test_what_a_foreign_page_could_send_is_415(shared: Any, headers: dict[str, str]) -> None:
    assert send(shared, TYPENAME, **headers).status_code == 415


def test_compressed_bodies_are_415(shared: Any) -> None:
    response = send(shared, gzip.compress(TYPENAME.encode()), content_encoding="gzip")

    assert response.status_code == 415
    assert "Content-Encoding" in response.json()["errors"][0]["message"]


def test_large_bodies_are_413_announced_or_not(endpoint: Any) -> None:
    large = json.dumps({"query": "{ __typename }" + " " * 70_000}).encode()

    async def chunks() -> Any:
        for start in range(0, len(large), 10_000):
            yield large[start : start + 10_000]

    async def ask() -> None:
        async with endpoint(events=False) as served:
            headers = {"content-type": "application/json"}
            for body in (large, chunks()):
                response = await served.post(content=body, headers=headers)
                assert response.status_code == 413
                assert "65,536 bytes" in response.json()["errors"][0]["message"]
            assert await served.ask("{ __typename }") == ANSWER

    asyncio.run(ask())


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "QUERY"])
def test_other_methods_are_405_and_name_the_one(shared: Any, method: str) -> None:
    params = {} if method == "GET" else {"query": "{ __typename }"}
    response = shared.post(method=method, params=params, token=None)

    assert response.status_code == 405
    assert response.headers["allow"] == "GET, POST"
    assert "POST" in response.json()["errors"][0]["message"]


def test_a_browser_gets_a_page_without_scripts_or_anything_from_elsewhere(shared: Any) -> None:
    accept = "text/html,application/xhtml+xml,*/*;q=0.8"
    response = shared.post(method="GET", token=None, headers={"accept": accept})

    assert response.status_code == 200
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    policy = response.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    page = response.text
    assert f"curl {response.url}" in page
    assert "from gql import" in page
    assert "<script" not in page
    assert not re.search(r"(src|href|action)=", page)


def test_the_page_s_examples_work(endpoint: Any) -> None:
    """Its curl command's body, and its gql program, are taken from the page and used."""

    async def ask() -> None:
        async with endpoint() as served:
            page = await served.post(method="GET", token=None, headers={"accept": "text/html"})
            text = page.text.replace("&quot;", '"').replace("&#x27;", "'")
            [body] = re.findall(r"-d '(.*)'", text)
            answer = await served.post(content=body, headers={"content-type": "application/json"})
            assert answer.json()["data"]["dashboard"]["summary"]["executions"]["value"] == 11
            [program] = re.findall(r"<pre[^>]*><code>(# pip.*?)</code>", text, flags=re.DOTALL)
            environ = {"COPILOT_ANALYTICS_TOKEN": served.admin}
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-c", program, env={**environ_without_proxies(), **environ},
                stdout=asyncio.subprocess.PIPE,
            )  # fmt: skip
            output, _ = await process.communicate()
            assert "'executions': {'value': 11}" in output.decode()

    asyncio.run(ask())


def environ_without_proxies() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}


@pytest.mark.parametrize("host", ['"><script>alert(1)</script>', "a b", "[", "%", "x" * 1000])
def test_the_page_escapes_what_it_is_told(shared: Any, host: str) -> None:
    headers = {"accept": "text/html", "host": host}
    response = shared.post(method="GET", token=None, headers=headers)

    assert response.status_code == 200
    assert "<script" not in response.text


def test_a_head_is_a_get_without_the_body(shared: Any) -> None:
    response = shared.post(method="HEAD", token=None, headers={"accept": "text/html"})

    assert (response.status_code, response.content) == (200, b"")


def mutations(seed: int, count: int) -> Iterable[bytes]:
    """Yield bodies that are almost right: bytes changed, cut, doubled, inserted."""
    chance = random.Random(seed)
    good = json.dumps(
        {
            "query": "query A($n: Int! = 3) { a: popularCommands(first: $n, range: {start: "
            '"2025-01-01"}) { edges { node { ...F } } } } '
            "fragment F on PopularCommand { name @include(if: true) }",
            "variables": {"n": 4, "x": [1, {"y": None}]},
            "operationName": "A",
        }
    ).encode()
    special = [b"\x00", b"\xff", b'"', b"\\", b"{", b"}", b"[", b"]", b"\\ud800", b"1e999", b"null",
               b"-", b"\xf0\x9f\x98\x80", b"...", b"@", b"$", b"!", b'"""', b"#"]  # fmt: skip
    for _ in range(count):
        body = bytearray(good)
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(len(body) or 1)
            match chance.randrange(4):
                case 0:
                    del body[at : at + chance.randint(1, 20)]
                case 1:
                    body[at:at] = chance.choice(special)
                case 2:
                    body[at : at + 1] = bytes([chance.randrange(256)])
                case _:
                    body[at:at] = body[at : at + chance.randint(1, 40)]
        yield bytes(body)


def test_no_body_makes_a_500_or_a_log_line(endpoint: Any, caplog: pytest.LogCaptureFixture) -> None:
    async def ask() -> set[int]:
        seen = set()
        async with endpoint(events=False) as served:
            headers = {
                "content-type": "application/json",
                "accept": "application/graphql-response+json",
            }
            for body in mutations(seed=7, count=250):
                response = await served.post(content=body, headers=headers)
                answer = response.json()
                seen.add(response.status_code)
                assert response.status_code in (200, 400), (body, answer)
                assert "errors" not in answer or all(
                    error["extensions"]["code"] != "INTERNAL_SERVER_ERROR"
                    for error in answer["errors"]
                ), (body, answer)
        return seen

    with caplog.at_level(logging.WARNING):
        assert asyncio.run(ask()) == {200, 400}

    assert caplog.text == ""


def test_a_client_that_leaves_in_the_middle_is_no_error(
    endpoint: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async def ask() -> None:
        async with endpoint(events=False) as served:
            host, _, port = served.host.partition(":")
            _, writer = await asyncio.open_connection(host, int(port))
            writer.write(
                b"POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
                b"authorization: Bearer " + served.admin.encode() + b"\r\n"
                b"content-length: 100\r\n\r\n{"
            )
            await writer.drain()
            writer.close()
            await writer.wait_closed()
            assert await served.ask("{ __typename }") == ANSWER

    with caplog.at_level(logging.WARNING):
        asyncio.run(ask())

    assert caplog.text == ""


def test_an_operation_that_takes_too_long_is_given_up(endpoint: Any) -> None:
    async def ask() -> httpx.Response:
        async with endpoint(events=False, time_limit=0.05) as served:

            async def hang(*args: object, **options: object) -> None:
                await asyncio.Event().wait()

            served.analytics.service.popular_commands = hang
            response: httpx.Response = await served.post(
                json={"query": "{ popularCommands { totalCount } }"}
            )
            return response

    response = asyncio.run(ask())

    assert response.status_code == 503
    [error] = response.json()["errors"]
    assert error["message"] == (
        "The operation took longer than 0.05 s: ask for fewer days or fields."
    )
    assert error["extensions"]["code"] == "TIMEOUT"


def test_a_body_that_does_not_come_is_408(endpoint: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("copilot_analytics_graphql.http._BODY_SECONDS", 0.05)
    monkeypatch.setattr("copilot_analytics_graphql.patience.Patience.TICK_SECONDS", 0.01)

    async def ask() -> bytes:
        async with endpoint(events=False) as served:
            host, _, port = served.host.partition(":")
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(
                b"POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
                b"authorization: Bearer " + served.admin.encode() + b"\r\n"
                b"content-length: 100\r\n\r\n{"
            )
            line = await reader.readline()
            writer.close()
            await writer.wait_closed()
            return line

    assert asyncio.run(ask()).startswith(b"HTTP/1.1 408 ")
