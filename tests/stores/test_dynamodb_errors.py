"""What DynamoDB refuses, in AWS's own words, and what is made of it."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from copilot_analytics.errors import StoreError, StoreUnavailableError
from copilot_analytics.stores._dynamodb_client import DynamoDBClient
from copilot_analytics.stores._dynamodb_errors import Cure, Refused, TableMissing, refusal_of

from . import dynamodb_engines
from .faulty_proxy import Answer, FaultyProxy, Rates

SERVICE = "com.amazonaws.dynamodb.v20120810#"
FRONT = "com.amazon.coral.service#"
ARN = "arn:aws:dynamodb:eu-central-1:123456789012:table/the-table"

UNAVAILABLE = [
    (
        SERVICE + "ResourceNotFoundException",
        "Requested resource not found: Table: the-table not found",
        "there is no table 'the-table' in eu-central-1 under these credentials; run "
        "copilot-analytics table create --store 'URL', or correct the table's name, region or "
        "credentials",
    ),
    (
        FRONT + "AccessDeniedException",
        "User: arn:aws:iam::123456789012:user/ada is not authorized to perform: dynamodb:Query on "
        f"resource: {ARN}/index/StatsIndex because no identity-based policy allows the "
        "dynamodb:Query action",
        f"AWS does not permit dynamodb:Query on {ARN}/index/StatsIndex; add it to the policy of "
        "this role or user: copilot-analytics table policy prints the least-privilege one",
    ),
    (
        FRONT + "AccessDeniedException",
        "",
        "AWS does not permit dynamodb:PutItem on the table 'the-table'; add it to the policy of "
        "this role or user: copilot-analytics table policy prints the least-privilege one",
    ),
    (
        FRONT + "ExpiredTokenException",
        "The security token included in the request is expired",
        "the AWS credentials have expired; renew them (aws sso login, or new keys); roles of AWS "
        "renew themselves",
    ),
    (
        FRONT + "UnrecognizedClientException",
        "The security token included in the request is invalid.",
        "AWS does not accept the credentials (UnrecognizedClientException); check the access key, "
        "the secret key and, for temporary ones, the session token",
    ),
    (
        FRONT + "InvalidSignatureException",
        "The request signature we calculated does not match the signature you provided. Check "
        "your AWS Secret Access Key and signing method.",
        "AWS does not accept the credentials (InvalidSignatureException); check the access key, "
        "the secret key and, for temporary ones, the session token",
    ),
    (
        FRONT + "InvalidSignatureException",
        "Credential should be scoped to a valid region, not 'eu-central-1'. ",
        "the endpoint does not belong to the region eu-central-1; correct ?region= in the URL (or "
        "AWS_DEFAULT_REGION), or the endpoint",
    ),
    (
        FRONT + "InvalidSignatureException",
        "Signature not yet current: 20260101T120000Z is still later than 20260101T110000Z",
        "AWS finds the time of the request wrong (InvalidSignatureException); set the clock of "
        "this host by NTP",
    ),
    (
        SERVICE + "ProvisionedThroughputExceededException",
        "The level of configured provisioned throughput for the table was exceeded.",
        "PutItem was refused for now (ProvisionedThroughputExceededException); it is repeated; "
        "where it lasts, see the table's throttling metrics and AWS's health dashboard",
    ),
    (
        FRONT + "ValidationException",
        "The provided key element does not match the schema",
        "the table 'the-table' has other keys or indexes than this product's (The provided key "
        "element does not match the schema); run copilot-analytics table describe --store 'URL' "
        "to see what differs",
    ),
    (
        FRONT + "ValidationException",
        "One or more parameter values were invalid: Missing the key pk in the item",
        "the table 'the-table' has other keys or indexes than this product's (One or more "
        "parameter values were invalid: Missing the key pk in the item); run copilot-analytics "
        "table describe --store 'URL' to see what differs",
    ),
    (
        FRONT + "ValidationException",
        "The table does not have the specified index: StatsIndex",
        "the table 'the-table' has other keys or indexes than this product's (The table does not "
        "have the specified index); run copilot-analytics table describe --store 'URL' to see "
        "what differs",
    ),
]
REFUSED = [
    ("Item size has exceeded the maximum allowed size",) * 2,
    (
        "The parameter cannot be converted to a numeric value: ada@example.com",
        "The parameter cannot be converted to a numeric value",
    ),
    (
        "One or more parameter values were invalid: Input collection [ada, ada] contains "
        "duplicates.",
        "One or more parameter values were invalid: Input collection … contains duplicates.",
    ),
    (
        "1 validation error detected: Value 'ada' at 'key' failed to satisfy constraint",
        "1 validation error detected",
    ),
]


@pytest.fixture
def proxy() -> Iterator[FaultyProxy]:
    with FaultyProxy("http://127.0.0.1:9") as proxy:
        yield proxy


@pytest.fixture
def client(proxy: FaultyProxy, monkeypatch: pytest.MonkeyPatch) -> Iterator[DynamoDBClient]:
    dynamodb_engines.isolate(monkeypatch)
    client = DynamoDBClient("the-table", endpoint_url=proxy.url, attempts=2)
    yield client
    client.close()


@pytest.mark.parametrize(("code", "message", "told"), UNAVAILABLE)
def test_what_somebody_has_to_mend_is_told(
    code: str, message: str, told: str, proxy: FaultyProxy, client: DynamoDBClient
) -> None:
    """Once mended, the same call succeeds: until then events wait in the spool."""
    body = json.dumps({"__type": code, "message": message})
    proxy.rates = Rates({Answer(400, body): 1.0})

    with pytest.raises(StoreUnavailableError) as raised:
        client.call("PutItem", {"TableName": "the-table", "Item": {}})

    assert str(raised.value) == f"{client.url}: {told}".replace("'URL'", f"'{client.url}'")


@pytest.mark.parametrize(("message", "told"), REFUSED)
def test_what_no_retry_helps_is_told_without_its_contents(
    message: str, told: str, proxy: FaultyProxy, client: DynamoDBClient
) -> None:
    body = json.dumps({"__type": FRONT + "ValidationException", "message": message})
    proxy.script.append(Answer(400, body))

    with pytest.raises(Refused) as raised:
        client.call("PutItem", {"TableName": "the-table", "Item": {}})

    assert not isinstance(raised.value, StoreUnavailableError)
    assert raised.value.code == "ValidationException"
    assert raised.value.problem == f"PutItem was refused: ValidationException ({told})"
    assert len(proxy.seen) == 1


@pytest.mark.parametrize(
    ("status", "body", "code", "cure"),
    [
        (400, b"", "HTTP 400", Cure.PAUSE),
        (403, b'"no"', "HTTP 403", Cure.PAUSE),
        (502, b"<html>", "HTTP 502", Cure.PAUSE),
        (400, b'{"__type": 7, "message": []}', "HTTP 400", Cure.PAUSE),
        (400, b'{"__type": "SerializationException"}', "SerializationException", Cure.NONE),
        (500, b'{"__type": "SerializationException"}', "SerializationException", Cure.PAUSE),
    ],
)
def test_whatever_comes_back_is_read(status: int, body: bytes, code: str, cure: Cure) -> None:
    """A proxy in between knows nothing of DynamoDB's way to refuse."""
    refusal = refusal_of(status, body)

    assert (refusal.code, refusal.cure) == (code, cure)
    assert isinstance(refusal.error("s", "Query", "t", "r"), StoreError)


def test_a_missing_table_is_an_error_of_its_own() -> None:
    refusal = refusal_of(400, b'{"__type": "x#ResourceNotFoundException"}')

    assert isinstance(refusal.error("s", "Query", "t", "r"), TableMissing)
