"""Makes the DynamoDB table, and tells in what a live one differs from it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from ..errors import StoreError, StoreUnavailableError
from ._dynamodb_errors import Refused, TableMissing
from ._dynamodb_table import TTL, definition

if TYPE_CHECKING:
    from ._dynamodb_client import DynamoDBClient

__all__ = ["Difference", "create", "differences"]

_WAIT_SECONDS: Final = 600
_SWITCH_SECONDS: Final = 120
_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 3.0  # seconds between two looks at a table that is being made


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing in which a live table is not what is expected.

    Attributes:
        what: what it is about, such as `index StatsIndex`.
        expected: what it should be.
        found: what it is.
        remedy: what to do, as a sentence.
    """

    what: str
    expected: str
    found: str
    remedy: str


def create(
    client: DynamoDBClient, progress: Callable[[str], None] = lambda _: None
) -> list[Difference]:
    """Make the table where there is none, wait until it can be used, and switch on TTL and backups.

    It may be called again, also after it was interrupted. An existing table gets what it lacks of
    TTL and point-in-time recovery, and is otherwise left as it is.

    Args:
        client: names the table.
        progress: is told each step, as a sentence without a full stop.

    Returns:
        What still differs, which is nothing for a table that this made.

    Raises:
        StoreUnavailableError: it cannot be reached, or lacks a permission, or takes too long.
        StoreError: it is being deleted, or cannot be made.
    """
    name = f"the table {client.table} in {client.region}"
    try:
        _described(client)
    except TableMissing:
        progress(f"creating {name}")
        try:
            client.call("CreateTable", definition(client.table))
        except Refused as exc:
            if exc.code != "ResourceInUseException":  # somebody else was faster
                raise
    else:
        progress(f"{name} exists")
    _wait(client, progress)
    if _expiry(client) is None:
        progress(f"enabling TTL on the attribute {TTL}")
        on = {"TimeToLiveSpecification": {"AttributeName": TTL, "Enabled": True}}
        _switch(client, "UpdateTimeToLive", on, lambda: _expiry(client) == TTL)
    recovery = _recovery(client)
    if recovery is None:
        progress("left out point-in-time recovery, which this engine does not have")
    elif not recovery:
        progress("enabling point-in-time recovery")
        on = {"PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True}}
        _switch(client, "UpdateContinuousBackups", on, lambda: _recovery(client) is True)
    progress(f"{name} is ready")
    return differences(client)


def differences(client: DynamoDBClient) -> list[Difference]:
    """Return in what the live table differs from what it should be; what to do about it each time.

    Raises:
        StoreUnavailableError: it is not there or cannot be reached, or a permission lacks.
    """
    found = _described(client)
    differing = [*_of_keys(found), *_of_indexes(found), *_of_settings(found)]
    again = f"run copilot-analytics table create --store '{client.url}', which switches it on"
    attribute = _expiry(client)
    if attribute is None:
        differing.append(Difference("TTL", f"on the attribute {TTL}", "off", again))
    elif attribute != TTL:
        found_on, expected_on = (f"on the attribute {name}" for name in (attribute, TTL))
        first = "disable it there (aws dynamodb update-time-to-live), wait an hour, and "
        differing.append(Difference("TTL", expected_on, found_on, first + again))
    if _recovery(client) is False:
        differing.append(Difference("point-in-time recovery", "on", "off", again))
    return differing


def _described(client: DynamoDBClient) -> dict[str, Any]:
    table: dict[str, Any] = client.call("DescribeTable", {"TableName": client.table})["Table"]
    return table


def _wait(client: DynamoDBClient, progress: Callable[[str], None]) -> None:
    deadline = time.monotonic() + _WAIT_SECONDS
    pause = _FIRST_PAUSE
    told = ""
    while True:
        try:
            found: Mapping[str, Any] = _described(client)
        except TableMissing:  # what was just created may not show yet
            found = {"TableStatus": "CREATING"}
        status = found["TableStatus"]
        if status == "DELETING":
            raise StoreError(
                client.url, "the table is being deleted", "wait until it is gone and run it again"
            )
        waiting = [f"the table is {status}"] if status != "ACTIVE" else []
        waiting += [
            f"the index {index['IndexName']} is {index['IndexStatus']}"
            for index in found.get("GlobalSecondaryIndexes", ())
            if index.get("IndexStatus", "ACTIVE") != "ACTIVE"
        ]
        if not waiting:
            return
        if waiting[0] != told:
            told = waiting[0]
            progress(f"waiting: {told}")
        if time.monotonic() >= deadline:
            raise StoreUnavailableError(
                client.url,
                f"after {_WAIT_SECONDS} s {told}",
                "see the table in the AWS console, and run the same command again",
            )
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)


