"""The page as an ASGI application: what is at which path below its mount."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TypedDict

from copilot_analytics.typing import ASGIApp, Receive, Scope, Send

from ..access import Credentials
from ..rates import TooOftenError
from ..shared import Shared
from .codes import SignInCodes
from .files import PREFIX, Files
from .pages import Pages
from .replies import Headers, send_whole
from .session_endpoint import SessionEndpoint
from .sessions import Sessions

__all__ = ["AtMount", "DashboardApp", "PageOptions"]

BUILT = Path(__file__).with_name("built")
"""Where the build hook puts the page."""

_HTML = b"text/html; charset=utf-8"


class PageOptions(TypedDict, total=False):
    """What the page takes besides; see `create_dashboard_app`."""

    session_key: str | None
    session_hours: float
    secure_cookie: bool | None
    sign_in_codes: SignInCodes | None
    frame_ancestors: Collection[str]


class DashboardApp:
    """Sends each request below the mount to whoever answers it.

    Args:
        shared: what it shares with the endpoints beside it; its gatekeeper knows the sessions.
        sessions: begins and ends them.
        graphql: the endpoint that the page asks, HTTP and WebSocket.
        export: sends the files of signed links.
        options: how it signs in, and where it may be shown.

    Raises:
        ConfigurationError: an option cannot be used.
        MissingDependencyError: servestatic is not installed.
    """

    def __init__(
        self,
        shared: Shared,
        sessions: Sessions,
        *,
        graphql: ASGIApp,
        export: ASGIApp,
        options: PageOptions,
        built: Path = BUILT,
    ) -> None:
        self._gatekeeper = shared.gatekeeper
        self._graphql = graphql
        self._export = export
        self._pages = Pages(built, options.get("frame_ancestors", ()))
        self._files = Files(built, _not_found)
        self._session = SessionEndpoint(
            shared.gatekeeper,
            sessions,
            options.get("sign_in_codes"),
            secure=options.get("secure_cookie"),
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request or socket."""
        if scope["type"] not in ("http", "websocket"):
            raise RuntimeError(f"the page has no {scope['type']}: mount it in an app")
        base, path = _placed(scope)
        if path == "/graphql":
            await self._graphql(scope, receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})
        elif path == "/session":
            await self._session(scope, receive, send)
        elif path == "/export":
            await self._export(scope, receive, send)
        elif path.startswith(PREFIX):
            # It looks its files up by the whole path.
            await self._files({**scope, "path": path, "root_path": ""}, receive, send)
        elif scope["method"] not in ("GET", "HEAD"):
            await send_whole(scope, send, 405, b"", [(b"allow", b"GET, HEAD")])
        elif not self._pages.there:
            await self._send(scope, send, 503, self._pages.missing(base))
        elif path == "/graphiql":
            await self._send_graphiql(scope, send, base)
        elif "." in path.rpartition("/")[2] and not _is_view(path):
            await _not_found(scope, receive, send)
        else:
            await self._send(scope, send, 200, self._pages.index(base))

    async def _send_graphiql(self, scope: Scope, send: Send, base: str) -> None:
        try:
            principal = await self._gatekeeper.admit(Credentials(scope))
        except TooOftenError:
            principal = None
        if principal is None:
            location = f"{base}/?next=graphiql".encode()
            await send_whole(
                scope, send, 303, b"", [(b"location", location), (b"cache-control", b"no-store")]
            )
        elif not principal.sees_all:
            await self._send(scope, send, 403, self._pages.admins_only())
        else:
            policy = self._pages.graphiql_policy
            await self._send(scope, send, 200, self._pages.graphiql(base), policy)

    async def _send(
        self, scope: Scope, send: Send, status: int, body: bytes, policy: bytes | None = None
    ) -> None:
        headers: Headers = [
            (b"content-type", _HTML),
            (b"cache-control", b"no-cache"),
            (b"content-security-policy", policy or self._pages.policy),
            (b"referrer-policy", b"same-origin"),
            (b"cross-origin-opener-policy", b"same-origin"),
        ]
        await send_whole(scope, send, status, body, headers)


class AtMount:
    """Answers the mount's own address, without a trailing slash, as what is mounted.

    Args:
        app: what is mounted.
        path: the mount's path.
    """

    def __init__(self, app: ASGIApp, path: str) -> None:
        self._app = app
        self._path = path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        root_path = scope.get("root_path", "") + self._path
        await self._app({**scope, "root_path": root_path}, receive, send)


_VIEWS = ("/commands/", "/errors/", "/users/", "/conversations/")


def _is_view(path: str) -> bool:
    """Return whether a path may name something whose name has a dot, and is no file."""
    return path.startswith(_VIEWS)


def _placed(scope: Scope) -> tuple[str, str]:
    """Return the mount's path, without a trailing slash, and what is asked for below it.

    By the specification `path` begins with `root_path`; some servers and proxies leave it out.
    """
    base = scope.get("root_path", "").rstrip("/")
    path: str = scope["path"]
    if base and (path == base or path.startswith(f"{base}/")):
        path = path[len(base) :]
    return base, path or "/"


async def _not_found(scope: Scope, receive: Receive, send: Send) -> None:
    await send_whole(
        scope, send, 404, b"There is no such file.", [(b"content-type", b"text/plain")]
    )
