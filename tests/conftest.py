"""Settings for the whole suite."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from hypothesis import settings

settings.register_profile("any-machine", deadline=None)  # a busy machine is no failure
settings.load_profile("any-machine")


@pytest.fixture(autouse=True, scope="module")
def _no_threads_left() -> Iterator[None]:  # pyright: ignore[reportUnusedFunction]
    """Fail a module whose tests leave threads of ours running, and with them stores open."""
    others = set(threading.enumerate())
    yield
    left = [thread for thread in threading.enumerate() if thread not in others and _ours(thread)]
    for thread in left:
        thread.join(10)  # one that was told to end may take its time
    assert not [thread.name for thread in left if thread.is_alive()]


def _ours(thread: threading.Thread) -> bool:
    return thread.name.startswith("copilot-analytics")
