"""What tests of this package, and of code that uses it, need: a clock that stands still."""

from __future__ import annotations

__all__ = ["FakeClock"]


class FakeClock:
    """A `Clock` that moves only when it is told to.

    Wall time and monotonic time move together, so that a duration is exactly what was advanced.

    Args:
        now_ms: the wall time it starts at, epoch milliseconds, UTC.
    """

    __slots__ = ("_monotonic_ms", "_wall_ms")

    def __init__(self, now_ms: int = 1_750_000_000_000) -> None:
        self._wall_ms = float(now_ms)
        self._monotonic_ms = 0.0

    def now_ms(self) -> int:
        """Return the wall time in epoch milliseconds, UTC."""
        return int(self._wall_ms)

    def monotonic_ms(self) -> float:
        """Return the milliseconds that were advanced so far."""
        return self._monotonic_ms

    def advance(self, ms: float) -> None:
        """Let time pass, in milliseconds; fractions are kept."""
        self._wall_ms += ms
        self._monotonic_ms += ms
