"""What all processes that use a DynamoDB table have to agree on, kept in an item of the table."""

from __future__ import annotations

from contextlib import suppress

from ..errors import StoreSchemaError
from ._dynamodb_client import DynamoDBClient
from ._dynamodb_errors import ConditionFailed
from ._dynamodb_items import Item, number
from ._dynamodb_keys import SETTINGS_KEY
from ._dynamodb_queries import get
from ._dynamodb_updates import Update

__all__ = ["VERSION", "Settings"]

VERSION = 1
"""Of the items' shapes: raised when older code could no longer read them."""

_SHARDS = "shards"
_VERSION = "version"


class Settings:
    """The settings of a table: the version of its items, and the most shards ever used.

    Events stay in the shard that they were put into, so whoever looks for them has to look into as
    many as any process has ever spread them over. Thread-safe.

    Args:
        client: the table; not owned.
        shards: over how many this process spreads its own.
    """

    def __init__(self, client: DynamoDBClient, *, shards: int) -> None:
        self._client = client
        self._own = shards

    def agree(self) -> None:
        """Check the version, and make this process's shards known.

        Raises:
            StoreSchemaError: the table is of a newer version.
        """
        item = self._read()
        if _number(item, _VERSION) > VERSION:
            raise StoreSchemaError(
                self._client.url,
                f"the table is of version {_number(item, _VERSION)}, this code knows {VERSION}",
                "upgrade copilot-analytics",
            )
        if _number(item, _SHARDS) >= self._own:
            return
        own = number(self._own)
        update = Update(SETTINGS_KEY)
        update.set(_SHARDS, own)
        update.set_once(_VERSION, number(VERSION))
        update.require_absent_or(_SHARDS, [(_SHARDS, "<", own)])
        with suppress(ConditionFailed):  # another process has made more of them known
            self._client.call("UpdateItem", update.request(self._client.table))

    def shards(self) -> int:
        """Return over how many shards any process has ever spread what it wrote, at most."""
        return max(self._own, _number(self._read(), _SHARDS))

    def _read(self) -> Item:
        return get(self._client, SETTINGS_KEY, consistent=True) or {}


def _number(item: Item, attribute: str) -> int:
    value = item.get(attribute)
    return 0 if value is None else int(value["N"])
