"""Giving up the GIL: long work in a thread of ours must not keep the host's event loop waiting."""

from __future__ import annotations

import time

__all__ = ["SLICE_EVENTS", "yield_gil"]

SLICE_EVENTS = 128
"""Events worked on before the GIL is given up: about half a millisecond."""

YIELD_SECONDS = 50e-6
"""How long the GIL is given up: longer than another thread needs to wake and take it."""


def yield_gil() -> None:
    """Give up the GIL for a moment."""
    time.sleep(YIELD_SECONDS)
