"""Who may ask what: every question by everybody, over both transports, and what denies."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any, cast

import pytest
from gql import Client, GraphQLRequest
from gql.transport.exceptions import TransportQueryError
from gql.transport.websockets import WebsocketsTransport
from graphql import get_introspection_query
from starlette.applications import Starlette
from starlette.authentication import AuthCredentials, AuthenticationBackend, SimpleUser
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.requests import HTTPConnection

from copilot_analytics.config import AnalyticsConfig
from copilot_analytics.errors import ConfigurationError, SecretError
from copilot_analytics_graphql import (
    Authenticate,
    Credentials,
    Principal,
    graphql_routes,
    request_user,
    static_token,
)

QUESTIONS = {
    "dashboard": "{ dashboard { range { days } } }",
    "commandStats": '{ commandStats(name: "add-supplier") { executions } }',
    "popularCommands": "{ popularCommands { totalCount } }",
    "errorPatterns": "{ errorPatterns { totalCount } }",
    "intents": "{ intents { totalCount } }",
    "streaming": "{ streaming { ended { value } } }",
    "connections": "{ connections { openNow } }",
    "users": "{ users { totalCount } }",
    "timeSeries": "{ timeSeries(metric: EVENTS) { values } }",
    "export": "{ export(format: JSON) { content } }",
    "recorderHealth": "{ recorderHealth { running } }",
    "own activity": "{ userActivity { userId executions } }",
    "own activity by id": '{ userActivity(userId: "ada") { userId executions } }',
    "another's activity": '{ userActivity(userId: "bob") { userId executions } }',
    "nobody's activity": '{ userActivity(userId: "nobody") { userId executions } }',
}
ADA_MAY = {"own activity", "own activity by id"}


def socket_client(served: Any, token: str | None, **options: Any) -> Client:
    headers = {} if token is None else served.bearer(token)
    return Client(transport=WebsocketsTransport(served.socket_url, headers=headers, **options))


def test_admins_may_ask_everything_users_only_for_their_own_activity(endpoint: Any) -> None:
    async def over_http(served: Any, token: str, query: str) -> dict[str, Any]:
        answer: dict[str, Any] = await served.ask(query, token=token)
        return answer

    async def over_socket(served: Any, token: str, query: str) -> dict[str, Any]:
        async with socket_client(served, token) as session:
            try:
                return {"data": await session.execute(GraphQLRequest(query))}
            except TransportQueryError as error:
                return {"data": error.data, "errors": error.errors}

    async def ask() -> None:
        async with endpoint() as served:
            for way in (over_http, over_socket):
                for name, query in QUESTIONS.items():
                    answer = await way(served, served.admin, query)
                    assert "errors" not in answer, (name, answer)

                    answer = await way(served, served.ada, query)
                    if name in ADA_MAY:
                        [activity] = answer["data"].values()
                        assert activity == {"userId": "ada", "executions": 8}
                    else:
                        assert list(answer["data"].values()) == [None], (name, answer)
                        [error] = answer["errors"]
                        assert error["extensions"]["code"] == "FORBIDDEN"

    asyncio.run(ask())


def test_a_denial_tells_nothing_about_whoever_was_asked_for(endpoint: Any) -> None:
    async def ask() -> list[dict[str, Any]]:
        async with endpoint() as served:
            return [
                await served.ask(QUESTIONS[name], token=served.ada)
                for name in ("another's activity", "nobody's activity")
            ]

    known, unknown = asyncio.run(ask())

    assert known == unknown


def test_users_find_their_own_activity_behind_pseudonyms(endpoint: Any) -> None:
    config = AnalyticsConfig(strict=True, pseudonymise_key="k" * 32)

    by_pseudonym = "query ($id: ID!) { userActivity(userId: $id) { userId executions } }"

    async def ask() -> tuple[Any, Any, Any, Any, Any]:
        async with endpoint(config=config) as served:
            own = await served.data(QUESTIONS["own activity"], token=served.ada)
            by_id = await served.data(QUESTIONS["own activity by id"], token=served.ada)
            other = await served.error(QUESTIONS["another's activity"], token=served.ada)
            pseudonym = {"id": own["userActivity"]["userId"]}
            admin_s = await served.data(by_pseudonym, pseudonym)
            claimed = await served.error(by_pseudonym, pseudonym, token=served.ada)
            return own["userActivity"], by_id["userActivity"], other, admin_s, claimed

    own, by_id, other, admin_s, claimed = asyncio.run(ask())

    assert own == by_id == admin_s["userActivity"]
    assert claimed["extensions"]["code"] == "FORBIDDEN"
    assert own["executions"] == 8
    assert own["userId"].startswith("p1-")
    assert other["extensions"]["code"] == "FORBIDDEN"


def test_answers_never_cross_from_one_user_to_another(endpoint: Any) -> None:
    query = QUESTIONS["own activity"]

    async def ask() -> list[Any]:
        async with endpoint() as served:
            tokens = [served.ada, served.bob, served.admin] * 5
            answers = await asyncio.gather(*(served.data(query, token=token) for token in tokens))
            return [answer["userActivity"]["userId"] for answer in answers]

    assert asyncio.run(ask()) == ["ada", "bob", "root"] * 5


def test_introspection_is_for_admins(endpoint: Any) -> None:
    queries = [
        get_introspection_query(),
        '{ __type(name: "Query") { name } }',
        "{ ...F } fragment F on Query { a: __schema { queryType { name } } }",
        "{ ... { __schema { queryType { name } } } }",
    ]

    async def ask() -> None:
        async with endpoint(events=False) as served:
            for query in queries:
                assert "errors" not in await served.ask(query)
                error = await served.error(query, token=served.ada)
                assert error["message"].startswith("Only an admin may introspect")
            assert await served.data("{ __typename }", token=served.ada) == {"__typename": "Query"}

    asyncio.run(ask())


def test_only_admins_are_told_which_names_there_are(endpoint: Any) -> None:
    async def ask() -> tuple[str, str]:
        async with endpoint(events=False) as served:
            query = "{ dashbord { range { days } } }"
            admin = await served.error(query)
            user = await served.error(query, token=served.ada)
            return admin["message"], user["message"]

    admin, user = asyncio.run(ask())

    assert "Did you mean 'dashboard'?" in admin
    assert user == "Cannot query field 'dashbord' on type 'Query'."


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": "Bearer"},
        {"Authorization": ""},
        {"Authorization": "Basic " + "a" * 40},
        {"Authorization": "\xe9"},
        {"Cookie": "token=admin"},
    ],
    ids=str,
)
def test_without_credentials_there_is_401_and_4403(endpoint: Any, headers: dict[str, str]) -> None:
    async def ask() -> None:
        async with endpoint(events=False) as served:
            raw = {name: value.encode("latin-1") for name, value in headers.items()}
            response = await served.post(token=None, headers=raw, json={"query": "{ __typename }"})
            assert response.status_code == 401
            assert response.headers["www-authenticate"] == "Bearer"
            assert response.json()["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"

            init = {"type": "connection_init", "payload": headers}
            assert await served.close_code(init, token=None) == 4403

    asyncio.run(ask())


async def _raise(credentials: Credentials) -> Principal | None:
    raise LookupError("ada@example.com")


async def _time_out(credentials: Credentials) -> Principal | None:
    raise TimeoutError


async def _expired(credentials: Credentials) -> Principal | None:
    return Principal("root", "admin", expires_at=1_750_000_000_000)


def _of(value: object) -> Authenticate:
    async def authenticate(credentials: Credentials) -> Principal | None:
        return cast("Principal", value)

    return authenticate


@pytest.mark.parametrize(
    "authenticate",
    [
        _raise,
        _time_out,
        _expired,
        _of(None),
        _of(True),
        _of("root"),
        _of({"id": "root", "role": "admin"}),
        _of(Principal("root", cast("Any", "superuser"))),
        _of(Principal("root", cast("Any", None))),
        cast("Authenticate", lambda credentials: Principal("root", "admin")),
    ],
    ids=[
        "raises",
        "times out",
        "expired",
        "None",
        "True",
        "str",
        "dict",
        "role",
        "no role",
        "sync",
    ],
)
def test_every_doubt_denies(
    endpoint: Any, authenticate: Authenticate, caplog: pytest.LogCaptureFixture
) -> None:
    async def ask() -> int:
        async with endpoint(events=False, authenticate=authenticate) as served:
            assert await served.close_code({"type": "connection_init"}) == 4403
            response = await served.post(json={"query": "{ __typename }"})
            return int(response.status_code)

    with caplog.at_level(logging.INFO):
        assert asyncio.run(ask()) == 401

    assert "ada@example.com" not in caplog.text


@pytest.mark.parametrize("authenticate", [None, "token", 5])
def test_no_endpoint_is_open(endpoint: Any, authenticate: object) -> None:
    async def ask() -> None:
        async with endpoint(events=False, authenticate=authenticate):
            raise AssertionError

    with pytest.raises(ConfigurationError, match="no endpoint is open"):
        asyncio.run(ask())

    with pytest.raises(TypeError, match="authenticate"):
        graphql_routes(None)  # type: ignore[arg-type, call-arg] # pyright: ignore


def admit(authenticate: Authenticate, *headers: tuple[bytes, bytes], **init: str) -> Any:
    credentials = Credentials({"type": "http", "headers": headers}, init or None)
    return asyncio.run(cast("Any", authenticate(credentials)))


def test_static_tokens() -> None:
    token = "t" * 32
    authenticate = static_token(token)

    assert admit(authenticate, (b"authorization", b"bearer " + token.encode())) == Principal(
        "admin", "admin"
    )
    assert admit(authenticate, Authorization=f"Bearer {token}") == Principal("admin", "admin")
    assert admit(authenticate, authorization=f"Bearer  {token} ") == Principal("admin", "admin")
    assert admit(authenticate, (b"authorization", b"Bearer x"), Authorization=token) is None
    assert admit(authenticate, token=token) is None
    assert admit(static_token(token, role="user", id="ada"), Authorization=f"Bearer {token}") == (
        Principal("ada", "user")
    )
    assert token not in repr(vars(authenticate)) + repr(
        [cell.cell_contents for cell in cast("Any", authenticate).__closure__]
    )


@pytest.mark.parametrize("token", ["", "short", "t" * 31])
def test_short_tokens_are_refused_and_never_shown(token: str) -> None:
    with pytest.raises(SecretError, match=f"token is only {len(token)} bytes") as caught:
        static_token(token)

    assert not token or token not in str(caught.value)


@pytest.mark.parametrize("token", ["ü" * 40, "t" * 40 + "\n", " " + "t" * 40, "\udcff" * 40])
def test_tokens_that_no_header_carries_are_refused_and_never_shown(token: str) -> None:
    with pytest.raises(SecretError, match="no HTTP header") as caught:
        static_token(token)

    assert token.strip() not in repr(caught.value) + str(caught.value)


def test_a_user_s_token_needs_the_user() -> None:
    with pytest.raises(ConfigurationError, match="id"):
        static_token("t" * 32, role="user")


class _ByHeader(AuthenticationBackend):
    async def authenticate(self, conn: HTTPConnection) -> Any:
        name = conn.headers.get("x-user")
        scopes = ["admin"] if name == "root" else ["authenticated"]
        return None if name is None else (AuthCredentials(scopes), SimpleUser(name))


def _with_users(routes: Any) -> Starlette:
    return Starlette(
        routes=routes, middleware=[Middleware(AuthenticationMiddleware, backend=_ByHeader())]
    )


def test_request_user_trusts_starlette_s_authentication(endpoint: Any) -> None:
    async def ask() -> None:
        async with endpoint(authenticate=request_user(), wrap=_with_users) as served:

            async def ask(user: str | None) -> Any:
                headers = {} if user is None else {"x-user": user}
                body = {"query": "{ userActivity { userId } recorderHealth { running } }"}
                return await served.post(token=None, headers=headers, json=body)

            assert (await ask(None)).status_code == 401
            assert (await ask("")).status_code == 401
            answer = (await ask("ada")).json()
            assert answer["data"] == {"userActivity": {"userId": "ada"}, "recorderHealth": None}
            answer = (await ask("root")).json()
            assert answer["data"]["recorderHealth"] is not None

    asyncio.run(ask())


def test_request_user_denies_without_that_middleware() -> None:
    assert admit(request_user()) is None


def test_a_rule_that_raises_denies(endpoint: Any, caplog: pytest.LogCaptureFixture) -> None:
    async def ask() -> dict[str, Any]:
        async with endpoint() as served:

            def fail(user_id: str) -> str:
                raise LookupError(user_id)

            served.analytics.stored_user_id = fail
            answer: dict[str, Any] = await served.ask(
                QUESTIONS["another's activity"], token=served.ada
            )
            return answer

    answer = asyncio.run(ask())

    assert answer["data"] == {"userActivity": None}
    assert answer["errors"][0]["extensions"]["code"] == "INTERNAL_SERVER_ERROR"
    assert "bob" not in json.dumps(answer["errors"]) + caplog.text
