"""What is sent as HTML and as files, with which headers, and where it may be mounted."""

from __future__ import annotations

import asyncio
import gzip
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.routing import Mount

from copilot_analytics import Analytics
from copilot_analytics.errors import ConfigurationError
from copilot_analytics.typing import ASGIApp
from copilot_analytics_graphql import (
    create_dashboard_app,
    dashboard_routes,
    static_token,
)
from copilot_analytics_graphql.app import graphql_app
from copilot_analytics_graphql.dashboard.app import BUILT, DashboardApp
from copilot_analytics_graphql.dashboard.pages import Pages
from copilot_analytics_graphql.dashboard.sessions import Sessions
from copilot_analytics_graphql.links import ExportLinks
from copilot_analytics_graphql.rest.download import ExportEndpoint
from copilot_analytics_graphql.shared import Shared
from copilot_analytics_plugins.starlette import AnalyticsMiddleware

ADMIN, USER = "admin-" + "a" * 32, "user-" + "u" * 32
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; manifest-src 'self'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)

Ask = Callable[..., httpx.Response]


def ask(
    app: ASGIApp, path: str, *, method: str = "GET", root_path: str = "", **headers: str
) -> Any:
    """Ask an application without a server; headers are given with underscores."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}

    async def run() -> httpx.Response:
        transport = httpx.ASGITransport(app=app, root_path=root_path)
        async with httpx.AsyncClient(transport=transport, base_url="http://site") as client:
            return await client.request(method, path, headers=named)

    return asyncio.run(run())


@pytest.fixture
def analytics() -> Any:
    analytics = Analytics("memory://")
    yield analytics
    analytics.close()


@pytest.fixture
def app(analytics: Analytics) -> ASGIApp:
    """The page at `/copilot-analytics` of an application."""
    routes = dashboard_routes(analytics, authenticate=static_token(ADMIN))
    return Starlette(routes=routes)


def scripts(page: httpx.Response) -> list[str]:
    return [part.split('"')[0] for part in page.text.split('src="')[1:]]


@pytest.mark.parametrize(
    "path",
    ["", "/", "/commands", "/commands/a.b", "/errors/x/y.z", "/users/ada@example.com", "/anything"],
)
def test_every_view_is_the_page(path: str, app: ASGIApp) -> None:
    page = ask(app, f"/copilot-analytics{path}")

    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert page.headers["content-security-policy"] == POLICY
    assert page.headers["cache-control"] == "no-cache"
    assert page.headers["x-content-type-options"] == "nosniff"
    assert page.headers["referrer-policy"] == "same-origin"
    assert 'name="copilot-analytics-base" content="/copilot-analytics"' in page.text
    assert all(each.startswith("/copilot-analytics/assets/") for each in scripts(page))
    assert '"./' not in page.text


def test_files_are_compressed_and_kept_for_ever(app: ASGIApp) -> None:
    [script] = scripts(ask(app, "/copilot-analytics/"))
    plain = ask(app, script, accept_encoding="identity")
    assert plain.headers["content-type"].startswith("text/javascript")
    assert plain.headers["cache-control"] == "max-age=315360000, public, immutable"
    assert plain.headers["x-content-type-options"] == "nosniff"

    for encoding in ("br", "gzip"):
        packed = ask(app, script, accept_encoding=encoding)
        assert packed.headers["content-encoding"] == encoding
        assert "accept-encoding" in packed.headers["vary"].lower()
        assert int(packed.headers["content-length"]) < len(plain.content) / 2
    assert (
        gzip.decompress(
            (BUILT / script.partition("/copilot-analytics/")[2]).with_suffix(".js.gz").read_bytes()
        )
        == plain.content
    )


def test_heads_have_no_body_and_pages_take_no_posts(app: ASGIApp) -> None:
    head = ask(app, "/copilot-analytics/", method="HEAD")
    post = ask(app, "/copilot-analytics/commands", method="POST")

    assert (head.status_code, head.content) == (200, b"")
    assert int(head.headers["content-length"]) > 500
    assert (post.status_code, post.headers["allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize(
    "path",
    ["/assets/none.js", "/favicon.ico", "/assets/../app.py", "/assets/%2e%2e/app.py", "/x.php"],
)
def test_what_is_no_file_is_not_found(path: str, app: ASGIApp) -> None:
    found = ask(app, f"/copilot-analytics{path}")

    assert found.status_code == 404
    assert "import" not in found.text


def test_graphiql_is_for_admins(analytics: Analytics) -> None:
    async def nobody(_: Any) -> None:
        return None

    closed = create_dashboard_app(analytics, authenticate=nobody)
    asked = ask(closed, "/graphiql", root_path="/tools")
    assert (asked.status_code, asked.headers["location"]) == (303, "/tools/?next=graphiql")

    user = create_dashboard_app(analytics, authenticate=static_token(USER, role="user", id="ada"))
    told = ask(user, "/graphiql", authorization=f"Bearer {USER}")
    assert told.status_code == 403
    assert "GraphiQL is for administrators" in told.text
    assert told.headers["content-security-policy"] == POLICY

    admin = create_dashboard_app(analytics, authenticate=static_token(ADMIN))
    page = ask(admin, "/graphiql", authorization=f"Bearer {ADMIN}")
    assert page.status_code == 200
    assert page.headers["content-security-policy"] == POLICY.replace(
        "style-src 'self'", "style-src 'self' 'unsafe-inline'; worker-src 'self'"
    )


@pytest.mark.parametrize("make", [FastAPI, Starlette])
def test_any_application_mounts_it(make: Any, analytics: Analytics) -> None:
    host = make()
    host.mount("/admin/page", create_dashboard_app(analytics, authenticate=static_token(ADMIN)))
    outer = Starlette(routes=[Mount("/tools", host)])

    page = ask(outer, "/tools/admin/page/commands/x")
    assert 'content="/tools/admin/page"' in page.text
    assert all(ask(outer, script).status_code == 200 for script in scripts(page))
    assert ask(outer, "/tools/admin/page/session").json() == {"id": None}


@pytest.mark.parametrize("path", ["/copilot-analytics/users", "/proxy/copilot-analytics/users"])
def test_behind_a_proxy_s_prefix(path: str, app: ASGIApp) -> None:
    """Whether the server puts the root path in front of the path, or not."""
    page = ask(app, path, root_path="/proxy")

    assert page.status_code == 200
    assert 'content="/proxy/copilot-analytics"' in page.text


def test_a_hostile_root_path_is_text(analytics: Analytics) -> None:
    app = create_dashboard_app(analytics, authenticate=static_token(ADMIN))
    page = ask(app, "/", root_path='/"><script>alert(1)</script>')

    assert "<script>alert" not in page.text
    assert "&quot;&gt;&lt;script&gt;" in page.text


def test_frames_are_allowed_where_they_are_named(analytics: Analytics) -> None:
    app = create_dashboard_app(
        analytics, authenticate=static_token(ADMIN), frame_ancestors=["https://admin.example.com"]
    )
    policy = ask(app, "/").headers["content-security-policy"]
    assert policy.endswith("frame-ancestors https://admin.example.com")

    for ancestor in ("*", "admin.example.com", "https://a; script-src *", ""):
        with pytest.raises(ConfigurationError, match="frame_ancestors"):
            create_dashboard_app(
                analytics, authenticate=static_token(ADMIN), frame_ancestors=[ancestor]
            )


@pytest.mark.parametrize("path", ["copilot", "/", "", "/a b", "/a/", "/{x}"])
def test_a_path_that_is_none_is_refused(path: str, analytics: Analytics) -> None:
    with pytest.raises(ConfigurationError, match="path cannot be"):
        dashboard_routes(analytics, path=path, authenticate=static_token(ADMIN))


def test_a_page_that_was_not_built_says_why(tmp_path: Path) -> None:
    unknown = Pages(tmp_path)
    assert not unknown.there
    assert b"It is made when copilot-analytics is installed" in unknown.missing("/x")

    (tmp_path / "reason.txt").write_text("No <Node> was found.")
    told = Pages(tmp_path).missing("/tools").decode()
    assert "No &lt;Node&gt; was found." in told
    assert "GraphQL at <code>/tools/graphql</code>" in told


def test_without_a_page_everything_else_answers(analytics: Analytics, tmp_path: Path) -> None:
    (tmp_path / "reason.txt").write_text("No Node was found.")
    shared = Shared.of(
        analytics, {"authenticate": static_token(ADMIN)}, ExportLinks("/export", None)
    )
    app = DashboardApp(
        shared,
        Sessions(analytics.clock),
        graphql=graphql_app(shared, {}),
        export=ExportEndpoint(shared, time_limit=10),
        options={},
        built=tmp_path,
    )

    for path in ("/", "/commands/x", "/graphiql"):
        page = ask(app, path)
        assert page.status_code == 503
        assert "No Node was found." in page.text
        assert page.headers["content-security-policy"] == POLICY
    assert ask(app, "/assets/index.js").status_code == 404
    assert ask(app, "/session").json() == {"id": None}
    query = "/graphql?query={__typename}"
    asked = ask(app, query, authorization=f"Bearer {ADMIN}", accept="application/json")
    assert asked.json() == {"data": {"__typename": "Query"}}


def test_the_plugin_tracks_nothing_of_it(analytics: Analytics) -> None:
    routes = dashboard_routes(analytics, authenticate=static_token(ADMIN))
    app = AnalyticsMiddleware(Starlette(routes=routes), analytics)

    assert ask(app, "/copilot-analytics/").status_code == 200
    assert analytics.recorder.health().accepted == 0


def test_without_its_extra_it_says_what_to_install() -> None:
    program = (
        "import sys; sys.modules['servestatic'] = None\n"
        "from copilot_analytics import Analytics\n"
        "from copilot_analytics_graphql import create_dashboard_app, static_token\n"
        "create_dashboard_app(Analytics('memory://'), authenticate=static_token('a' * 32))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )

    assert done.returncode == 1
    assert "pip install 'copilot-analytics[dashboard]'" in done.stderr
