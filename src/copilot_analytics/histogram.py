"""Mergeable histograms of durations: DDSketch's logarithmic buckets, equal in every store.

A bucket i holds the durations in (1.04^(i-1), 1.04^i] milliseconds, so that any of them is within
2 % of the bucket's representative value. A histogram is a mapping of bucket to count; two are
merged by adding the counts.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from itertools import accumulate

__all__ = [
    "MAX_BUCKET",
    "MAX_MS",
    "MIN_MS",
    "ZERO_BUCKET",
    "bucket",
    "buckets",
    "merged",
    "quantile",
    "value_of",
]

MIN_MS = 0.001
"""Durations up to this are in the zero bucket."""

MAX_MS = 86_400_000.0
"""24 hours; longer durations are counted as this."""

_GAMMA = 1.04


def _power(index: int) -> float:
    # 1.04 = 26/25; a quotient of integers is correctly rounded on every platform, `pow` and `log`
    # are not, and a bound that differs by one bit would put a duration into another bucket.
    exponent = abs(index)
    up: int = 26**exponent
    down: int = 25**exponent
    return up / down if index >= 0 else down / up


ZERO_BUCKET = math.ceil(math.log(MIN_MS) / math.log(_GAMMA)) - 1
"""The bucket of no time worth speaking of, -177: one below that of the shortest other duration."""

MAX_BUCKET = math.ceil(math.log(MAX_MS) / math.log(_GAMMA))
"""The bucket of `MAX_MS`, 467."""

# The upper bound of every bucket but the last, which has none.
_BOUNDS = [MIN_MS, *map(_power, range(ZERO_BUCKET + 1, MAX_BUCKET))]


def bucket(ms: float) -> int:
    """Return the bucket of a duration in milliseconds; NaN and negative ones count as zero."""
    return bisect_left(_BOUNDS, ms) + ZERO_BUCKET


def buckets(times_ms: Iterable[float]) -> list[int]:
    """Return the bucket of each of some durations; see `bucket`."""
    return [bisect_left(_BOUNDS, ms) + ZERO_BUCKET for ms in times_ms]


def merged(counts: Mapping[int, int], at_most: int) -> list[tuple[float, float, int]]:
    """Return a histogram in few bins, each of the same number of buckets, gaps included.

    Args:
        counts: durations by bucket, see `bucket`.
        at_most: how many bins, at least 1.

    Returns:
        `(above, up_to, count)` of each bin, in milliseconds; durations of the zero bucket are above
        0. Empty without durations.
    """
    present = [index for index, count in counts.items() if count > 0]
    if not present:
        return []
    first = min(present)
    width = math.ceil((max(present) - first + 1) / at_most)
    sums = [0] * math.ceil((max(present) - first + 1) / width)
    for index in present:
        sums[(index - first) // width] += counts[index]
    edges = [first - 1 + width * place for place in range(len(sums) + 1)]
    return [
        (_edge(above), _edge(up_to), count)
        for above, up_to, count in zip(edges, edges[1:], sums, strict=False)
    ]


def _edge(bucket: int) -> float:
    # Up to which durations belong to a bucket.
    return 0.0 if bucket < ZERO_BUCKET else min(max(_power(bucket), MIN_MS), MAX_MS)


def value_of(bucket: int) -> float:
    """Return the milliseconds that stand for a bucket: its harmonic mean, and 0 for no time."""
    return 0.0 if bucket <= ZERO_BUCKET else 2.0 * _power(bucket) / (_GAMMA + 1.0)


def quantile(counts: Mapping[int, int], q: float) -> float | None:
    """Return the nearest-rank quantile `q` (0..1) in milliseconds, within 2 % of exact.

    Args:
        counts: durations by bucket, see `bucket`.
        q: the share of the durations that are at most the result; 0 gives the least.

    Returns:
        The representative value of the bucket of that rank; None without durations.
    """
    total = sum(counts.values())
    if total <= 0:
        return None
    # Rounded first, or 0.07 * 100 would be of rank 8.
    rank = min(max(1, math.ceil(round(q * total, 6))), total)
    indexes = sorted(counts)
    ranks = list(accumulate(counts[index] for index in indexes))
    return value_of(indexes[bisect_left(ranks, rank)])
