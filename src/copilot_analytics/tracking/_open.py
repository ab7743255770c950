"""Which connections are open now."""

from __future__ import annotations

from .._forking import renew_in_children

__all__ = ["OpenConnections"]


class OpenConnections:
    """Counts the connections that are open now, of all trackers of one process. Thread-safe.

    A forked child begins anew: its parent's connections are its parent's.
    """

    __slots__ = ("__weakref__", "_any", "_open")

    def __init__(self) -> None:
        self._any = False
        # Its operations are atomic, so that threads need no lock.
        self._open: set[str] = set()
        renew_in_children(self)

    @property
    def count(self) -> int | None:
        """How many; None as long as there never was one, as in a process that tracks none."""
        return len(self._open) if self._any else None

    def opened(self, key: str) -> None:
        """Note that a connection was accepted, by a key of its own."""
        self._any = True
        self._open.add(key)

    def closed(self, key: str) -> None:
        """Note that it ended; nothing where it was never accepted."""
        self._open.discard(key)

    def renew_in_child(self) -> None:
        """Forget the parent's connections."""
        self._any = False
        self._open = set()
