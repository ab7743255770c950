"""An answer of each kind, as the OpenAPI document shows it."""

from __future__ import annotations

from .documents import (
    Command,
    CommandStatistics,
    Dashboard,
    ErrorPattern,
    ErrorPatterns,
    ErrorTypeCount,
    Period,
    PopularCommands,
    Summary,
    UserActivity,
    UserDay,
)

__all__ = [
    "COMMAND_STATISTICS",
    "DASHBOARD",
    "ERROR_PATTERNS",
    "POPULAR_COMMANDS",
    "USER_ACTIVITY",
]

_PERIOD = Period("2025-06-01", "2025-06-15")
_COMMAND = Command("add-supplier", 10, 8, 2, 80.0, 100.0, 1_750_000_000_000)
_PATTERN = ErrorPattern(
    error_type="ValidationError",
    error_message="no supplier for <email>",
    fingerprint="v1-4f6c0d1b9f3e2a77",
    count=1,
    total_count=3,
    first_occurrence=1_749_500_000_000,
    last_occurrence=1_750_000_000_000,
    affected_users=["ada"],
    affected_user_count=1,
    contexts=[],
)

DASHBOARD = Dashboard(
    _PERIOD, Summary(11, 9, 2, 900 / 11, 92.0, 1, 1, 4, 2), [_COMMAND], [_PATTERN]
)
POPULAR_COMMANDS = PopularCommands([_COMMAND], 1, _PERIOD)
COMMAND_STATISTICS = CommandStatistics(
    command_name="add-supplier",
    total_executions=10,
    successful_executions=8,
    failed_executions=2,
    success_rate=80.0,
    average_execution_time=100.0,
    p50_execution_time=99.0,
    p95_execution_time=101.0,
    p99_execution_time=101.0,
    last_executed=1_750_000_000_000,
    unique_users=2,
    errors_by_type=[ErrorTypeCount("ValidationError", 1)],
    period=_PERIOD,
)
ERROR_PATTERNS = ErrorPatterns([_PATTERN], "all", 1, _PERIOD)
USER_ACTIVITY = UserActivity(
    user_id="ada",
    total_messages=4,
    total_actions=8,
    successful_actions=6,
    failed_actions=2,
    success_rate=75.0,
    popular_commands=["add-supplier", "list-orders"],
    first_activity=1_749_500_000_000,
    last_activity=1_750_000_000_000,
    average_response_time=87.4,
    total_errors=1,
    total_connections=2,
    days=[UserDay("2025-06-15", 4, 8, 2, 1, 2)],
    period=_PERIOD,
)
