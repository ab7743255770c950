"""The table is made once, whatever happens meanwhile; every difference of a live one is told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from copilot_analytics.errors import StoreError, StoreUnavailableError
from copilot_analytics.stores import _dynamodb_provisioning as provisioning
from copilot_analytics.stores._dynamodb_client import DynamoDBClient
from copilot_analytics.stores._dynamodb_errors import TableMissing
from copilot_analytics.stores._dynamodb_provisioning import create, differences
from copilot_analytics.stores._dynamodb_table import PROJECTED, TTL, definition

from .dynamodb_engines import Engine
from .faulty_proxy import Answer, FaultyProxy, Pass

MISSING = Answer.error("ResourceNotFoundException", "Requested resource not found")


@pytest.fixture
def proxy(engine: Engine) -> Iterator[FaultyProxy]:
    with FaultyProxy(engine.endpoint_url) as proxy:
        yield proxy


@pytest.fixture
def client(engine: Engine, proxy: FaultyProxy) -> Iterator[DynamoDBClient]:
    client = DynamoDBClient(engine.new_table_name(), endpoint_url=proxy.url)
    yield client
    client.close()


def described(status: str, index_status: str = "ACTIVE") -> Answer:
    """Return how AWS describes a table on its way."""
    indexes = [{"IndexName": "DateIndex", "IndexStatus": index_status}]
    table = {"TableStatus": status, "GlobalSecondaryIndexes": indexes}
    return Answer(200, json.dumps({"Table": table}))


def operations(proxy: FaultyProxy) -> list[str]:
    return [seen.operation for seen in proxy.seen]


def test_an_index_projects_as_many_names_as_it_can() -> None:
    """More cannot be had, and none can be added later."""
    assert len(set(PROJECTED)) == len(PROJECTED) == 20


def test_a_made_table_is_as_expected(client: DynamoDBClient, proxy: FaultyProxy) -> None:
    """And making it again changes nothing."""
    told: list[str] = []

    assert create(client, told.append) == []
    assert differences(client) == []
    assert told[0] == f"creating the table {client.table} in eu-central-1"
    assert told[-1] == f"the table {client.table} in eu-central-1 is ready"

    told.clear()
    proxy.seen.clear()
    assert create(client, told.append) == []

    assert told[0] == f"the table {client.table} in eu-central-1 exists"
    assert not any(word in name for name in operations(proxy) for word in ("Create", "Update"))


def test_a_missing_table_says_how_to_make_it(client: DynamoDBClient) -> None:
    with pytest.raises(TableMissing, match="run copilot-analytics table create --store 'dynamodb:"):
        differences(client)


def test_an_interrupted_making_is_finished(client: DynamoDBClient) -> None:
    client.call("CreateTable", definition(client.table))

    assert {each.what for each in differences(client)} >= {"TTL"}
    assert create(client) == []


def test_it_waits_until_everything_is_active(client: DynamoDBClient, proxy: FaultyProxy) -> None:
    told: list[str] = []
    proxy.script += [
        MISSING,
        Pass(),
        MISSING,
        described("CREATING", "CREATING"),
        described("ACTIVE", "CREATING"),
    ]

    create(client, told.append)

    assert operations(proxy)[:6] == ["DescribeTable", "CreateTable", *["DescribeTable"] * 4]
    assert told[1:3] == [
        "waiting: the table is CREATING",
        "waiting: the index DateIndex is CREATING",
    ]


def test_two_may_make_it_at_once(client: DynamoDBClient, proxy: FaultyProxy) -> None:
    create(client)
    proxy.script.append(MISSING)

    assert create(client) == []


def test_a_refused_making_is_told(client: DynamoDBClient, proxy: FaultyProxy) -> None:
    refusal = Answer.error(
        "AccessDeniedException", "not authorized to perform: dynamodb:CreateTable"
    )
    proxy.script += [MISSING, refusal]

    with pytest.raises(StoreUnavailableError, match="does not permit dynamodb:CreateTable"):
        create(client)
    proxy.script += [MISSING, Answer.error("ValidationException", "No")]
    with pytest.raises(StoreError, match="CreateTable was refused"):
        create(client)


def test_backups_that_cannot_be_asked_about_are_told(
    client: DynamoDBClient, proxy: FaultyProxy
) -> None:
    """Only an engine without them is passed over."""
    create(client)
    proxy.script += [Pass(), Pass(), Answer.error("ValidationException", "No")]

    with pytest.raises(StoreError, match="DescribeContinuousBackups was refused"):
        differences(client)


def test_a_table_on_its_way_out_is_told(client: DynamoDBClient, proxy: FaultyProxy) -> None:
    proxy.script += [described("DELETING"), described("DELETING")]

    with pytest.raises(StoreError, match="is being deleted; wait until it is gone"):
        create(client)


def test_waiting_is_bounded(
    client: DynamoDBClient, proxy: FaultyProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provisioning, "_WAIT_SECONDS", 0)
    proxy.script += [described("UPDATING"), described("UPDATING")]

    with pytest.raises(StoreUnavailableError, match="after 0 s the table is UPDATING"):
        create(client)


def test_what_cannot_be_switched_on_yet_is_waited_for(
    client: DynamoDBClient, proxy: FaultyProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """AWS refuses backups while it still prepares them."""
    create(client)
    off = {"ContinuousBackupsDescription": {"ContinuousBackupsStatus": "ENABLED"}}
    described_off = Answer(200, json.dumps(off))
    not_yet = Answer.error("ContinuousBackupsUnavailableException", "Backups are being enabled")
    proxy.seen.clear()
    proxy.script += [
        *[Pass()] * 3,
        *[described_off, not_yet] * 2,
        described_off,
        Answer(200, "{}"),
    ]

    create(client)

    assert operations(proxy).count("UpdateContinuousBackups") == 3

    monkeypatch.setattr(provisioning, "_SWITCH_SECONDS", 0)
    proxy.script += [*[Pass()] * 3, described_off, not_yet, described_off]
    with pytest.raises(StoreUnavailableError, match="not ready for UpdateContinuousBackups yet"):
        create(client)


def test_what_was_switched_on_by_a_lost_attempt_is_on(
    client: DynamoDBClient, proxy: FaultyProxy
) -> None:
    """AWS refuses to switch on what is on already."""
    client.call("CreateTable", definition(client.table))
    taken = Answer.error("ValidationException", "TimeToLive is already enabled")
    on = {"TimeToLiveDescription": {"TimeToLiveStatus": "ENABLED", "AttributeName": TTL}}
    off = {"TimeToLiveDescription": {"TimeToLiveStatus": "DISABLED"}}
    proxy.script += [Pass(), Pass(), Answer(200, json.dumps(off)), taken]
    proxy.script += [Answer(200, json.dumps(on))]

    assert [each.what for each in create(client)] == ["TTL"]  # it was not really switched on

    proxy.script += [Pass(), Pass(), Answer(200, json.dumps(off)), taken]
    with pytest.raises(StoreError, match="UpdateTimeToLive was refused"):
        create(client)


def test_every_difference_is_told(client: DynamoDBClient) -> None:
    """Each with what was expected, what is there and what to do."""
    throughput = {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1}
    request: dict[str, Any] = {
        "TableName": client.table,
        "AttributeDefinitions": [
            {"AttributeName": "pk", "AttributeType": "S"},
            {"AttributeName": "dateShard", "AttributeType": "N"},
        ],
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
        "GlobalSecondaryIndexes": [
            {
                "IndexName": "DateIndex",
                "KeySchema": [{"AttributeName": "dateShard", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "KEYS_ONLY"},
                "ProvisionedThroughput": throughput,
            }
        ],
        "ProvisionedThroughput": throughput,
    }
    client.call("CreateTable", request)

    told = {each.what: each for each in differences(client)}

    expected = [
        "keys of the table",
        "index DateIndex",
        "index EventTypeIndex",
        "index StatsIndex",
        "billing",
        "encryption",
        "TTL",
    ]
    assert list(told)[:7] == expected
    assert list(told)[7:] in ([], ["point-in-time recovery"])  # dynoxide has none
    assert (told["keys of the table"].expected, told["keys of the table"].found) == (
        "PK (S, HASH), SK (S, RANGE)",
        "pk (S, HASH)",
    )
    assert told["index DateIndex"].found == "dateShard (N, HASH); KEYS_ONLY"
    assert told["index StatsIndex"].found == "missing"
    assert told["index StatsIndex"].expected.startswith(
        "statsMonth (S, HASH), statsDay (S, RANGE); INCLUDE of c1, c10, "
    )
    assert told["billing"].remedy.startswith(
        f"run aws dynamodb update-table --table-name {client.table} --billing-mode PAY_PER_REQUEST"
    )
    assert all(each.remedy for each in told.values())
    left = [each.what for each in create(client)]
    assert left == expected[:6]


def test_ttl_on_another_attribute_is_left_and_told(client: DynamoDBClient) -> None:
    """What expires by it is somebody's decision."""
    client.call("CreateTable", definition(client.table))
    client.call(
        "UpdateTimeToLive",
        {
            "TableName": client.table,
            "TimeToLiveSpecification": {"AttributeName": "expires", "Enabled": True},
        },
    )

    (told,) = create(client)

    assert (told.what, told.found) == ("TTL", "on the attribute expires")
