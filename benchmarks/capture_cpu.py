r"""Process CPU per server frame with and without the plugin, over real sockets.

20 connections, open and warm, each answer 53 frames; server processes restarted and interleaved
(bare, plugin, bare, …), the plugin's writer thread included and flushed; of each process the median
of five rounds. Two bare servers differ by as much as the plugin adds, one process from the next:
take the medians of many restarts.

    python benchmarks/capture_cpu.py [uvicorn|websockets] [copilot|burst|raw] [restarts=9] \
        [turns=20]

The workloads are those of `_copilot.py`; without one, `copilot` and `burst` are measured.
"""

from __future__ import annotations

import asyncio
import contextlib
import statistics
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

import uvloop
from _copilot import ANSWER, MESSAGE
from _report import Result, ratios
from websockets.asyncio.client import ClientConnection, connect

CONNECTIONS = 20
ROUNDS = 5
"""Measurements of one process, of which the median counts: one alone lasts a third of a second, and
may be off by a fifth on a machine with neighbours."""

BOUNDS = {"uvicorn": 1.15, "websockets": None}


async def _talk(socket: ClientConnection, turns: int) -> None:
    for _ in range(turns):
        await socket.send(MESSAGE)
        for _ in ANSWER:
            await socket.recv()


async def _cpu_ns(kind: str, port: int) -> int:
    if kind == "uvicorn":
        url = f"http://127.0.0.1:{port}/cpu"
        return int(await asyncio.to_thread(lambda: urllib.request.urlopen(url).read()))
    async with connect(f"ws://127.0.0.1:{port}", compression=None) as socket:
        await socket.send("cpu")
        return int(await socket.recv())


async def _load(kind: str, port: int, turns: int) -> float:
    async with contextlib.AsyncExitStack() as stack:
        sockets = [
            # It offers compression; whether there is any is up to the server.
            await stack.enter_async_context(connect(f"ws://127.0.0.1:{port}/ws", max_queue=None))
            for _ in range(CONNECTIONS)
        ]
        await asyncio.gather(*(_talk(socket, 2) for socket in sockets))
        await asyncio.sleep(1.5)  # the store is open by then, which costs once and no frame
        taken = []
        for _ in range(ROUNDS):
            before = await _cpu_ns(kind, port)
            await asyncio.gather(*(_talk(socket, turns) for socket in sockets))
            await asyncio.sleep(1.5)  # the writer thread's last flush belongs to the bill
            taken.append(await _cpu_ns(kind, port) - before)
    return statistics.median(taken) / (CONNECTIONS * turns * len(ANSWER))


def _run(kind: str, variant: str, workload: str, turns: int) -> float:
    with tempfile.TemporaryDirectory() as folder:
        server = subprocess.Popen(
            [
                sys.executable,
                str(Path(__file__).with_name("_copilot.py")),
                kind,
                variant,
                workload,
                str(Path(folder) / "bench.db"),
            ],
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert server.stdout is not None
            return uvloop.run(_load(kind, int(server.stdout.readline()), turns))
        finally:
            server.kill()
            server.wait()


def _compare(result: Result, kind: str, workload: str, restarts: int, turns: int) -> None:
    bare, plugin = [], []
    for _ in range(restarts):
        bare.append(_run(kind, "bare", workload, turns))
        plugin.append(_run(kind, "plugin", workload, turns))
    ratio, low, high = ratios(plugin, bare)
    name = f"{kind}, {workload}"
    result.line(f"{name}: CPU per frame, bare (median)", statistics.median(bare), "ns")
    result.line(f"{name}: CPU per frame, plugin (median)", statistics.median(plugin), "ns")
    result.line(f"{name}: ratio of medians", ratio, "x", BOUNDS[kind])
    print(f"{'':<58} {low:.3f} to {high:.3f} over {restarts} interleaved restarts")


def main(kind: str = "uvicorn", workload: str = "", restarts: str = "9", turns: str = "20") -> int:
    """Print the CPU per frame of both and their ratio."""
    result = Result()
    for one in [workload] if workload else ["copilot", "burst"]:
        _compare(result, kind, one, int(restarts), int(turns))
    return result.missed


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
