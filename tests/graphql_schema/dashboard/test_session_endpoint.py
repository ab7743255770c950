"""Signing in and out over HTTP, and what a session opens and what not."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from websockets.exceptions import InvalidStatus

from copilot_analytics.testing import FakeClock
from copilot_analytics_graphql import Principal, RateLimit, SignInCodes, TokenFile
from copilot_analytics_graphql.dashboard.sessions import COOKIE
from copilot_analytics_graphql.tokens import create_token, revoke_token

PAGE = "/copilot-analytics"
OWN = "{ userActivity { userId executions } }"


class Visitor:
    """Somebody with a browser's cookies."""

    def __init__(self, served: Any) -> None:
        self.served = served
        self.client = served.client
        self.base = f"http://{served.host}{PAGE}"

    async def session(self, method: str = "GET", **options: Any) -> httpx.Response:
        response: httpx.Response = await self.client.request(
            method, f"{self.base}/session", **options
        )
        return response

    async def sign_in(self, token: str) -> httpx.Response:
        return await self.session("POST", json={"token": token})

    async def ask(self, query: str, **headers: str) -> httpx.Response:
        response: httpx.Response = await self.client.post(
            f"{self.base}/graphql", json={"query": query}, headers=headers
        )
        return response


@pytest.fixture
def visit(endpoint: Any) -> Any:
    """Run what a visitor does against a served page."""

    def visit(work: Any, **options: Any) -> Any:
        async def run() -> Any:
            async with endpoint(dashboard=PAGE, **options) as served:
                return await work(Visitor(served))

        return asyncio.run(run())

    return visit


def test_signing_in_asking_and_signing_out(visit: Any) -> None:
    async def work(visitor: Visitor) -> None:
        assert (await visitor.session()).json() == {"id": None}
        assert (await visitor.ask(OWN)).status_code == 401

        signed = await visitor.sign_in(visitor.served.ada)
        assert signed.status_code == 200
        assert signed.json() == {
            "id": "ada",
            "role": "user",
            "expiresAt": visitor.served.clock.now_ms() + 8 * 3_600_000,
            "canSignOut": True,
        }
        cookie = signed.headers["set-cookie"]
        assert cookie.startswith(f"{COOKIE}=")
        attributes = cookie.partition("; ")[2]
        assert attributes == f"Path={PAGE}; Max-Age=28800; HttpOnly; SameSite=Strict"
        assert visitor.served.ada not in cookie
        assert signed.headers["cache-control"] == "no-store"

        assert (await visitor.session()).json() == signed.json()
        answer = (await visitor.ask(OWN)).json()["data"]["userActivity"]
        assert answer["userId"] == "ada"
        denied = (await visitor.ask("{ dashboard { range { days } } }")).json()
        assert denied["errors"][0]["extensions"]["code"] == "FORBIDDEN"

        kept = dict(visitor.client.cookies)
        left = await visitor.session("DELETE")
        assert (left.status_code, left.content) == (204, b"")
        assert "Max-Age=0" in left.headers["set-cookie"]
        visitor.client.cookies.update(kept)
        assert (await visitor.session()).json() == {"id": None}
        assert (await visitor.ask(OWN)).status_code == 401

    visit(work)


def test_whoever_the_application_knows_needs_no_session(visit: Any) -> None:
    async def work(visitor: Visitor) -> None:
        headers = visitor.served.bearer(visitor.served.admin)
        told = (await visitor.session(headers=headers)).json()
        assert told == {"id": "root", "role": "admin", "expiresAt": None, "canSignOut": False}
        assert (await visitor.ask("{ __typename }", **headers)).status_code == 200

    visit(work)


def test_a_code_signs_in_once(visit: Any) -> None:
    codes = SignInCodes(FakeClock(0))

    async def work(visitor: Visitor) -> None:
        code = codes.issue(Principal("root", "admin"))
        first = await visitor.session("POST", json={"code": code})
        second = await visitor.session("POST", json={"code": code})
        assert (first.status_code, first.json()["role"]) == (200, "admin")
        assert second.status_code == 401
        assert "has been used, or its ten minutes are over" in second.json()["error"]

    visit(work, sign_in_codes=codes)


@pytest.mark.parametrize(
    "token", ["wrong", "", " ", "with space", "new\nline", "é" * 40, "a" * 9_000]
)
def test_a_wrong_token_is_refused(token: str, visit: Any) -> None:
    async def work(visitor: Visitor) -> None:
        refused = await visitor.sign_in(token)
        assert refused.status_code == 401
        assert "not known here" in refused.json()["error"]
        assert "set-cookie" not in refused.headers

    visit(work)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"{}",
        b'{"token": 1}',
        b'{"token": null}',
        b'{"token": "a", "code": "b"}',
        b'{"token": "a", "more": 1}',
        b"\xff",
        b'{"token": "' + b"[" * 1_000,
    ],
)
def test_a_malformed_sign_in_is_explained(body: bytes, visit: Any) -> None:
    async def work(visitor: Visitor) -> None:
        headers = {"content-type": "application/json"}
        refused = await visitor.session("POST", content=body, headers=headers)
        assert refused.status_code == 400
        assert refused.json() == {"error": 'Send {"token": "…"} or {"code": "…"}.'}

    visit(work)


