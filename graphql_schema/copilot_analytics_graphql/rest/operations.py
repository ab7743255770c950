"""The questions of the API: their paths, parameters and answers, declared once.

The endpoint reads requests by these declarations, and the OpenAPI document is made of them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeVar, cast

from msgspec import Struct

from copilot_analytics.periods import DateRange
from copilot_analytics.rankings import CommandOrder
from copilot_analytics.redaction import stored_name

from ..access import Principal
from ..questions import CachedQuestions
from ..source import Source
from ..subjects import is_own, is_stored
from . import documents, examples
from .parameters import Choice, Count, Day, Moment, Parameter, PathText, Text
from .problems import ProblemError

__all__ = ["END", "OPERATIONS", "START", "Operation", "Question", "Rule"]

_T = TypeVar("_T")


class Rule(Enum):
    """Who may ask."""

    ADMIN = "admin"
    """Admins."""
    OWN = "own"
    """Admins, and users about themselves."""


@dataclass(frozen=True, slots=True)
class Question:
    """A request that has been read.

    Attributes:
        principal: who asks.
        source: what is asked about.
        questions: asks the service for them, through the cache.
        range: the days that it is about.
        values: the value of each parameter, by its name.
    """

    principal: Principal
    source: Source
    questions: CachedQuestions
    range: DateRange
    values: Mapping[str, object]

    def __getitem__(self, parameter: Parameter[_T]) -> _T:
        """Return a parameter's value."""
        return cast("_T", self.values[parameter.name])


@dataclass(frozen=True, slots=True)
class Operation:
    """One question of the API.

    Attributes:
        name: its `operationId`.
        path: below the prefix, as OpenAPI writes it.
        summary: what it answers, in a line.
        rule: who may ask.
        document: the type of its answer.
        example: an answer.
        answer: answers; raises `ProblemError` or `QuestionError`.
        start: the parameter of the first day.
        end: the parameter of the last one.
        more: its other parameters.
    """

    name: str
    path: str
    summary: str
    rule: Rule
    document: type[Struct]
    example: Struct
    answer: Callable[[Question], Awaitable[Struct]]
    start: Parameter[Any]
    end: Parameter[Any]
    more: tuple[Parameter[Any], ...] = ()

    @property
    def parameters(self) -> tuple[Parameter[Any], ...]:
        """All of them, those of the path first."""
        ours = sorted(self.more, key=lambda parameter: parameter.place == "query")
        path = [parameter for parameter in ours if parameter.place == "path"]
        return (*path, self.start, self.end, *ours[len(path) :])


START = Day(
    "startDate",
    "The first day, UTC; by default 29 days before the last one. A range has at most 400 days.",
    "2025-06-01",
    None,
)
END = Day("endDate", "The last day, UTC, included; by default today.", "2025-06-15", None)
_START_MOMENT = Moment(
    "startDate",
    "The first day, as milliseconds since 1970 that lie in it or as YYYY-MM-DD, UTC; by default 29 "
    "days before the last one. A range has at most 400 days.",
    "1748736000000",
    None,
)
_END_MOMENT = Moment(
    "endDate", "The last day, likewise, included; by default today.", "1749945600000", None
)
_COMMANDS_LIMIT = Count("limit", "How many commands, 1..1000.", "10", 10)
_PATTERNS_LIMIT = Count("limit", "How many patterns, 1..1000.", "20", 20)
_ORDER = Choice(
    "orderBy",
    "What the commands are ordered by, highest first; ties by name.",
    "executions",
    CommandOrder.EXECUTIONS,
    choices={order.value.lower(): order for order in CommandOrder},
)
_ERROR_TYPE = Text(
    "errorType", "Only errors of this type; all if it is empty.", "ValidationError", None
)
_COMMAND = PathText(
    "commandName",
    "The command. What a path gives a meaning to (/, ?, #, %) may be percent-encoded; slashes need "
    "not be. One that is called `popular` is only in lists.",
    "add-supplier",
    "",
    place="path",
)
_USER = PathText(
    "userId",
    "The id by which the application knows the user; for an admin also the one that answers show. "
    "Percent-encoded like a command's name.",
    "ada",
    "",
    place="path",
)


