"""`copilot-analytics demo`: the whole product on one machine, in a minute."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import socket
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from copilot_analytics_graphql import Principal, SignInCodes, static_token

from ..analytics import Analytics
from ..config import AnalyticsConfig
from ..errors import ConfigurationError
from ..periods import DAY_MS, DateRange, day_of
from .demo_app import demo_app
from .demo_report import differences, fetch_dashboard, tables
from .listening import base_url, listen, running
from .page import session_key, sign_in_link
from .sample_copilot import CopilotCrashError
from .serve import chosen_token
from .simulation import Population, live_session, past_days, trickle_of_sessions
from .tally import Tally

__all__ = ["Demo"]

_AT_ONCE = 20
"""Live users who talk at the same time."""


@dataclass(frozen=True, slots=True)
class Demo:
    """A sample copilot with analytics, a back-dated month, live users, and their dashboard.

    Attributes:
        host: the address to listen on.
        port: the port; None for 8000 or, where that is taken, any free one.
        token: the administrator's; None makes one.
        users: how many users are simulated.
        days: how many past days are made.
        store: where to keep what is stored; None for a temporary file.
        once: end after the tables.
    """

    host: str
    port: int | None
    token: str | None
    users: int
    days: int
    store: str | None
    once: bool

    async def run(self) -> int:
        """Run it; return the exit status: 1 if an answered number differs from the tally.

        Without `once` it returns when the server is stopped (Ctrl-C).

        Raises:
            ConfigurationError: an option cannot be used.
            StoreError: the store cannot be opened.
        """
        token, _ = chosen_token(self.token)
        with contextlib.ExitStack() as stack:
            listener = stack.enter_context(contextlib.closing(listen(self.host, self.port)))
            url = self.store or stack.enter_context(_temporary_store())
            analytics = Analytics(config=AnalyticsConfig(store=url, identity_query="user"))
            async with analytics:
                return await self._show(analytics, listener, token)

    async def _show(self, analytics: Analytics, listener: socket.socket, token: str) -> int:
        console = Console(highlight=False)
        statistics = await asyncio.to_thread(analytics.store.statistics)
        earlier = statistics.get("events", 0)
        if earlier and self.once:
            raise ConfigurationError(
                "--store",
                analytics.store.url,
                f"--once compares with its own tally, and {earlier} events are there already; "
                "name a new file",
            )
        now_ms = analytics.clock.now_ms()
        first_day = day_of(now_ms - self.days * DAY_MS)
        population = Population(self.users)
        tally = Tally()
        if earlier:
            console.print(f"The store holds {earlier:,} events: no past days are made.")
        else:
            await self._make_past(analytics, population, tally, console)
        endpoint = base_url(listener)
        codes = SignInCodes(analytics.clock)
        app = demo_app(analytics, static_token(token), codes, session_key=session_key(token))
        async with running(app, listener) as server:
            if server.done():  # it has said why
                return 1
            logging.getLogger("uvicorn.error").addFilter(_is_news)
            await self._make_live(endpoint, population, tally, console)
            await analytics.recorder.flush()
            days = DateRange.of(first_day, None, now_ms=analytics.clock.now_ms())
            dashboard = await fetch_dashboard(f"{endpoint}/graphql", token, days)
            for table in tables(dashboard):
                console.print(table)
            wrong = [] if earlier else list(differences(tally, dashboard))
            for sentence in wrong:
                console.print(f"[bold red]Differs[/] {sentence}")
            if not earlier and not wrong:
                count = sum(1 for _ in tally.figures())
                console.print(f"All {count} numbers are what the simulator counted.")
            if self.once:
                return 1 if wrong else 0
            link = sign_in_link(endpoint, codes, Principal("admin", "admin"))
            _print_addresses(console, endpoint, link, token, analytics.store.url)
            trickle = asyncio.create_task(trickle_of_sessions(_socket_url(endpoint), population))
            try:
                await server
            finally:
                trickle.cancel()
            return 1 if wrong else 0

    async def _make_past(
        self, analytics: Analytics, population: Population, tally: Tally, console: Console
    ) -> None:
        with _progress(console) as progress:
            bar = progress.add_task("Days", total=self.days)
            async for day in past_days(analytics, population, self.days):
                tally.add(day)
                progress.advance(bar)

    async def _make_live(
        self, endpoint: str, population: Population, tally: Tally, console: Console
    ) -> None:
        source = random.Random(population.seed + 1)
        url = _socket_url(endpoint)
        turns = asyncio.Semaphore(_AT_ONCE)

        async def visit(user: str, seed: int) -> Tally:
            async with turns:
                return await live_session(url, user, random.Random(seed))

        with _progress(console) as progress:
            bar = progress.add_task("Live users", total=population.size)
            visits = [
                asyncio.create_task(visit(population.name(number), source.randrange(1 << 30)))
                for number in range(population.size)
            ]
            try:
                for done in asyncio.as_completed(visits):
                    tally.add(await done)
                    progress.advance(bar)
            finally:
                for task in visits:
                    task.cancel()
                await asyncio.gather(*visits, return_exceptions=True)


def _is_news(record: logging.LogRecord) -> bool:
    """Say whether a log record is anything else than the sample copilot's crash on purpose."""
    return not (record.exc_info and isinstance(record.exc_info[1], CopilotCrashError))


@contextlib.contextmanager
def _temporary_store() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="copilot-analytics-demo-") as folder:
        yield f"sqlite:///{Path(folder) / 'demo.db'}"


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description:<10}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
    )


def _socket_url(endpoint: str) -> str:
    return f"ws{endpoint.removeprefix('http')}/ws"


def _print_addresses(console: Console, endpoint: str, link: str, token: str, store: str) -> None:
    for name, value in (
        ("Page", link),
        ("GraphQL", f"{endpoint}/graphql"),
        ("REST", f"{endpoint}/analytics"),
        ("Copilot", _socket_url(endpoint)),
        ("Token", token),
        ("Store", store),
    ):
        console.print(f"{name:<9}{value}", markup=False, soft_wrap=True)
    console.print("The page's address signs you in once, within ten minutes; later the token does.")
    console.print("Users go on talking to the copilot. Ctrl-C ends.")
