"""Who writes: the identity that makes every batch's effect exactly-once."""

from __future__ import annotations

from ._forking import renew_in_children
from .ids import short_id

__all__ = ["Writer"]


class Writer:
    """A writer's id and the numbers it gives to its events: rising, and never used twice.

    One lives in each process that records, and is used by its recorder's thread alone. The id is
    new with every start and in every forked child, so that the numbers may begin at 1; unless the
    process goes on under an id that is kept in a spool, see `assume`.

    Attributes:
        id: 12 characters.
        last: the number given last.
    """

    __slots__ = ("__weakref__", "id", "last")

    def __init__(self) -> None:
        self.renew()
        renew_in_children(self)

    def renew(self) -> None:
        """Become another writer: a new id, and numbers from 1."""
        self.id = short_id()
        self.last = 0

    def renew_in_child(self) -> None:
        """Become another writer; called after a fork."""
        self.renew()

    def assume(self, identifier: str, last: int) -> None:
        """Become a writer that is kept, and whose numbers up to `last` may have been used."""
        self.id = identifier
        self.last = last

    def next_sequence(self) -> int:
        """Return the next number."""
        self.last += 1
        return self.last

    def next_sequences(self, count: int) -> range:
        """Return the next numbers, so many."""
        first = self.last + 1
        self.last += count
        return range(first, first + count)
