"""Figures read from a rollup's counters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..histogram import merged, quantile
from ..queries import DistinctUsers, ErrorTypeCount, Latency, LatencyBin

__all__ = ["NO_USERS", "bins", "error_types", "family", "latency", "mean_ms", "ratio"]

NO_USERS = DistinctUsers(0, exact=True)
"""Nobody, for sure."""

_MAX_BINS = 24
"""As many as people can tell apart in a drawing."""


def ratio(part: int, whole: int) -> float | None:
    """Return part / whole; None of nothing."""
    return part / whole if whole else None


def family(counters: Mapping[str, int], prefix: str) -> dict[str, int]:
    """Return the counters of a family by what follows their prefix, without zeros."""
    cut = len(prefix)
    return {name[cut:]: n for name, n in counters.items() if n and name.startswith(prefix)}


def error_types(counts: Iterable[tuple[str, int]]) -> tuple[ErrorTypeCount, ...]:
    """Return how often errors of each type occurred, most frequent first, then by name."""
    ordered = sorted(counts, key=lambda item: (-item[1], item[0]))
    return tuple(ErrorTypeCount(name, count) for name, count in ordered)


def mean_ms(counters: Mapping[str, int], name: str) -> float | None:
    """Return the average of the durations counted under a name, in milliseconds."""
    samples = counters.get(f"{name}_samples", 0)
    return counters.get(f"{name}_us", 0) / samples / 1000 if samples else None


def latency(counters: Mapping[str, int], name: str, prefix: str) -> Latency:
    """Return the distribution of the durations counted under a name, in buckets of a family."""
    samples = counters.get(f"{name}_samples", 0)
    if not samples:
        return Latency()
    buckets = _buckets(counters, prefix)
    return Latency(
        samples,
        mean_ms(counters, name),
        *(quantile(buckets, q) for q in (0.5, 0.95, 0.99)),
    )


def bins(counters: Mapping[str, int], prefix: str) -> tuple[LatencyBin, ...]:
    """Return a distribution of durations in few bins, from buckets of a family."""
    return tuple(LatencyBin(*each) for each in merged(_buckets(counters, prefix), _MAX_BINS))


def _buckets(counters: Mapping[str, int], prefix: str) -> dict[int, int]:
    return {int(bucket): n for bucket, n in family(counters, prefix).items()}
