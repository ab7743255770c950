"""The dearest operations that the limits let pass, and a store that has something to answer."""

from __future__ import annotations

from copilot_analytics import Analytics

__all__ = ["DEAR", "fill_rows"]

ROWS = 1_000

_COMMAND = "name executions successes failures successRate averageMs lastExecuted"
_ERROR = "fingerprint errorType message count totalCount firstOccurrence lastOccurrence"
_EVENT = (
    "timestamp eventType userId conversationId metadata { intent confidence commandName success "
    "executionMs errorType errorMessage fingerprint messageLength }"
)


def _list(question: str, node: str, first: int = ROWS, more: str = "") -> str:
    return f"{question}(first: {first}{more}) {{ edges {{ cursor node {{ {node} }} }} }}"


_COMPARED = "value previous changeRatio"
_SUMMARY = " ".join(
    f"{name} {{ {_COMPARED} }}" for name in ("executions", "successRate", "messages", "activeUsers")
)

_ASKED: dict[str, str] = {
    "1,000 users": _list("users", "userId messages executions failures errors lastSeen"),
    "1,000 commands": _list("popularCommands", _COMMAND),
    "1,000 error patterns": _list("errorPatterns", f"{_ERROR} affectedUsers {{ count exact }}"),
    "1,000 events": _list("events", _EVENT),
    "250 intents": _list(
        "intents", "name count confidence { bins } commands { name executions }", 250
    ),
    "400 commands with everything": _list(
        "popularCommands",
        "name stats { executions execution { p50Ms p95Ms p99Ms } users { count } }",
        400,
    ),
    "300 error patterns with their trends": _list(
        "errorPatterns",
        f"message trend {{ count {{ {_COMPARED} }} daily {{ at values }} }}",
        300,
        ", range: {preset: LAST_7_DAYS}",
    ),
    "two lists of 900": " ".join(
        f"l{order}: {_list('popularCommands', _COMMAND, 900, f', orderBy: {order}')}"
        for order in ("EXECUTIONS", "FAILURES")
    ),
    "a dashboard of 1,000 commands and errors": (
        f"dashboard(top: {ROWS}) {{ topCommands {{ {_COMMAND} }} topErrors {{ {_ERROR} }} }}"
    ),
    "hours of three months, three times": " ".join(
        f"s{n}: timeSeries(metric: {metric}, interval: HOUR, range: {{preset: LAST_90_DAYS}}) "
        "{ at values }"
        for n, metric in enumerate(("MESSAGES", "EXECUTIONS", "FAILURES"))
    ),
}

DEAR: dict[str, str] = {
    **{name: f"{{ {asked} }}" for name, asked in _ASKED.items()},
    "50 dashboards": (
        f"{{ {' '.join(f'd{n}: dashboard {{ ...D }}' for n in range(50))} }} "
        f"fragment D on Dashboard {{ topCommands {{ {_COMMAND} }} topErrors {{ {_ERROR} }} "
        f"summary {{ {_SUMMARY} errorsByType {{ errorType count }} }} }}"
    ),
}
"""By name; each is allowed, and answered with as many rows as it says."""


def fill_rows(analytics: Analytics) -> None:
    """Record a thousand users, commands, intents and error patterns, today; flush it yourself."""
    service = analytics.service
    for number in range(ROWS):
        user = f"user-{number}"
        service.track_command_execution(user, f"command-{number}", number % 3 > 0, 10.0 + number)
        service.track_event("MESSAGE_SENT", user, metadata={"message_length": 5})
        # Letters: numbers would be placeholders, and all of these one pattern.
        word = "".join(chr(ord("a") + int(digit)) for digit in str(number))
        service.track_error(user, f"Error{number % 40}", f"the {word} step failed")
        service.track_event(
            "INTENT_CLASSIFIED", user, metadata={"intent": f"intent-{number}", "confidence": 0.9}
        )
