"""Where the recorder's thread puts admitted events: straight into the store, or into the spool."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Protocol

from ._accounts import Accounts
from ._admitting import batch_of
from ._delivery import Delivery
from ._waiters import resolve
from .events import AnalyticsEvent

__all__ = ["Direct", "Outlet"]


class Outlet(Protocol):
    """Takes events from the recorder's thread, in order, and counts what becomes of them."""

    @property
    def idle(self) -> bool:
        """Whether everything that was put is settled; asked by any thread, with the lock held."""
        ...

    @property
    def place(self) -> str:
        """Where events wait that outlive the process."""
        ...

    @property
    def failures(self) -> int:
        """How often it could not keep events where it should; asked by any thread."""
        ...

    def prepare(self, count: int) -> None:
        """Get ready for so many more events: called before they are numbered."""
        ...

    def put(self, events: list[AnalyticsEvent]) -> bool:
        """Take at least one event; False if the recorder ends before they could be."""
        ...

    def settle(self, ready: list[Future[bool]]) -> None:
        """Tell those who wait once everything that was put is settled."""
        ...

    def finish(self) -> None:
        """Settle what is left, until the recorder is abandoned."""
        ...

    def forget_in_child(self) -> None:
        """Release in a forked child what is its parent's."""
        ...


class Direct:
    """Writes to the store in the recorder's thread, and returns when it is done.

    Args:
        delivery: writes.
        accounts: count what becomes of the events.
        between: called after each attempt that is to be repeated.
    """

    idle = True
    """What was put is settled: `put` waits for that."""
    place = "nowhere"
    """Nothing outlives the process."""
    failures = 0

    def __init__(
        self, delivery: Delivery, accounts: Accounts, *, between: Callable[[], object]
    ) -> None:
        self._delivery = delivery
        self._accounts = accounts
        self._between = between

    def prepare(self, count: int) -> None:
        """Do nothing."""

    def put(self, events: list[AnalyticsEvent]) -> bool:
        """Have events stored; see `Outlet.put`."""
        delivered = self._delivery.deliver(batch_of(events), between=self._between)
        refused = {"store_refused": delivered.refused} if delivered.refused else {}
        self._accounts.settle(delivered.stored, refused)
        return not delivered.abandoned

    def settle(self, ready: list[Future[bool]]) -> None:
        """Tell those who wait, at once."""
        resolve(ready, True)

    def finish(self) -> None:
        """Do nothing."""

    def forget_in_child(self) -> None:
        """Do nothing."""
