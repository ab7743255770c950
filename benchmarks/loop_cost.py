"""What the plugin adds to the event loop's own thread, in process and without a network.

One connection of uvicorn's websockets-sansio protocol over a transport that throws bytes away:
each turn is a client message and its 53 server frames. CPU time of the loop's thread only (the
writer thread is in `capture_cpu.py`), bare and with the plugin in turn.

    python benchmarks/loop_cost.py [burst|raw] [rounds=25] [turns=100]

The workloads are those of `_copilot.py`.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import uvloop
from _copilot import ANSWER, MESSAGE, app
from _report import Result, ratios
from uvicorn.config import Config
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState

from copilot_analytics import Analytics
from copilot_analytics_plugins.starlette import AnalyticsMiddleware

_HANDSHAKE = (
    b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n"
)


class _NullTransport(asyncio.Transport):
    """Counts writes and throws them away."""

    def __init__(self) -> None:
        super().__init__()
        self.writes = 0
        self.expected = 0
        self.done = asyncio.Event()

    def write(self, data: Any) -> None:
        self.writes += 1
        if self.writes == self.expected:
            self.done.set()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return ("127.0.0.1", 1) if name in ("peername", "sockname") else default

    def is_closing(self) -> bool:
        return False

    def close(self) -> None:
        """Stay open."""

    def pause_reading(self) -> None:
        """Go on."""

    def resume_reading(self) -> None:
        """Go on."""


def _client_frame(text: str) -> bytes:
    payload = text.encode()
    return bytes([0x81, 0x80 | len(payload)]) + bytes(4) + payload  # masked with zeros


class _Connection:
    """One open connection to an application."""

    def __init__(self, served: Any, workload: str) -> None:
        config = Config(
            served,
            ws="websockets-sansio",
            lifespan="off",
            log_level="error",
            ws_per_message_deflate=workload != "raw",
        )
        config.load()
        self.transport = _NullTransport()
        self.state = ServerState()
        self.protocol = WebSocketsSansIOProtocol(config, self.state, {})
        self.protocol.connection_made(self.transport)

    async def open(self) -> None:
        self.transport.expected = 1
        self.protocol.data_received(_HANDSHAKE)
        await self.transport.done.wait()

    async def close(self) -> None:
        """Lose the connection, and wait until the application has ended."""
        self.protocol.connection_lost(None)
        await asyncio.gather(*self.state.tasks)

    async def turns(self, count: int) -> float:
        """Return the loop thread's CPU nanoseconds per server frame over `count` turns."""
        frame = _client_frame(MESSAGE)
        started = time.thread_time_ns()
        for _ in range(count):
            self.transport.done.clear()
            self.transport.expected = self.transport.writes + len(ANSWER)
            self.protocol.data_received(frame)
            await self.transport.done.wait()
        return (time.thread_time_ns() - started) / (count * len(ANSWER))


async def _measure(workload: str, rounds: int, turns: int, store: str) -> int:
    analytics = Analytics(store)
    bare = _Connection(app, workload)
    plugin = _Connection(AnalyticsMiddleware(app, analytics), workload)
    await bare.open()
    await plugin.open()
    ours, baseline = [], []
    for _ in range(rounds):
        baseline.append(await bare.turns(turns))
        ours.append(await plugin.turns(turns))
        await analytics.recorder.flush()
    result = Result()
    ratio, low, high = ratios(ours, baseline)
    name = f"loop thread, {workload}"
    result.line(f"{name}: per frame, bare (median)", statistics.median(baseline), "ns")
    result.line(f"{name}: per frame, plugin (median)", statistics.median(ours), "ns")
    result.line(f"{name}: ratio of medians", ratio, "x", 1.35)
    print(f"{'':<58} {low:.3f} to {high:.3f} over {rounds} interleaved rounds")
    await bare.close()
    await plugin.close()
    await analytics.aclose()
    return result.missed


def main(workload: str = "burst", rounds: str = "25", turns: str = "100") -> int:
    """Print the cost of a frame on the loop's thread."""
    with tempfile.TemporaryDirectory() as folder:
        store = f"sqlite:///{Path(folder) / 'bench.db'}"
        return uvloop.run(_measure(workload, int(rounds), int(turns), store))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
