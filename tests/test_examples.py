"""The examples run as they are, and record what their users do."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect

from copilot_analytics.events import AnalyticsEvent, EventType
from copilot_analytics.periods import day_of, parse_day
from copilot_analytics.stores import open_store
from copilot_analytics.typing import SystemClock

EXAMPLES = Path(__file__).parent.parent / "examples"
TOKEN = "a token that is long enough for an example"
LAST_FRAMES = {"message", "stream_complete", "multi_step_complete", "error"}


@contextmanager
def running(example: str, store: str) -> Iterator[int]:
    """Run an example on a free port, and end it as an operator would."""
    environment = os.environ | {
        "COPILOT_ANALYTICS_STORE": store,
        "COPILOT_ANALYTICS_TOKEN": TOKEN,
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    with subprocess.Popen(
        [sys.executable, str(EXAMPLES / example), "--port", "0"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        lines = []
        try:
            for line in process.stdout:
                lines.append(line)
                listening = re.search(r"(?:ws|running on http)://127\.0\.0\.1:([1-9]\d*)", line)
                if listening:
                    break
            else:
                pytest.fail("".join(lines))
            yield int(listening[1])
        finally:
            process.send_signal(signal.SIGTERM)
            rest = process.stdout.read()
    assert "Traceback" not in rest
    assert TOKEN not in rest


async def converse(url: str, *messages: str) -> None:
    async with connect(url) as client:
        for text in messages:
            message = {"action": "message", "message": text, "conversationId": "c-1"}
            await client.send(json.dumps(message))
            while json.loads(await client.recv())["type"] not in LAST_FRAMES:
                pass


def query(port: int, document: str) -> dict[str, Any]:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/graphql",
        json.dumps({"query": document}).encode(),
        {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as response:
        answer: dict[str, Any] = json.load(response)
    return answer


def stored(store: str) -> list[AnalyticsEvent]:
    with open_store(store, clock=SystemClock()) as opened:
        today = parse_day("today", day_of(SystemClock().now_ms()))
        with opened.snapshot(today) as snapshot:
            return list(snapshot.events())


def test_fastapi_copilot_is_recorded_and_answers(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path / 'analytics.db'}"
    with running("fastapi_copilot.py", store) as port:
        url = f"ws://127.0.0.1:{port}/ws"
        asyncio.run(converse(url, "add Acme", "find Acme", "find Nobody", "tell me", "hm?"))
        document = "{ recorderHealth { running } dashboard { summary { executions { value } } } }"
        answer = query(port, document)

    assert "errors" not in answer
    assert answer["data"]["recorderHealth"] == {"running": True}
    events = stored(store)
    assert Counter(event.event_type for event in events) == {
        EventType.WEBSOCKET_CONNECTED: 1,
        EventType.MESSAGE_SENT: 5,
        EventType.INTENT_CLASSIFIED: 5,
        EventType.ACTION_EXECUTED: 3,
        EventType.ACTION_FAILED: 1,
        EventType.STREAMING_STARTED: 1,
        EventType.STREAMING_COMPLETED: 1,
        EventType.CLARIFICATION_REQUESTED: 1,
        EventType.WEBSOCKET_DISCONNECTED: 1,
    }
    commands = [event.metadata.get("command_name") for event in events]
    assert "look-up-supplier" in commands
    assert "Acme" not in str(events)


def test_websockets_copilot_is_recorded(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path / 'analytics.db'}"
    with running("websockets_copilot.py", store) as port:
        asyncio.run(converse(f"ws://127.0.0.1:{port}", "tell me about Acme", "ship it", "hm?"))

    events = stored(store)
    assert Counter(event.event_type for event in events) == {
        EventType.WEBSOCKET_CONNECTED: 1,
        EventType.MESSAGE_SENT: 3,
        EventType.STREAMING_STARTED: 1,
        EventType.INTENT_CLASSIFIED: 1,
        EventType.STREAMING_COMPLETED: 1,
        EventType.MULTI_STEP_STARTED: 1,
        EventType.ACTION_EXECUTED: 3,
        EventType.MULTI_STEP_COMPLETED: 1,
        EventType.ERROR_OCCURRED: 1,
        EventType.WEBSOCKET_DISCONNECTED: 1,
    }
