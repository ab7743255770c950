r"""The GraphQL endpoint over HTTP, against a bare Starlette endpoint and against no HTTP at all.

Cached: server CPU a request of `/graphql` and of an endpoint that reads a POST and returns the same
bytes, and of REST's dashboard and an endpoint that answers a GET with the same bytes; keep-alive
connections, interleaved; the ratio of request rates on one core is the inverse.
Uncached: how long the dashboard takes over HTTP when nothing is held, beside the same query run in
process, and its store's part.

    python benchmarks/graphql_http.py [rounds=15] [requests=2000] [events=5000000]
"""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import jwt
from _endpoint import AUDIENCE, ISSUER, QUERY, SECRET, TOKEN
from _observations import fill
from _report import Result, ratios

CONNECTIONS = 8


class Client:
    """One keep-alive connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, port: int) -> Client:
        """Return a connected one."""
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def ask(self, request: bytes) -> bytes:
        """Return the response's body; its status has to be 200."""
        self._writer.write(request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        return await self._reader.readexactly(int(length))

    def close(self) -> None:
        """Hang up."""
        self._writer.close()


def _get(path: str, token: str | None = None) -> bytes:
    credentials = "" if token is None else f"authorization: Bearer {token}\r\n"
    return f"GET {path} HTTP/1.1\r\nhost: localhost\r\n{credentials}\r\n".encode()


_OPERATION = json.dumps({"query": QUERY}).encode()


def _post(path: str, token: str, body: bytes = _OPERATION) -> bytes:
    head = (
        f"POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
        f"authorization: Bearer {token}\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def _token() -> str:
    now = int(time.time())
    claims = {"sub": "admin", "iss": ISSUER, "aud": AUDIENCE, "iat": now, "exp": now + 3600}
    return jwt.encode({**claims, "role": "admin"}, SECRET, algorithm="HS256")


async def _cpu_us(clients: list[Client], request: bytes, requests: int) -> float:
    """Return the server's CPU time a request, in µs."""
    before = int(await clients[0].ask(_get("/cpu")))

    async def ask(client: Client) -> None:
        for _ in range(requests // len(clients)):
            await client.ask(request)

    await asyncio.gather(*map(ask, clients))
    return (int(await clients[0].ask(_get("/cpu"))) - before) / requests / 1000


async def _measure(port: int, rounds: int, requests: int, events: int) -> int:
    clients = [await Client.open(port) for _ in range(CONNECTIONS)]
    client = clients[0]
    kinds = {
        "bare": _post("/bare", TOKEN),
        "static token": _post("/graphql", TOKEN),
        "JWT": _post("/jwt", _token()),
    }
    answers = [await client.ask(request) for request in kinds.values()]
    assert answers[0].startswith(b'{"data"'), answers[0][:200]
    assert answers[1] == answers[0] == answers[2]
    dashboard = await client.ask(_get("/analytics/dashboard", TOKEN))
    assert await client.ask(_post("/keep", TOKEN, dashboard)) == b"kept"
    kinds["bare GET"] = _get("/bare-dashboard")
    kinds["REST"] = _get("/analytics/dashboard", TOKEN)
    assert await client.ask(kinds["bare GET"]) == dashboard
    cpu: dict[str, list[float]] = {kind: [] for kind in kinds}
    http, executed, answered = [], [], []
    for _ in range(rounds):
        for kind, request in kinds.items():
            cpu[kind].append(await _cpu_us(clients, request, requests))
        for _ in range(3):
            started = time.perf_counter()
            await client.ask(_post("/uncached", TOKEN))
            http.append((time.perf_counter() - started) * 1000)
            executed.append(float(await client.ask(_get("/executed"))))
            answered.append(float(await client.ask(_get("/answered"))))
    for each in clients:
        each.close()
    result = Result()
    for kind, times in cpu.items():
        result.line(f"cached, {kind}: CPU a request (median)", statistics.median(times), "us")
    for kind, bound in (("static token", 0.8), ("JWT", None)):
        ratio, low, high = ratios(cpu["bare"], cpu[kind])
        result.at_least(f"cached, {kind} / bare: request rate", ratio, "x", bound)
        print(f"{'':<58} {low:.3f} to {high:.3f} over {rounds} interleaved rounds")
    ratio, low, high = ratios(cpu["bare GET"], cpu["REST"])
    result.at_least("cached, REST's dashboard / bare: request rate", ratio, "x", 0.8)
    print(f"{'':<58} {low:.3f} to {high:.3f} over {rounds} interleaved rounds")
    result.line(f"uncached over HTTP, {events:,} events (median)", statistics.median(http), "ms")
    result.line("the same in process (median)", statistics.median(executed), "ms")
    result.line("of which the store's answer (median)", statistics.median(answered), "ms")
    ratio, low, high = ratios(http, executed)
    result.line("uncached, HTTP / in process", ratio, "x", 2.0)
    print(f"{'':<58} {low:.3f} to {high:.3f} over {len(http)} interleaved pairs")
    return result.missed


def main(rounds: str = "15", requests: str = "2000", events: str = "5000000") -> int:
    """Print both ratios."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bench.db"
        started = time.perf_counter()
        asyncio.run(fill(path, int(events), int(time.time() * 1000)))
        print(f"stored {int(events):,} events in {time.perf_counter() - started:.0f} s", flush=True)
        server = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("_endpoint.py")), str(path)],
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert server.stdout is not None
            port = int(server.stdout.readline())
            return asyncio.run(_measure(port, int(rounds), int(requests), int(events)))
        finally:
            server.kill()
            server.wait()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