def test_other_requests_are_refused(visit: Any) -> None:
    async def work(visitor: Visitor) -> None:
        token = json.dumps({"token": visitor.served.admin}).encode()
        of_type = {"content-type": "application/json"}
        form = {"content-type": "application/x-www-form-urlencoded"}
        assert (await visitor.session("POST", content=token, headers=form)).status_code == 415
        large = b'{"token": "' + b"a" * 17_000 + b'"}'
        assert (await visitor.session("POST", content=large, headers=of_type)).status_code == 413
        wrong = await visitor.session("PUT")
        assert (wrong.status_code, wrong.headers["allow"]) == (405, "GET, POST, DELETE")
        for foreign in ({"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}):
            for method in ("POST", "DELETE"):
                headers = {**of_type, **foreign}
                refused = await visitor.session(method, content=token, headers=headers)
                assert refused.status_code == 403
                assert "set-cookie" not in refused.headers
        own = {
            **of_type,
            "origin": f"http://{visitor.served.host}",
            "sec-fetch-site": "same-origin",
        }
        assert (await visitor.session("POST", content=token, headers=own)).status_code == 200

    visit(work)


def test_trying_tokens_is_slowed_down(visit: Any) -> None:
    async def work(visitor: Visitor) -> None:
        for _ in range(3):
            assert (await visitor.sign_in("wrong")).status_code == 401
        refused = await visitor.sign_in("wrong")
        assert refused.status_code == 429
        assert int(refused.headers["retry-after"]) >= 1

    visit(work, rate_limit=RateLimit(denial_burst=3))


def test_trying_codes_is_slowed_down_but_a_good_one_signs_in(visit: Any) -> None:
    codes = SignInCodes(FakeClock(0))

    async def work(visitor: Visitor) -> None:
        for _ in range(3):
            assert (await visitor.session("POST", json={"code": "guess"})).status_code == 401
        assert (await visitor.session("POST", json={"code": "guess"})).status_code == 429
        code = codes.issue(Principal("root", "admin"))
        assert (await visitor.session("POST", json={"code": code})).status_code == 200

    visit(work, rate_limit=RateLimit(denial_burst=3), sign_in_codes=codes)


@pytest.mark.parametrize(("scheme", "secure"), [("https", True), ("http", False)])
def test_a_cookie_made_over_https_stays_there(scheme: str, secure: bool, visit: Any) -> None:
    def behind_tls(routes: Any) -> Any:
        app = Starlette(routes=routes)

        async def named(scope: Any, receive: Any, send: Any) -> None:
            await app({**scope, "scheme": scheme}, receive, send)

        return named

    async def work(visitor: Visitor) -> None:
        signed = await visitor.sign_in(visitor.served.admin)
        assert signed.headers["set-cookie"].endswith("; Secure") == secure

    visit(work, wrap=behind_tls)


def test_the_cookie_goes_over_https_only_where_that_is_wanted(visit: Any) -> None:
    async def work(visitor: Visitor) -> None:
        signed = await visitor.sign_in(visitor.served.admin)
        assert signed.headers["set-cookie"].endswith("; Secure")

    visit(work, secure_cookie=True)


def test_a_page_elsewhere_cannot_use_a_session(visit: Any) -> None:
    """Should a browser send the cookie after all."""

    async def work(visitor: Visitor) -> None:
        await visitor.sign_in(visitor.served.admin)
        cookie = f"{COOKIE}={visitor.client.cookies[COOKIE]}"
        served = visitor.served
        as_form = await visitor.client.post(
            f"{visitor.base}/graphql",
            content=b'{"query": "mutation { eraseUser(userId: \\"ada\\") { events } }"}',
            headers={"content-type": "text/plain"},
        )
        assert as_form.status_code == 415
        got = await visitor.client.get(
            f"{visitor.base}/graphql?query={{__typename}}", headers={"sec-fetch-site": "cross-site"}
        )
        assert got.status_code == 403
        served.socket_url = f"ws://{served.host}{PAGE}/graphql"
        with pytest.raises(InvalidStatus, match="403"):
            async with served.connect({"cookie": cookie}, origin="https://evil.example"):
                pass

    visit(work)


def test_a_socket_is_opened_by_the_cookie(visit: Any) -> None:
    async def work(visitor: Visitor) -> None:
        await visitor.sign_in(visitor.served.ada)
        cookie = f"{COOKIE}={visitor.client.cookies[COOKIE]}"
        served = visitor.served
        served.socket_url = f"ws://{served.host}{PAGE}/graphql"
        async with served.connect({"cookie": cookie}, origin=f"http://{served.host}") as socket:
            await socket.send(json.dumps({"type": "connection_init"}))
            assert json.loads(await socket.recv())["type"] == "connection_ack"
            query = {"id": "1", "type": "subscribe", "payload": {"query": OWN}}
            await socket.send(json.dumps(query))
            answer = json.loads(await socket.recv())
            assert answer["payload"]["data"]["userActivity"]["userId"] == "ada"

    visit(work)


def test_revoking_a_token_of_a_file_ends_what_it_signed_in(visit: Any, tmp_path: Any) -> None:
    file = tmp_path / "tokens.json"
    token = create_token(file, name="ops", role="admin", now_ms=0)

    async def work(visitor: Visitor) -> None:
        assert (await visitor.sign_in(token)).status_code == 200
        assert (await visitor.ask("{ __typename }")).status_code == 200
        assert revoke_token(file, "ops")
        assert (await visitor.ask("{ __typename }")).status_code == 401

    visit(work, authenticate=TokenFile(file, recheck_seconds=0))


def test_a_link_below_the_mount_downloads(visit: Any) -> None:
    async def work(visitor: Visitor) -> None:
        await visitor.sign_in(visitor.served.admin)
        answer = (await visitor.ask("{ export(format: NDJSON) { url } }")).json()
        url = answer["data"]["export"]["url"]
        assert url.startswith("/export?")
        visitor.client.cookies.clear()
        linked = await visitor.client.get(visitor.base + url)
        assert linked.status_code == 200
        assert len(linked.text.splitlines()) > 0
        assert (await visitor.client.get(f"{visitor.base}/export?format=ndjson")).status_code == 401

    visit(work)
