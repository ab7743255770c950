"""How the benchmarks print: medians, spreads and the bound each result is held against."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

__all__ = ["Result", "ratios"]


class Result:
    """Prints one line a measurement and remembers whether a bound was missed."""

    def __init__(self) -> None:
        self.missed = 0

    def line(self, name: str, value: float, unit: str, bound: float | None = None) -> None:
        """Print a figure; `bound` is the most it may be."""
        verdict = ""
        if bound is not None:
            held = value <= bound
            self.missed += not held
            verdict = f"   {'holds' if held else 'MISSES'} ≤ {bound:g}"
        print(f"{name:<58} {value:>10.3f} {unit}{verdict}", flush=True)

    def at_least(self, name: str, value: float, unit: str, bound: float | None = None) -> None:
        """Print a figure; `bound` is the least it may be."""
        verdict = ""
        if bound is not None:
            held = value >= bound
            self.missed += not held
            verdict = f"   {'holds' if held else 'MISSES'} ≥ {bound:g}"
        print(f"{name:<58} {value:>10.3f} {unit}{verdict}", flush=True)


def ratios(ours: Sequence[float], baseline: Sequence[float]) -> tuple[float, float, float]:
    """Return the ratio of the medians, and the lowest and highest ratio of interleaved pairs."""
    pairs = [a / b for a, b in zip(ours, baseline, strict=True)]
    return statistics.median(ours) / statistics.median(baseline), min(pairs), max(pairs)
