"""What the tracker alone costs: a content frame, and a whole turn of a stream.

No network and no recorder. The least of many short runs, because other processes only ever add;
`str.startswith` beside it says how fast the machine is.

    python benchmarks/tracker_cost.py
"""

from __future__ import annotations

import timeit
from collections import deque
from collections.abc import Callable

from _copilot import ANSWER, MESSAGE
from _report import Result

from copilot_analytics.events import Observation
from copilot_analytics.protocols.omnitrack import OmnitrackAdapter
from copilot_analytics.tracking import ConnectionTracker
from copilot_analytics.typing import SystemClock

_RUNS = 400


def _least(work: Callable[[], object], count: int) -> float:
    """Return the nanoseconds of one call."""
    return min(timeit.repeat(work, number=count, repeat=_RUNS)) / count * 1e9


def main() -> None:
    """Print what a content frame and a turn cost."""
    recorded: deque[Observation] = deque(maxlen=1000)
    tracker = ConnectionTracker(
        OmnitrackAdapter(),
        recorded.append,
        clock=SystemClock(),
        connection_id="c-1",
        resolve_user=lambda: "user-1",
    )
    tracker.opened()
    is_content, server_frame = tracker.is_content, tracker.server_frame
    acknowledgment, start, *tokens, end = ANSWER

    def turn(frames: list[str]) -> None:
        tracker.client_frame(MESSAGE)
        for frame in frames:
            if not is_content(frame):
                server_frame(frame)

    whole = _least(lambda: turn(list(ANSWER)), 20)
    short = _least(lambda: turn([acknowledgment, start, tokens[0], end]), 20)
    server_frame(start)
    server_frame(tokens[0])
    loop = _least(lambda: None, 5_000)
    content = _least(lambda: is_content(tokens[1]), 5_000) - loop
    prefix = tokens[1][:30]
    comparing = _least(lambda: tokens[1].startswith(prefix), 5_000) - loop
    result = Result()
    result.line("str.startswith, for comparison", comparing, "ns")
    result.line("is_content, true", content, "ns")
    result.line("is_content: ratio to str.startswith", content / comparing, "x")
    result.line(f"turn with {len(tokens)} content frames", whole / 1000, "us")
    result.line("turn with one content frame", short / 1000, "us")


if __name__ == "__main__":
    main()
