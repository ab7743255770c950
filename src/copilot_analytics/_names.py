"""The names of a kind that were admitted, which are limited by UTC day."""

from __future__ import annotations

from collections.abc import Callable

from ._values import checked_name

__all__ = ["OTHER", "Names"]

OTHER = "(other)"
"""The name of what comes after the first 1,000 different names of a kind and day."""


class Names:
    """The different names of one kind that were admitted, by UTC day."""

    __slots__ = ("_days", "_key", "_limit", "_skip", "_today")

    def __init__(self, key: str, limit: int, skip: Callable[[str], None]) -> None:
        self._key = key
        self._limit = limit
        self._skip = skip
        self._days: dict[int, set[str]] = {}
        self._today: set[str] = set()

    def admit(self, value: object) -> str:
        """Return the name to keep for a value."""
        if type(value) is str and value in self._today:
            return value
        return self.counted(checked_name(value))

    def today(self) -> set[str]:
        """Return the names that were admitted on the day."""
        return self._today

    def counted(self, name: str) -> str:
        """Return a name, or `OTHER` if it is one too many."""
        if name not in self._today:
            if len(self._today) >= self._limit:
                self._skip(f"over_limit:{self._key}")
                return OTHER
            self._today.add(name)
        return name

    def turn_to(self, day: int, oldest: int) -> None:
        """Go on with the names of a day; a new one makes those before the oldest forgotten."""
        today = self._days.get(day)
        if today is None:
            for past in [past for past in self._days if past < oldest]:
                del self._days[past]
            today = self._days[day] = set()
        self._today = today
