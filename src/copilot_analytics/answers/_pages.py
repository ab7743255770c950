"""Ranks rows and cuts pages out of them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable
from typing import TypeVar

from ..errors import QuestionError
from ..queries import MAX_LIMIT
from ..rankings import Page, Position

__all__ = ["check_limit", "ranked", "sought"]

_T = TypeVar("_T")

_MAX_SEARCH = 256


def check_limit(argument: str, limit: int) -> None:
    """Refuse a number of rows that is none, or too many.

    Raises:
        QuestionError: it is not in 1..`MAX_LIMIT`.
    """
    if not 1 <= limit <= MAX_LIMIT:
        raise QuestionError(argument, limit, f"give a number from 1 to {MAX_LIMIT}")


def sought(search: str | None) -> Callable[[str], bool]:
    """Return whether a text contains what is searched for, whatever its case; all do by default.

    Raises:
        QuestionError: it is too long to be in any name.
    """
    if not search:
        return lambda text: True
    if len(search) > _MAX_SEARCH:
        raise QuestionError("search", search, f"give at most {_MAX_SEARCH} characters")
    folded = search.casefold()
    return lambda text: folded in text.casefold()


def ranked(
    rows: Iterable[tuple[str, _T]],
    by: Callable[[str, _T], float | None],
    *,
    first: int,
    after: Position | None = None,
) -> Page[tuple[str, _T]]:
    """Return the rows with the highest figures, ties by name, those without a figure last.

    Args:
        rows: each with its name, which no other has.
        by: the figure of a row, at least 0.
        first: how many at most.
        after: only rows that come after this place.
    """
    places: list[tuple[float, str, _T]] = []
    for name, row in rows:
        figure = by(name, row)
        places.append((1.0 if figure is None else -figure, name, row))
    places.sort(key=_place)
    start = 0
    if after is not None:
        start = bisect_right(places, (-after.value, after.name), key=_place)
    shown = places[start : start + first]
    return Page(
        tuple((name, row) for _, name, row in shown),
        tuple(Position(-below, name) for below, name, _ in shown),
        total_count=len(places),
        has_previous=start > 0,
        has_next=start + first < len(places),
    )


def _place(place: tuple[float, str, object]) -> tuple[float, str]:
    return place[:2]
