"""The three alarms of an operator: when each goes off, shared by the template and the construct."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ERROR_RATE_PERIOD", "GROWTH_PERIOD", "LATENCY_PERIOD", "PERIODS", "Thresholds"]

ERROR_RATE_PERIOD = 300
"""Seconds over which errors and events are counted."""

LATENCY_PERIOD = 300
"""Seconds over which the latency of questions is ranked."""

GROWTH_PERIOD = 86_400
"""Seconds over which the bytes written are summed."""

PERIODS = 3
"""How many periods of error rate and latency in a row must be bad: 15 minutes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """When the alarms go off; the same defaults as the parameters of the template."""

    error_rate_percent: float = 5
    """More of the tracked events than this are errors."""
    error_rate_minimum_events: int = 100
    """Fewer tracked events in a period than this say nothing."""
    query_latency_ms: float = 1_000
    """One question in twenty takes longer than this."""
    bytes_written_per_day: int = 2 * 2**30
    """More bytes of events than this are written in a day; indexes hold each twice more."""
