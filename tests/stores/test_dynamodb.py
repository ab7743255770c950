"""The contract, for the DynamoDB store on every engine that is present."""

from __future__ import annotations

from pathlib import Path

import pytest

from copilot_analytics.store_contract import StoreContract
from copilot_analytics.stores import Store
from copilot_analytics.stores._dynamodb_client import DynamoDBClient
from copilot_analytics.stores._dynamodb_table import definition
from copilot_analytics.stores.dynamodb import DynamoDBStore
from copilot_analytics.typing import Clock

from .dynamodb_engines import Engine


class TestDynamoDBStore(StoreContract):
    atomic = False
    corrects = False

    @pytest.fixture(autouse=True)
    def _table(self, engine: Engine) -> None:  # pyright: ignore[reportUnusedFunction]
        """Give each test a table of its own."""
        self._engine = engine
        self._name = engine.new_table_name()
        client = DynamoDBClient(self._name, endpoint_url=engine.endpoint_url)
        client.call("CreateTable", definition(self._name))
        client.close()

    def test_reads_see_whole_batches_while_others_write(self, tmp_path: Path) -> None:
        """Here of each row; and only where the engine itself loses nothing."""
        if not self._engine.atomic_add:
            pytest.skip(f"{self._engine.name} loses concurrent updates")
        super().test_reads_see_whole_batches_while_others_write(tmp_path)

    def make_store(self, place: Path, clock: Clock) -> Store:
        return DynamoDBStore(
            self._name,
            endpoint_url=self._engine.endpoint_url,
            # Each shard is a query more, and moto sorts the whole table for each.
            shards=1 if self._engine.name == "moto" else 4,
            clock=clock,
        )
