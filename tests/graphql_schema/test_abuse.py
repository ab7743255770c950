"""What attackers send: each is refused in words, never with a 500, a traceback or a 1006."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from copilot_analytics_graphql import any_of, static_token
from copilot_analytics_graphql.jwt import JWTAuthenticator

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
CASES = runpy.run_path(str(BENCHMARKS / "_abuse.py"))
REQUESTS, SOCKETS = CASES["REQUESTS"], CASES["SOCKETS"]
BENCHMARKED = runpy.run_path(str(BENCHMARKS / "_dear.py"))
TOKENS = {"admin": "admin-" + "a" * 32, "user": "user-" + "u" * 32}
AUTHENTICATE = any_of(
    static_token(TOKENS["admin"]),
    static_token(TOKENS["user"], role="user", id="ada"),
    JWTAuthenticator(issuer="x", audience="x", secret="s" * 32),
)


class Served:
    """An endpoint that all cases attack, one after the other."""

    def __init__(self, runner: asyncio.Runner, endpoint: Any) -> None:
        self.run = runner.run
        self.endpoint = endpoint


@pytest.fixture(scope="module")
def attacked(serve_endpoint: Any) -> Iterator[Served]:
    """Serve one endpoint to the whole module; its limits are as everybody has them."""
    with asyncio.Runner() as runner:
        served = serve_endpoint(authenticate=AUTHENTICATE, rate_limit=None)
        try:
            yield Served(runner, runner.run(served.__aenter__()))
        finally:
            runner.run(served.__aexit__(None, None, None))


@pytest.mark.parametrize("case", REQUESTS, ids=lambda case: str(case.name))
def test_a_hostile_request_is_refused_in_words(
    attacked: Served, case: Any, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    endpoint = attacked.endpoint
    with caplog.at_level(logging.WARNING):
        response = attacked.run(
            endpoint.post(
                method=case.method,
                url=f"{endpoint.url}?{case.query_string}" if case.query_string else endpoint.url,
                token=TOKENS.get(case.token, case.token),
                content=case.body,
                headers={"accept": "application/graphql-response+json", **case.headers},
            )
        )
    answer = response.json()

    assert response.status_code == case.status, answer
    assert {error["extensions"]["code"] for error in answer["errors"]} == {case.code}, answer
    assert all(len(error["message"]) >= 10 for error in answer["errors"])
    assert len(response.content) < 20_000
    assert 400 <= response.status_code < 500
    # Where a field was denied, nothing was answered instead.
    assert set((answer.get("data") or {}).values()) <= {None}
    assert caplog.text == ""
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize("case", SOCKETS, ids=lambda case: str(case.name))
def test_a_hostile_socket_is_refused_in_words(
    attacked: Served, case: Any, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    async def converse() -> tuple[Any, list[Any]]:
        heard = []
        connection = attacked.endpoint.connect(
            attacked.endpoint.bearer(TOKENS["admin"]), max_queue=None
        )
        async with connection as socket:
            with contextlib.suppress(ConnectionClosed):
                for message in (*(['{"type": "connection_init"}'] * case.greets), *case.messages):
                    await socket.send(message)
            with contextlib.suppress(ConnectionClosed):
                while True:
                    heard.append(json.loads(await socket.recv()))
                    if heard[-1]["type"] == "error":
                        break
            return socket.close_code, heard

    with caplog.at_level(logging.WARNING):
        code, heard = attacked.run(converse())

    if isinstance(case.code, int):
        assert code == case.code
    else:
        [error] = heard[-1]["payload"]
        assert error["extensions"]["code"] == case.code
    assert caplog.text == ""
    assert "Traceback" not in capfd.readouterr().err


def test_the_endpoint_is_as_good_as_new_after_all_of_it(attacked: Served) -> None:
    answer = attacked.run(
        attacked.endpoint.ask(
            "{ dashboard { summary { executions { value } } } }", token=TOKENS["admin"]
        )
    )

    assert answer == {"data": {"dashboard": {"summary": {"executions": {"value": 11}}}}}


def test_the_dearest_operations_are_allowed_and_answered_in_full(endpoint: Any) -> None:
    async def ask() -> dict[str, dict[str, Any]]:
        async with endpoint(events=False) as served:
            BENCHMARKED["fill_rows"](served.analytics)
            assert await served.analytics.flush()
            return {name: await served.data(query) for name, query in BENCHMARKED["DEAR"].items()}

    answers = asyncio.run(ask())

    rows = [
        len(one["edges"])
        for answer in answers.values()
        for one in answer.values()
        if "edges" in one
    ]
    assert sorted(rows) == [250, 300, 400, 900, 900, 1000, 1000, 1000, 1000]
    assert len(answers["50 dashboards"]) == 50
