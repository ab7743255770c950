"""How the contract of stores makes the stores that it tests."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path

from .store_samples import NOW_MS
from .stores.base import Store
from .testing import FakeClock
from .typing import Clock

__all__ = ["Contract"]


class Contract(ABC):
    """What every store must do. Each test has a store of its own, at a place of its own.

    Attributes:
        shared: whether two stores made for one place hold the same.
        atomic: whether a write is there as a whole or not at all, also for who reads meanwhile; a
            `remote` store need not be.
        corrects: whether it can correct rollups by a recount; it need not be able to.
    """

    shared = True
    atomic = True
    corrects = True

    @abstractmethod
    def make_store(self, place: Path, clock: Clock) -> Store:
        """Return a store that keeps what it holds at `place`, a directory of the test's own."""

    @contextlib.contextmanager
    def _opened(self, place: Path, clock: Clock | None = None) -> Iterator[Store]:
        with self.make_store(place, clock or FakeClock(NOW_MS)) as store:
            yield store
