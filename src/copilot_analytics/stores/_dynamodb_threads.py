"""Does many things at once: requests to DynamoDB wait for the network, not for this process."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Generic, TypeVar

from ..errors import StoreUnavailableError

__all__ = ["Threads"]

T = TypeVar("T")
R = TypeVar("R")


class Threads:
    """Threads that help whoever has much to do.

    They are started for each call and end with it: that takes less time than one request, and so
    nothing has to be closed, or made anew in a forked child, and nothing holds up the end of the
    process. The caller does its part, so a call goes on also where there is no help to be had:
    within another one, or while the interpreter shuts down.

    Args:
        limit: how many help at once, all callers together.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.renew()

    def renew(self) -> None:
        """Forget the parent's threads, which a forked child does not have."""
        self._free = threading.Semaphore(self._limit)

    def each(self, function: Callable[[T], R], items: Iterable[T]) -> list[R]:
        """Call the function with each item, several at once, and return the results in order.

        It returns when all calls have ended. After a `StoreUnavailableError` no further one is
        begun; other errors leave the rest of the items to be done.

        Raises:
            Exception: what the function raised, for the first item for which it did.
        """
        work = _Work(function, list(items))
        helpers = []
        for _ in range(len(work.items) - 1):
            helper = self._help(work)
            if helper is None:
                break
            helpers.append(helper)
        work.do()
        for helper in helpers:
            helper.join()
        return work.results()

    def _help(self, work: _Work[T, R]) -> threading.Thread | None:
        free = self._free
        if not free.acquire(blocking=False):
            return None

        def help_out() -> None:
            try:
                work.do()
            finally:
                free.release()

        thread = threading.Thread(target=help_out, name="copilot-analytics-dynamodb", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # no threads any more: the interpreter shuts down
            free.release()
            return None
        return thread


class _Work(Generic[T, R]):
    """What is to be done, shared by those who do it."""

    def __init__(self, function: Callable[[T], R], items: Sequence[T]) -> None:
        self.items = items
        self._function = function
        self._lock = threading.Lock()
        self._next = 0
        self._results: dict[int, R] = {}
        self._errors: dict[int, BaseException] = {}

    def do(self) -> None:
        """Do what nobody has begun, until nothing is left."""
        while (index := self._begin()) is not None:
            try:
                self._results[index] = self._function(self.items[index])
            except BaseException as exc:  # for the caller, whose thread this may not be
                self._errors[index] = exc
                if isinstance(exc, StoreUnavailableError):
                    self._next = len(self.items)

    def results(self) -> list[R]:
        """Return the results, or raise the first item's error, once everybody has ended."""
        if self._errors:
            raise self._errors[min(self._errors)]
        return [self._results[index] for index in range(len(self.items))]

    def _begin(self) -> int | None:
        with self._lock:
            index = self._next
            if index >= len(self.items):
                return None
            self._next = index + 1
            return index
