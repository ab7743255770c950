"""How often anybody may ask: 429 with a time to wait, and nobody is locked out by others."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from copilot_analytics.errors import ConfigurationError
from copilot_analytics.testing import FakeClock
from copilot_analytics_graphql import Credentials, Principal, RateLimit
from copilot_analytics_graphql.errors import RefusedError
from copilot_analytics_graphql.rates import (
    Buckets,
    Slots,
    Throttle,
    TooOftenError,
    client_address,
)

ASK = {"query": "{ __typename }"}
LIMIT = RateLimit(per_second=0.5, burst=3, denials_per_second=0.1, denial_burst=2)


def test_a_bucket_holds_a_burst_and_fills_at_its_rate() -> None:
    clock = FakeClock()
    buckets = Buckets(0.5, 3, clock)

    assert [buckets.take("a") for _ in range(4)] == [0, 0, 0, 2]
    assert buckets.wait("a") == 2
    assert buckets.take("b") == 0, "everybody has their own"
    clock.advance(1_500)
    assert buckets.take("a") == 0.5
    clock.advance(500)
    assert [buckets.take("a"), buckets.take("a")] == [0, 2]
    clock.advance(3_600_000)
    assert [buckets.take("a") for _ in range(4)] == [0, 0, 0, 2], "it never holds more"


def test_buckets_are_bounded() -> None:
    buckets = Buckets(0.001, 1, FakeClock())
    for number in range(10_001):
        assert buckets.take(number) == 0

    assert 0 not in buckets
    assert buckets.take(0) == 0
    assert buckets.take(10_000) > 0


@pytest.mark.parametrize(
    ("client", "address"),
    [
        (("192.0.2.7", 1), "192.0.2.7"),
        (("2001:db8:1:2:3:4:5:6", 1), "2001:db8:1:2::/64"),
        (("2001:db8:1:2::9", 1), "2001:db8:1:2::/64"),
        (("fe80::1%eth0", 1), "fe80::/64"),
        (("nonsense:", 1), "nonsense:"),
        (None, ""),
    ],
)
def test_ipv6_clients_are_counted_by_their_network(client: Any, address: str) -> None:
    assert client_address({"client": client}) == address


@pytest.mark.parametrize(
    "options",
    [{"per_second": 0}, {"burst": 0}, {"denial_burst": -1}, {"denials_per_second": float("nan")},
     {"per_second": float("inf")}],
)  # fmt: skip
def test_a_limit_that_is_none_is_refused(options: dict[str, Any]) -> None:
    [name] = options
    with pytest.raises(ConfigurationError, match=name):
        RateLimit(**options)


def test_an_address_is_refused_after_too_many_denials_but_not_known_tokens() -> None:
    clock = FakeClock()
    throttle = Throttle(LIMIT, clock)

    throttle.note("here", "bad", known=False)
    throttle.check("here", "good")
    throttle.note("here", "good", known=True)
    throttle.note("here", None, known=False)
    for token in ("bad", None, "never seen"):
        with pytest.raises(TooOftenError) as caught:
            throttle.check("here", token)
        assert caught.value.retry_after == 10
    throttle.check("here", "good")
    throttle.check("elsewhere", "bad")

    throttle.note("here", "good", known=False)  # it was revoked
    with pytest.raises(TooOftenError):
        throttle.check("here", "good")
    clock.advance(10_000)
    throttle.check("here", "never seen")


def test_known_tokens_are_bounded() -> None:
    throttle = Throttle(LIMIT, FakeClock())
    throttle.note("here", "bad", known=False)
    for number in range(1_001):
        throttle.note("here", str(number), known=True)
    throttle.note("here", "bad", known=False)

    throttle.check("here", "1000")
    with pytest.raises(RefusedError):
        throttle.check("here", "0")


def test_a_principal_who_asks_too_often_is_429_with_when_to_come_again(endpoint: Any) -> None:
    async def ask() -> None:
        async with endpoint(events=False, rate_limit=LIMIT) as served:
            statuses = [(await served.post(json=ASK)).status_code for _ in range(4)]
            assert statuses == [200, 200, 200, 429]
            refused = await served.post(json=ASK)
            assert refused.headers["retry-after"] == "2"
            [error] = refused.json()["errors"]
            assert error == {
                "message": "Too many operations: come again in 2 s, and less often.",
                "extensions": {"code": "RATE_LIMITED", "retryAfter": 2},
            }
            assert (await served.post(token=served.ada, json=ASK)).status_code == 200
            served.clock.advance(2_000)
            assert (await served.post(json=ASK)).status_code == 200

    asyncio.run(ask())


def test_sockets_count_as_well_and_stay_open(endpoint: Any) -> None:
    async def ask() -> list[str]:
        async with (
            endpoint(events=False, rate_limit=LIMIT) as served,
            served.connect(served.bearer(served.admin)) as socket,
        ):
            await socket.send('{"type": "connection_init"}')
            await socket.recv()
            heard = []
            for number in range(5):
                subscribe = {"type": "subscribe", "id": str(number), "payload": ASK}
                await socket.send(json.dumps(subscribe))
                answer = json.loads(await socket.recv())
                heard.append(answer["type"])
                if answer["type"] == "next":
                    await socket.recv()
                else:
                    assert answer["payload"][0]["extensions"]["code"] == "RATE_LIMITED"
            return heard

    assert asyncio.run(ask()) == ["next", "next", "next", "error", "error"]


def test_guessing_is_429_before_anybody_is_asked_and_locks_nobody_out(endpoint: Any) -> None:
    asked: list[str | None] = []

    async def counting(credentials: Credentials) -> Principal | None:
        asked.append(credentials.bearer_token)
        return Principal("root", "admin") if credentials.bearer_token == "good" else None

    async def ask() -> None:
        async with endpoint(events=False, rate_limit=LIMIT, authenticate=counting) as served:
            assert (await served.post(token="guess 0", json=ASK)).status_code == 401
            assert (await served.post(token="good", json=ASK)).status_code == 200
            assert (await served.post(token="guess 1", json=ASK)).status_code == 401
            refused = await served.post(token="guess 2", json=ASK)
            assert (refused.status_code, refused.headers["retry-after"]) == (429, "10")
            assert "without good credentials" in refused.json()["errors"][0]["message"]
            assert (await served.post(token=None, json=ASK)).status_code == 429
            assert (await served.post(token="good", json=ASK)).status_code == 200
            init = {"type": "connection_init"}
            assert await served.close_code(init, token="guess 3") == 4403
            assert not {"guess 2", "guess 3", None} & set(asked)

    asyncio.run(ask())


def test_without_a_limit_nothing_is_counted(endpoint: Any) -> None:
    async def ask() -> set[int]:
        async with endpoint(events=False, rate_limit=None) as served:
            return {
                (await served.post(token=token, json=ASK)).status_code
                for token in ["guess"] * 100 + [served.admin]
            }

    assert asyncio.run(ask()) == {200, 401}


def test_slots_are_counted_by_whoever_has_them() -> None:
    slots = Slots(2)

    assert [slots.take("a"), slots.take("a"), slots.take("a"), slots.take("b")] == [
        True, True, False, True,
    ]  # fmt: skip
    slots.give("a")
    assert [slots.take("a"), slots.take("a")] == [True, False]


def test_open_sockets_are_bounded_before_and_after_the_greeting(
    endpoint: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("copilot_analytics_graphql.websocket._MAX_SOCKETS", 2)
    init = {"type": "connection_init"}

    async def greeted(served: Any, token: str) -> Any:
        socket = await served.connect(served.bearer(token))
        await socket.send(json.dumps(init))
        assert json.loads(await socket.recv()) == {"type": "connection_ack"}
        return socket

    async def ask() -> None:
        async with endpoint(events=False) as served:
            first, second = [await greeted(served, served.admin) for _ in range(2)]
            assert await served.close_code(init) == 4403
            ada_s = await greeted(served, served.ada)
            await first.close()
            third = await greeted(served, served.admin)

            silent = [await served.connect({}) for _ in range(2)]
            with pytest.raises(InvalidStatus, match="403"):
                await served.connect({})
            await silent[0].close()
            silent.append(await served.connect({}))
            for socket in (second, third, ada_s, *silent):
                await socket.close()

    asyncio.run(ask())