def _switch(
    client: DynamoDBClient, operation: str, setting: Mapping[str, Any], is_on: Callable[[], bool]
) -> None:
    """Switch a setting on, which a table may refuse for its first minute.

    It also refuses what is on already, such as by an attempt whose answer was lost.
    """
    deadline = time.monotonic() + _SWITCH_SECONDS
    pause = _FIRST_PAUSE
    while True:
        try:
            client.call(operation, {"TableName": client.table, **setting})
        except Refused as exc:
            if is_on():
                return
            if exc.code != "ContinuousBackupsUnavailableException":
                raise
            if time.monotonic() >= deadline:
                raise StoreUnavailableError(
                    client.url,
                    f"the table is not ready for {operation} yet",
                    "run the same command again in some minutes",
                ) from exc
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
        else:
            return


def _expiry(client: DynamoDBClient) -> str | None:
    """Return the attribute that TTL is on, or None where it is off."""
    told = client.call("DescribeTimeToLive", {"TableName": client.table})
    description = told.get("TimeToLiveDescription", {})
    on = description.get("TimeToLiveStatus") in {"ENABLED", "ENABLING"}
    return str(description["AttributeName"]) if on else None


def _recovery(client: DynamoDBClient) -> bool | None:
    """Whether point-in-time recovery is on; None where the engine knows no such thing."""
    try:
        told = client.call("DescribeContinuousBackups", {"TableName": client.table})
    except Refused as exc:
        if exc.code == "UnknownOperationException":
            return None
        raise
    description = told["ContinuousBackupsDescription"].get("PointInTimeRecoveryDescription", {})
    return bool(description.get("PointInTimeRecoveryStatus") == "ENABLED")


def _of_keys(found: Mapping[str, Any]) -> Iterator[Difference]:
    expected, live = _shown_keys(definition("")), _shown_keys(found)
    if live != expected:
        yield Difference(
            "keys of the table",
            expected,
            live,
            "keys cannot be changed: create a table of another name and point the store to it",
        )


def _of_indexes(found: Mapping[str, Any]) -> Iterator[Difference]:
    live = {index["IndexName"]: index for index in found.get("GlobalSecondaryIndexes", ())}
    types = _types(found)
    for index in definition("")["GlobalSecondaryIndexes"]:
        name, expected = index["IndexName"], _shown_index(index, _types(definition("")))
        if name not in live:
            remedy = "add it (aws dynamodb update-table, or the console)"
            yield Difference(f"index {name}", expected, "missing", remedy)
        elif (shown := _shown_index(live[name], types)) != expected:
            remedy = "delete it and add it again: an index cannot be changed"
            yield Difference(f"index {name}", expected, shown, remedy)


def _of_settings(found: Mapping[str, Any]) -> Iterator[Difference]:
    update = f"run aws dynamodb update-table --table-name {found['TableName']}"
    billing = found.get("BillingModeSummary", {}).get("BillingMode", "PROVISIONED")
    if billing != "PAY_PER_REQUEST":
        yield Difference(
            "billing",
            "PAY_PER_REQUEST",
            billing,
            f"{update} --billing-mode PAY_PER_REQUEST, or provision what docs/dynamodb.md reckons",
        )
    encryption = found.get("SSEDescription", {})
    key = encryption.get("SSEType") if encryption.get("Status") in {"ENABLED", "UPDATING"} else None
    if key != "KMS":
        yield Difference(
            "encryption",
            "a key of AWS KMS",
            "a key of DynamoDB's own",
            f"{update} --sse-specification Enabled=true,SSEType=KMS",
        )


def _types(described: Mapping[str, Any]) -> dict[str, str]:
    return {
        attribute["AttributeName"]: attribute["AttributeType"]
        for attribute in described["AttributeDefinitions"]
    }


def _shown_keys(described: Mapping[str, Any], types: Mapping[str, str] | None = None) -> str:
    """Show a key schema as `PK (S, HASH), SK (S, RANGE)`, the partition first."""
    types = types or _types(described)
    keys = sorted((key["KeyType"], key["AttributeName"]) for key in described["KeySchema"])
    return ", ".join(f"{name} ({types.get(name)}, {kind})" for kind, name in keys)


def _shown_index(index: Mapping[str, Any], types: Mapping[str, str]) -> str:
    projection = index["Projection"]
    names = ", ".join(sorted(projection.get("NonKeyAttributes", ())))
    shown = f"{projection['ProjectionType']}{f' of {names}' if names else ''}"
    return f"{_shown_keys(index, types)}; {shown}"
