"""A month of conversations full of personal data leaves none of it in the file or in the logs."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from copilot_analytics import Analytics, AnalyticsConfig
from copilot_analytics.testing import FakeClock
from copilot_analytics.tracking import ConnectionTracker

NAMES = ("Zebulon Quackenbush", "Øyvind Ækelund", "王小明")
SECRETS = (
    "zebulon.quackenbush@example.com",
    "+47 912 34 567",
    "4111 1111 1111 1111",
    "5500005555555559",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ6ZWJ1bG9uIn0.c2lnbmF0dXJlLW9mLXplYnVsb24",
    "sk-proj-Zeb1234567890abcdefQuack",
    "AKIAZEBULONQUACKEN12",
    "ghp_ZebulonQuackenbush0123456789abcdef",
    "203.0.113.77",
    "2001:db8::7a65:6275",
    "8f14e45f-ceea-467f-a9f4-1bb0a2f2a4c1",
    "/home/zebulon/letters.txt",
)
DAY_MS = 86_400_000
START_MS = 1_790_000_000_000


def _conversation(day: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield who sends what: every place of the protocol that takes text has some of it."""
    name, secret = NAMES[day % len(NAMES)], SECRETS[day % len(SECRETS)]
    text = f"I am {name}, reach me at {secret} or {SECRETS[(day + 5) % len(SECRETS)]}"
    yield (
        "client",
        {"action": "message", "message": text, "conversationId": f"c-{day}", "streaming": True},
    )
    yield "server", {"type": "acknowledgment", "conversationId": f"c-{day}", "note": text}
    yield (
        "server",
        {
            "type": "message",
            "content": f"Dear {name}: {secret}",
            "conversationId": f"c-{day}",
            "metadata": {"intent": "greet", "confidence": 0.9, "actionSuccess": day % 3 > 0},
            "suggestions": [text],
        },
    )
    yield "client", {"action": "message", "message": text, "conversationId": f"c-{day}"}
    yield "server", {"type": "stream_start", "metadata": {"intent": "write"}}
    yield "server", {"type": "stream_token", "token": f"{name} {secret}"}
    yield "server", {"type": "stream_token", "token": text}
    yield (
        "server",
        {"type": "stream_interrupted", "error": f"lost {secret}", "partialResponse": text},
    )
    yield "client", {"action": "message", "message": text, "conversationId": f"c-{day}"}
    yield (
        "server",
        {"type": "error", "error": f"cannot reach {secret} for '{name}'", "code": "Unreachable"},
    )
    yield "server", {"type": "multi_step_start", "totalSteps": 2}
    yield "server", {"type": "multi_step_failed", "stepNumber": 1, "error": f"no {secret}"}
    yield "server", {"type": "no_such_frame", "content": text, secret: name}


def _talk(tracker: ConnectionTracker, day: int) -> None:
    for sender, frame in _conversation(day):
        data = json.dumps(frame, ensure_ascii=day % 2 == 0)
        if sender == "client":
            tracker.client_frame(data)
        elif not tracker.is_content(data):
            tracker.server_frame(data)
    tracker.client_frame(f'{{"action": "message", "message": "{SECRETS[day % len(SECRETS)]}')
    tracker.server_frame(f"{NAMES[day % len(NAMES)]} \x00 {SECRETS[day % len(SECRETS)]}".encode())
    tracker.failed(RuntimeError(f"gave up on {SECRETS[day % len(SECRETS)]}"))
    tracker.closed(1011)


async def _month(store: Path) -> int:
    config = AnalyticsConfig(pseudonymise_key="a key that only the operator knows, 32 bytes")
    clock = FakeClock(START_MS)
    async with Analytics(f"sqlite:///{store}", config=config, clock=clock) as analytics:
        for day in range(30):
            tracker = analytics.open_connection(
                resolve_user=lambda day=day: SECRETS[day % len(SECRETS)]  # type: ignore[misc]
            )
            tracker.opened()
            _talk(tracker, day)
            assert await analytics.recorder.flush(30)
            clock.advance(DAY_MS)
        return analytics.recorder.health().stored


def test_month_of_personal_data_leaves_none_behind(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    store = tmp_path / "month.db"

    stored = asyncio.run(_month(store))

    assert stored >= 30 * 10
    written = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"Unreachable" in written, "the month is there"
    for text in (*NAMES, *SECRETS):
        for form in {text, json.dumps(text)[1:-1], text.replace(" ", "")}:
            assert form.encode() not in written, f"{form!r} is in the file"
            assert form not in caplog.text, f"{form!r} is in the logs"
