"""The options that commands share, and the store that they mean."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Self

import typer

from ..answers import Answers
from ..config import AnalyticsConfig
from ..errors import QuestionError, StoreUnavailableError
from ..identity import Pseudonymiser, is_pseudonym
from ..periods import DateRange, day_of, parse_day
from ..stores import SQLiteStore, Store, open_store
from ..typing import Clock, SystemClock

__all__ = [
    "DaysOption",
    "FromOption",
    "JSONOption",
    "LimitOption",
    "Opened",
    "SearchOption",
    "StoreOption",
    "ToOption",
    "open_configured",
    "range_of",
    "settings",
]

StoreOption = Annotated[
    str | None,
    typer.Option(
        "--store",
        metavar="URL",
        help="Where events are kept, such as sqlite:///copilot-analytics.db.",
        show_default="COPILOT_ANALYTICS_STORE, else sqlite:///copilot-analytics.db",
    ),
]
FromOption = Annotated[
    str | None,
    typer.Option("--from", metavar="DATE", help="The first day, UTC.", show_default="29 days ago"),
]
ToOption = Annotated[
    str | None,
    typer.Option("--to", metavar="DATE", help="The last day, UTC.", show_default="today"),
]
DaysOption = Annotated[
    int | None,
    typer.Option(
        "--days", min=1, max=400, help="This many days, instead of --from.", show_default="30"
    ),
]
JSONOption = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
LimitOption = Annotated[int, typer.Option("--limit", min=1, max=1000, help="At most so many rows.")]
SearchOption = Annotated[
    str | None, typer.Option("--search", metavar="TEXT", help="Only what contains this text.")
]


@dataclass(frozen=True, slots=True)
class Opened:
    """A store, and what is asked of it.

    Attributes:
        config: the settings it was opened with.
        store: the store.
        clock: the machine's.
        answers: answers questions from it.
    """

    config: AnalyticsConfig
    store: Store
    clock: Clock
    answers: Answers

    @classmethod
    def of(cls, config: AnalyticsConfig, clock: Clock) -> Self:
        """Return the store of some settings, before it is opened.

        Raises:
            ConfigurationError: its URL cannot be used.
            MissingDependencyError: its extra is not installed.
        """
        store = open_store(
            config.store,
            clock=clock,
            event_retention_days=config.event_retention_days,
            rollup_retention_days=config.rollup_retention_days,
        )
        kept = config.rollup_retention_days
        return cls(config, store, clock, Answers(store, clock, rollup_retention_days=kept))

    def stored_user_id(self, user_id: str) -> str:
        """Return the stored form of an id that the application knows, or that answers show."""
        if is_pseudonym(user_id):
            return user_id
        return Pseudonymiser(self.config.pseudonymise_key).stored(user_id)


def settings(store: str | None = None) -> AnalyticsConfig:
    """Return the settings of the environment, with the store that was named if one was.

    Raises:
        ConfigurationError: a setting cannot be used.
    """
    return AnalyticsConfig.from_env(**({} if store is None else {"store": store}))


@contextmanager
def open_configured(store: str | None) -> Iterator[Opened]:
    """Open the store that is meant, which has to be there, and close it in the end.

    Args:
        store: its URL; the environment's by default.

    Raises:
        ConfigurationError: a setting cannot be used.
        StoreUnavailableError: it is not there: no command but those that record makes one.
        StoreError: it cannot be opened.
    """
    opened = Opened.of(settings(store), SystemClock())
    if isinstance(opened.store, SQLiteStore) and not opened.store.path.exists():
        raise StoreUnavailableError(
            opened.store.url,
            f"there is no file {opened.store.path}",
            "start your application with this store, or name the one it records to with --store",
        )
    with opened.store:
        yield opened


def range_of(start: str | None, end: str | None, days: int | None) -> DateRange:
    """Return the range that `--from`, `--to` and `--days` mean, as of now.

    Raises:
        QuestionError: there is no such range, or `--from` and `--days` are both given.
    """
    now_ms = SystemClock().now_ms()
    if days is None:
        return DateRange.of(start, end, now_ms=now_ms)
    if start is not None:
        raise QuestionError("days", days, "give --from or --days, not both")
    last = parse_day("end", end or day_of(now_ms))
    try:
        return DateRange(last - dt.timedelta(days=days - 1), last)
    except OverflowError:
        raise QuestionError("end", end, "give a later date") from None
