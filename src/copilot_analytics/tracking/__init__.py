"""Trackers: what happens on one connection, as observations. Sans-I/O."""

from __future__ import annotations

from ._activity import Activity
from ._connection import ConnectionTracker, TrackingOptions
from ._contents import Contents
from ._open import OpenConnections
from ._runs import CommandRun, StepsRun, StreamRun

__all__ = [
    "Activity",
    "CommandRun",
    "ConnectionTracker",
    "Contents",
    "OpenConnections",
    "StepsRun",
    "StreamRun",
    "TrackingOptions",
]
