"""Queries of the DynamoDB table and its indexes, page by page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ._dynamodb_client import DynamoDBClient
from ._dynamodb_items import Item
from ._dynamodb_keys import Key
from ._dynamodb_table import PARTITION_KEY, SORT_KEY
from ._dynamodb_updates import item_key

__all__ = ["Query", "get", "items", "pages"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """Which items: of one partition, all or those between two sort keys, in their order.

    Attributes:
        partition: the partition key.
        between: the first and the last sort key, both inclusive; None is all.
        index: the index; None is the table.
        names: the attributes of the partition key and the sort key.
        backwards: from the last to the first.
        consistent: whether everything that was confirmed is seen; for the table alone, at twice
            the price.
        page_size: how many items a page has at most; None is what fits into 1 MB.
    """

    partition: str
    between: tuple[str, str] | None = None
    index: str | None = None
    names: tuple[str, str] = (PARTITION_KEY, SORT_KEY)
    backwards: bool = False
    consistent: bool = False
    page_size: int | None = None

    def request(self, table: str) -> dict[str, Any]:
        """Return the request for the first page, of a table of this name."""
        partition, sort = self.names
        request: dict[str, Any] = {
            "TableName": table,
            "KeyConditionExpression": "#p=:p",
            "ExpressionAttributeNames": {"#p": partition},
            "ExpressionAttributeValues": {":p": {"S": self.partition}},
            "ScanIndexForward": not self.backwards,
        }
        if self.between is not None:
            low, high = self.between
            request["KeyConditionExpression"] += " AND #s BETWEEN :low AND :high"
            request["ExpressionAttributeNames"]["#s"] = sort
            request["ExpressionAttributeValues"] |= {":low": {"S": low}, ":high": {"S": high}}
        if self.index is not None:
            request["IndexName"] = self.index
        if self.consistent:
            request["ConsistentRead"] = True
        if self.page_size is not None:
            request["Limit"] = self.page_size
        return request


def pages(client: DynamoDBClient, query: Query) -> Iterator[list[Item]]:
    """Yield the items of a query a page at a time; a page may be empty, also before the last."""
    request = query.request(client.table)
    while True:
        answer = client.call("Query", request)
        yield answer["Items"]
        last = answer.get("LastEvaluatedKey")
        if last is None:
            return
        request["ExclusiveStartKey"] = last


def items(client: DynamoDBClient, query: Query) -> Iterator[Item]:
    """Yield the items of a query; each page is read when the one before it is used up."""
    for page in pages(client, query):
        yield from page


def get(client: DynamoDBClient, key: Key, *, consistent: bool = False) -> Item | None:
    """Return an item; None if there is none."""
    request: dict[str, Any] = {"TableName": client.table, "Key": item_key(key)}
    if consistent:
        request["ConsistentRead"] = True
    item: Item | None = client.call("GetItem", request).get("Item")
    return item
