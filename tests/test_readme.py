"""What the README shows is what happens: its programs run, its question has its answer."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import WebSocket, WebSocketDisconnect
from websockets.asyncio.server import serve
from websockets.sync.client import connect

README = (Path(__file__).resolve().parent.parent / "README.md").read_text()
TOKEN = "at least 32 bytes that only you know"
ANSWERS: list[dict[str, Any]] = [
    *[
        {
            "type": "message",
            "content": "Done.",
            "metadata": {"intent": "add-supplier", "confidence": 0.9, "actionSuccess": success},
        }
        for success in (True, True, False, True)
    ],
    {
        "type": "error",
        "error": "card 4111 1111 1111 1111 of jane.doe@example.com declined",
        "code": "PaymentDeclined",
    },
]


def _blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)


def _talk(url: str, answers: list[dict[str, Any]]) -> None:
    with connect(url) as client:
        for number, answer in enumerate(answers):
            text = f"Please add Jane Doe, request {number}"
            client.send(json.dumps({"action": "message", "message": text}))
            assert json.loads(client.recv()) == answer


@contextmanager
def _running(app: Any) -> Iterator[str]:
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield f"127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


def test_fastapi_s_two_lines_and_the_first_question(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    program: dict[str, Any] = {}
    plugin, endpoint = (
        next(block for block in _blocks("python") if mark in block)
        for mark in ("AnalyticsMiddleware", "graphql_routes")
    )
    exec(plugin, program)
    exec(endpoint, program)

    @program["app"].websocket("/ws")  # type: ignore[untyped-decorator]
    async def copilot(websocket: WebSocket) -> None:
        await websocket.accept()
        try:
            for answer in ANSWERS:
                await websocket.receive_text()
                await websocket.send_text(json.dumps(answer))
            await websocket.receive_text()
        except WebSocketDisconnect:
            pass

    with _running(program["app"]) as address:
        _talk(f"ws://{address}/ws", ANSWERS)
        assert program["analytics"].recorder.flush_blocking(10)
        answer = httpx.post(
            f"http://{address}/graphql",
            json={"query": _blocks("graphql")[0]},
            headers={"Authorization": f"Bearer {TOKEN}"},
        )

    assert answer.json() == json.loads(_blocks("json")[0])
    assert (tmp_path / "copilot-analytics.db").exists()


def test_websockets_two_lines_and_what_frames_do_not_carry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    program: dict[str, Any] = {}
    plugin, explicit = (
        next(block for block in _blocks("python") if mark in block)
        for mark in ("@track", "with command")
    )
    answers: list[dict[str, Any]] = [{"type": "acknowledgment"}] * 3
    sent = iter(answers)

    def answer() -> str:
        exec(explicit, program)
        return json.dumps(next(sent))

    # What the README leaves out is the copilot's own answer.
    assert "connection.send(...)" in plugin
    exec(plugin.replace("connection.send(...)", "connection.send(answer())"), program)
    program["answer"] = answer

    async def talk() -> tuple[int, int]:
        async with (
            program["analytics"] as analytics,
            serve(program["handler"], "127.0.0.1", 0) as server,
        ):
            port = next(iter(server.sockets)).getsockname()[1]
            await asyncio.to_thread(
                _talk, f"ws://127.0.0.1:{port}", [{"type": "acknowledgment"}] * 3
            )
            assert await analytics.recorder.flush(10)
            dashboard = await analytics.service.dashboard(analytics.service.range())
            (ran,) = dashboard.top_commands
            assert ran.name == "add-supplier"
            return dashboard.summary.totals.messages, ran.executions

    assert asyncio.run(talk()) == (3, 3)
