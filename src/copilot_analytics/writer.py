"""Who writes: the identity that makes every batch's effect exactly-once."""

from __future__ import annotations

import itertools

from ._forking import renew_in_children
from .ids import new_id

__all__ = ["Writer"]


class Writer:
    """A writer's id and the numbers it gives to its events: rising, and never used twice.

    One lives in each process that records, and is used by its recorder's thread alone. The id is
    new with every start and in every forked child, so that the numbers may begin at 1.

    Attributes:
        id: a ULID.
    """

    __slots__ = ("__weakref__", "_numbers", "id")

    def __init__(self) -> None:
        self.renew_in_child()
        renew_in_children(self)

    def renew_in_child(self) -> None:
        """Become another writer: a new id, and numbers from 1; called after a fork."""
        self.id = new_id()
        self._numbers = itertools.count(1)

    def next_sequence(self) -> int:
        """Return the next number."""
        return next(self._numbers)

    def next_sequences(self, count: int) -> list[int]:
        """Return the next numbers, so many."""
        return list(itertools.islice(self._numbers, count))
