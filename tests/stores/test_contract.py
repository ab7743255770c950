"""The contract, for every store of ours."""

from __future__ import annotations

from pathlib import Path

from copilot_analytics.store_contract import StoreContract
from copilot_analytics.stores import MemoryStore, SQLiteStore, Store
from copilot_analytics.typing import Clock


class TestMemoryStore(StoreContract):
    shared = False

    def make_store(self, place: Path, clock: Clock) -> Store:
        return MemoryStore(clock=clock)


class TestSQLiteStore(StoreContract):
    def make_store(self, place: Path, clock: Clock) -> Store:
        return SQLiteStore(place / "analytics.db", clock=clock)
