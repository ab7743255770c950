"""Which connections are open: told by trackers, counted for the whole process."""

from __future__ import annotations

import os
import warnings

import pytest

from copilot_analytics.protocols import adapter_named
from copilot_analytics.testing import FakeClock
from copilot_analytics.tracking import ConnectionTracker, OpenConnections


def tracker(open_connections: OpenConnections, connection_id: str) -> ConnectionTracker:
    return ConnectionTracker(
        adapter_named("omnitrack"),
        lambda observation: None,
        clock=FakeClock(),
        connection_id=connection_id,
        resolve_user=lambda: None,
        open_connections=open_connections,
    )


def test_nothing_is_known_before_the_first_connection() -> None:
    open_connections = OpenConnections()
    tracker(open_connections, "never opened").closed(1006)

    assert open_connections.count is None


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing is forked here")
def test_a_forked_child_has_none_of_its_parent_s() -> None:
    open_connections = OpenConnections()
    open_connections.opened("a")
    with warnings.catch_warnings():
        # Of threads that other tests have left to end.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        os._exit(0 if open_connections.count is None else 1)
    _, status = os.waitpid(child, 0)

    assert os.waitstatus_to_exitcode(status) == 0
    assert open_connections.count == 1


def test_connections_count_from_their_opening_to_their_end() -> None:
    open_connections = OpenConnections()
    first, second = tracker(open_connections, "a"), tracker(open_connections, "b")
    counts = []
    for step in (first.opened, second.opened, first.opened):
        step()
        counts.append(open_connections.count)
    first.connection_id = "as the server names it"
    for code in (1000, 1000):
        first.closed(code)
        counts.append(open_connections.count)
    first.opened()
    second.closed(None)

    assert counts == [1, 2, 2, 1, 1]
    assert open_connections.count == 0
