"""A copilot with its page, on a real server in a thread, over a store with a month in it."""

from __future__ import annotations

import asyncio
import random
import socket
import threading
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount

from copilot_analytics import Analytics, AnalyticsConfig
from copilot_analytics.redaction import MAX_NAME_LENGTH
from copilot_analytics.server.demo_app import demo_app
from copilot_analytics.server.page import PAGE
from copilot_analytics.server.simulation import Population, live_session, past_days
from copilot_analytics.typing import ASGIApp, SystemClock
from copilot_analytics_graphql import Principal, SignInCodes, any_of, static_token

ADMIN_TOKEN = "admin-" + "a" * 32
USER_TOKEN = "user-" + "u" * 32
SESSION_KEY = "k" * 32

HOSTILE = "<img src=x onerror=alert(1)>"
LONGEST = "long-" + "x" * (MAX_NAME_LENGTH - 5)
"""A command's name at its maximum length, without anywhere to break it."""


def _run(work: Coroutine[Any, Any, object]) -> None:
    """Run a coroutine to its end, apart from the loop that Playwright runs in the main thread."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, work).result()


class Site:
    """The server, which can be stopped and started again.

    Args:
        folder: where the store is.
        prefix: the path below which a host has it all.
        days: how many days before today have something in them.
    """

    def __init__(self, folder: Path, *, prefix: str = "", days: int = 40) -> None:
        self._prefix = prefix
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._config = AnalyticsConfig(
            store=f"sqlite:///{folder / 'site.db'}", identity_query="user", flush_interval=0.05
        )
        self.user = Population(8).name(1)
        self.codes = SignInCodes(SystemClock())
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None
        if days:
            _run(self._record(days))

    @property
    def origin(self) -> str:
        """Where the server is."""
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    @property
    def base(self) -> str:
        """Where the page is."""
        return f"{self.origin}{self._prefix}{PAGE}"

    def start(self) -> None:
        """Start the server, and wait until it answers."""
        server = uvicorn.Server(
            uvicorn.Config(self._app(), log_level="error", timeout_graceful_shutdown=1)
        )
        self._thread = threading.Thread(target=server.run, args=([self._listener.dup()],))
        self._thread.start()
        while not server.started:
            self._thread.join(0.01)
            assert self._thread.is_alive()
        self._server = server

    def stop(self) -> None:
        """Stop the server; its address stays."""
        if self._server is not None and self._thread is not None:
            self._server.should_exit = True
            self._thread.join()
            self._server = None
            self._analytics.close()  # what is mounted has no lifespan that would

    def close(self) -> None:
        """Stop it for good."""
        self.stop()
        self._listener.close()

    def talk(self) -> None:
        """Let a user talk to the copilot over a socket, for one session."""
        url = f"ws{self.origin.removeprefix('http')}{self._prefix}/ws"
        _run(live_session(url, self.user, random.Random(5)))

    def sign_in_link(self) -> str:
        """Return an address that signs an administrator in once."""
        return f"{self.base}/#code={self.codes.issue(Principal('admin', 'admin'))}"

    def _app(self) -> ASGIApp:
        authenticate = any_of(
            static_token(ADMIN_TOKEN), static_token(USER_TOKEN, role="user", id=self.user)
        )
        self._analytics = Analytics(config=self._config)
        app = demo_app(self._analytics, authenticate, self.codes, session_key=SESSION_KEY)
        if not self._prefix:
            return app
        # What is mounted gets no lifespan of its own.
        return Starlette(routes=[Mount(self._prefix, app)])

    async def _record(self, days: int) -> None:
        async with Analytics(config=self._config) as analytics:
            async for _ in past_days(analytics, Population(8), days):
                pass
            service = analytics.service
            for name in (HOSTILE, LONGEST):
                service.track_command_execution(self.user, name, False, 5.0)
                service.track_error(self.user, name, f"{name} " * 40)
            assert await analytics.flush()
