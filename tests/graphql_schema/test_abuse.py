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

CASES = runpy.run_path(str(Path(__file__).resolve().parents[2] / "benchmarks" / "_abuse.py"))
REQUESTS, SOCKETS = CASES["REQUESTS"], CASES["SOCKETS"]
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
