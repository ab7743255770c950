"""A copilot's process that records for a DynamoDB store; run as a script by the tests.

    python spooling_process.py URL FOLDER KEPT TARGET BATCH SEED

records until as many events as TARGET were ever spooled by processes that kept what they spooled
under the folder KEPT, then stays until it is killed, or is told on its standard input to end:
`close` has everything stored first, and what became of it printed.

Every file of the spool has a second name under KEPT from before its first byte: whatever is removed
from the spool, what was ever appended to it stays there.
"""

from __future__ import annotations

import os
import random
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from copilot_analytics import Analytics, AnalyticsConfig
from copilot_analytics.events import AnalyticsEvent, EventType, Observation
from copilot_analytics.spool.segments import Segment
from copilot_analytics.stores.dynamodb import DynamoDBStore

HOURS_MS = 2 * 3_600_000
"""The span of time of the events."""


def keep_what_is_spooled(kept: Path) -> None:
    """Give each file of the spool its second name."""
    create = Segment.create.__func__  # type: ignore[attr-defined]

    def create_kept(cls: type[Segment], folder: Path, start: int) -> Segment:
        segment: Segment = create(cls, folder, start)
        place = kept / str(os.getpid()) / folder.name
        place.mkdir(parents=True, exist_ok=True)
        os.link(segment.path, place / segment.path.name)
        return segment

    Segment.create = classmethod(create_kept)  # type: ignore[assignment]


def kept_events(kept: Path) -> list[AnalyticsEvent]:
    """Return every event that was ever spooled, by whole frames."""
    folders = {path.parent for path in kept.rglob("*.frames")}
    return [
        event
        for folder in sorted(folders)
        for segment in Segment.found(folder)
        for frame in segment.frames()
        for event in frame.events
    ]


def observations(seed: str, now_ms: int) -> Iterator[Observation]:
    """Yield what all processes see of the same users, commands, intents and errors."""
    rng = random.Random(seed)
    while True:
        at = now_ms - rng.randrange(HOURS_MS)
        user = f"user-{rng.randrange(8)}"
        command = f"command-{rng.randrange(4)}"
        ms = round(rng.lognormvariate(5, 1), 3)
        kind = rng.randrange(4)
        choices: list[tuple[EventType, dict[str, Any]]] = [
            (EventType.MESSAGE_SENT, {"message_length": 12}),
            (EventType.INTENT_CLASSIFIED, {"intent": command, "confidence": 0.5}),
            (EventType.STREAMING_COMPLETED, {"ttft_ms": ms, "duration_ms": 2 * ms}),
            (EventType.ACTION_EXECUTED, {"command_name": command, "execution_ms": ms}),
            (EventType.ACTION_FAILED, {"command_name": command, "execution_ms": ms}),
            (
                EventType.ERROR_OCCURRED,
                {"error_type": f"Error{kind // 2}", "error_message": "step " + "abcd"[kind]},
            ),
        ]
        event_type, metadata = rng.choice(choices)
        yield Observation(event_type, user, at, metadata=metadata)


def say(what: object) -> None:
    sys.stdout.write(f"{what}\n")
    sys.stdout.flush()


def main(url: str, folder: str, kept: str, target: str, batch: str, seed: str) -> None:
    keep_what_is_spooled(Path(kept))
    store = DynamoDBStore(url)
    store._client._attempts = 5  # so that faults outlast the patience of some requests
    config = AnalyticsConfig(spool_dir=folder, batch_size=int(batch), write_interval=0.05)
    analytics = Analytics(store, config=config)
    missing = int(target) - len(kept_events(Path(kept)))
    seen = observations(seed, analytics.clock.now_ms())
    pace = threading.Event()
    for number in range(missing):
        analytics.recorder.record(next(seen))
        if number % 20 == 0:
            pace.wait(0.005)
        if number == missing // 4:
            say("recording")
    if sys.stdin.readline() == "close\n":
        left = analytics.close(240)
        health = analytics.recorder.health()
        say(f"{left} {health.pending} {health.spooled} {health.dropped} {health.errors}")
        store.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