async def _dashboard(question: Question) -> documents.Dashboard:
    dashboard = await question.questions.dashboard(question.range, top=5)
    return documents.Dashboard.of(dashboard)


async def _popular_commands(question: Question) -> documents.PopularCommands:
    page = await question.questions.popular_commands(
        question.range,
        order_by=question[_ORDER],
        search=None,
        first=question[_COMMANDS_LIMIT],
        after=None,
    )
    return documents.PopularCommands(
        documents.commands_of(page.rows), page.total_count, documents.Period.of(question.range)
    )


async def _command(question: Question) -> documents.CommandStatistics:
    name = stored_name(question[_COMMAND])
    stats = await question.questions.command_stats(name, question.range)
    if not stats.executions and not stats.errors_by_type:
        raise ProblemError(
            404,
            "NOT_FOUND",
            f"No statistics found for this command from {question.range.first_day} to "
            f"{question.range.last_day}: ask for other days, or see commands/popular.",
        )
    return documents.CommandStatistics.of(stats, question.range)


async def _errors(question: Question) -> documents.ErrorPatterns:
    error_type = question[_ERROR_TYPE]
    page = await question.questions.error_patterns(
        question.range,
        error_type=None if error_type is None else stored_name(error_type),
        fingerprint=None,
        search=None,
        first=question[_PATTERNS_LIMIT],
        after=None,
    )
    return documents.ErrorPatterns(
        documents.patterns_of(page.rows),
        error_type or "all",
        page.total_count,
        documents.Period.of(question.range),
    )


async def _user(question: Question) -> documents.UserActivity:
    asked, principal = question[_USER], question.principal
    if not principal.sees_all and not is_own(question.source, principal, asked):
        raise ProblemError(
            403, "FORBIDDEN", "You may ask for your own activity only: put your own id in the path."
        )
    stored = principal.sees_all and is_stored(asked)
    activity = await question.questions.user_activity(asked, question.range, stored=stored)
    if activity.last_seen is None:
        raise ProblemError(
            404,
            "NOT_FOUND",
            f"No activity found for this user from {question.range.first_day} to "
            f"{question.range.last_day}: ask for other days.",
        )
    actions = await question.questions.user_actions(asked, question.range, stored=stored)
    return documents.UserActivity.of(activity, actions, question.range)


OPERATIONS = (
    Operation(
        "getDashboard",
        "/dashboard",
        "A period at a glance: totals, the 5 most executed commands, the 5 most frequent errors",
        Rule.ADMIN,
        documents.Dashboard,
        examples.DASHBOARD,
        _dashboard,
        START,
        END,
    ),
    Operation(
        "getPopularCommands",
        "/commands/popular",
        "Commands, the most executed first",
        Rule.ADMIN,
        documents.PopularCommands,
        examples.POPULAR_COMMANDS,
        _popular_commands,
        START,
        END,
        (_COMMANDS_LIMIT, _ORDER),
    ),
    Operation(
        "getCommandStats",
        "/commands/{commandName}",
        "Everything about one command",
        Rule.ADMIN,
        documents.CommandStatistics,
        examples.COMMAND_STATISTICS,
        _command,
        START,
        END,
        (_COMMAND,),
    ),
    Operation(
        "getErrorPatterns",
        "/errors",
        "Error patterns, the most frequent first",
        Rule.ADMIN,
        documents.ErrorPatterns,
        examples.ERROR_PATTERNS,
        _errors,
        START,
        END,
        (_ERROR_TYPE, _PATTERNS_LIMIT),
    ),
    Operation(
        "getUserActivity",
        "/users/{userId}",
        "What one user did: anybody for an admin, only themselves for a user",
        Rule.OWN,
        documents.UserActivity,
        examples.USER_ACTIVITY,
        _user,
        _START_MOMENT,
        _END_MOMENT,
        (_USER,),
    ),
)
