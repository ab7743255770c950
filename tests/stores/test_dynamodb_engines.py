"""The engines do what the tests on them rely on."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
import pytest

from .dynamodb_engines import Engine

KEY = {"PK": {"S": "a"}, "SK": {"S": "b"}}


@pytest.fixture
def client(engine: Engine) -> Any:
    return boto3.client("dynamodb", endpoint_url=engine.endpoint_url)


def make_table(client: Any, name: str) -> None:
    client.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in ("PK", "SK")],
        KeySchema=[
            {"AttributeName": "PK", "KeyType": "HASH"},
            {"AttributeName": "SK", "KeyType": "RANGE"},
        ],
    )


def test_a_refused_condition_tells_what_the_item_holds(engine: Engine, client: Any) -> None:
    """Exactly-once writes resume from the mark that the refusal shows."""
    table = engine.new_table_name()
    make_table(client, table)
    client.put_item(TableName=table, Item={**KEY, "w_one": {"N": "7"}})

    with pytest.raises(client.exceptions.ConditionalCheckFailedException) as refused:
        client.update_item(
            TableName=table,
            Key=KEY,
            UpdateExpression="SET #w = :last ADD #n :one",
            ConditionExpression="attribute_not_exists(#w) OR #w < :last",
            ExpressionAttributeNames={"#w": "w_one", "#n": "count"},
            ExpressionAttributeValues={":last": {"N": "7"}, ":one": {"N": "1"}},
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )

    assert refused.value.response["Item"] == {**KEY, "w_one": {"N": "7"}}


def test_one_update_changes_hundreds_of_attributes(engine: Engine, client: Any) -> None:
    """As many as an expression of 4 KB holds, which a copilot's busiest row needs."""
    table = engine.new_table_name()
    make_table(client, table)
    numbers = range(380)

    client.update_item(
        TableName=table,
        Key=KEY,
        UpdateExpression="ADD " + ",".join(f"#{n:x} :{n:x}" for n in numbers),
        ExpressionAttributeNames={f"#{n:x}": f"h{n}" for n in numbers},
        ExpressionAttributeValues={f":{n:x}": {"N": str(n)} for n in numbers},
    )

    item = client.get_item(TableName=table, Key=KEY)["Item"]
    assert item == {**KEY, **{f"h{n}": {"N": str(n)} for n in numbers}}


def test_concurrent_adds_all_count(engine: Engine, client: Any) -> None:
    """Where an engine says so."""
    if not engine.atomic_add:
        pytest.skip(f"{engine.name} loses concurrent updates")
    table = engine.new_table_name()
    make_table(client, table)

    def add(_: int) -> None:
        client.update_item(
            TableName=table,
            Key=KEY,
            UpdateExpression="ADD #n :one",
            ExpressionAttributeNames={"#n": "count"},
            ExpressionAttributeValues={":one": {"N": "1"}},
        )

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(add, range(100)))

    item = client.get_item(TableName=table, Key=KEY, ConsistentRead=True)["Item"]
    assert item["count"] == {"N": "100"}
