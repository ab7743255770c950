"""What a call does on a bad day, and what it says in the end."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from copilot_analytics.errors import StoreError, StoreUnavailableError
from copilot_analytics.stores._dynamodb_client import DynamoDBClient
from copilot_analytics.stores._dynamodb_errors import ConditionFailed
from copilot_analytics.stores._dynamodb_provisioning import create
from copilot_analytics.stores._dynamodb_transport import Reply, Transport, TransportError

from .dynamodb_engines import Engine
from .faulty_proxy import (
    Answer,
    Damage,
    Drop,
    Fault,
    FaultyProxy,
    Garble,
    Hold,
    Lose,
    Part,
    Rates,
    Truncate,
)

ClientFactory = Callable[..., DynamoDBClient]

KEY = {"PK": {"S": "a"}, "SK": {"S": "b"}}
PASSING: list[Fault] = [
    Drop(),
    Lose(),
    Truncate(),
    Garble(),
    Damage(),
    Answer.throttling(),
    Answer.conflict(),
    Answer.failure(),
    Answer.error("ProvisionedThroughputExceededException"),
    Answer.error("RequestLimitExceeded"),
    Answer(502, "<html>Bad gateway</html>"),
    Answer(200, "[]"),
]


@pytest.fixture
def proxy(engine: Engine) -> Iterator[FaultyProxy]:
    with FaultyProxy(engine.endpoint_url) as proxy:
        yield proxy


@pytest.fixture
def make_client(engine: Engine, proxy: FaultyProxy) -> Iterator[ClientFactory]:
    """Return what makes clients of the proxy; none of their tables exists."""
    clients = []

    def make(**options: Any) -> DynamoDBClient:
        client = DynamoDBClient(engine.new_table_name(), endpoint_url=proxy.url, **options)
        clients.append(client)
        return client

    yield make
    for client in clients:
        client.close()


def put(client: DynamoDBClient, **attributes: Any) -> dict[str, Any]:
    return client.call("PutItem", {"TableName": client.table, "Item": {**KEY, **attributes}})


def get(client: DynamoDBClient) -> Any:
    request = {"TableName": client.table, "Key": KEY, "ConsistentRead": True}
    return client.call("GetItem", request).get("Item")


def test_values_come_back_as_they_were_given(make_client: ClientFactory) -> None:
    """Binary ones as base64 text."""
    client = make_client()
    create(client)

    put(client, text={"S": "é\n"}, bytes={"B": b"\x00\xff"}, set={"BS": [b"a"]}, n={"N": "1.5"})

    assert get(client) == {
        **KEY,
        "text": {"S": "é\n"},
        "bytes": {"B": "AP8="},
        "set": {"BS": ["YQ=="]},
        "n": {"N": "1.5"},
    }


def test_what_passes_is_waited_for(make_client: ClientFactory, proxy: FaultyProxy) -> None:
    client = make_client()
    create(client)
    for number, fault in enumerate(PASSING):
        proxy.seen.clear()
        proxy.script += [fault, fault]

        put(client, n={"N": str(number)})

        assert [seen.operation for seen in proxy.seen] == ["PutItem"] * 3, fault
        assert get(client) == {**KEY, "n": {"N": str(number)}}, fault


def test_a_batch_is_written_whole(make_client: ClientFactory, proxy: FaultyProxy) -> None:
    """What is left unprocessed is sent again, and nothing else."""
    client = make_client()
    create(client)
    items = [{"PK": {"S": "a"}, "SK": {"S": str(number)}} for number in range(25)]
    proxy.seen.clear()
    proxy.script += [Part(), Answer.throttling(), Part()]

    client.call(
        "BatchWriteItem",
        {"RequestItems": {client.table: [{"PutRequest": {"Item": item}} for item in items]}},
    )

    assert [seen.body.count(b"PutRequest") for seen in proxy.seen] == [25, 13, 13, 7]
    found = client.call(
        "Query",
        {
            "TableName": client.table,
            "KeyConditionExpression": "PK = :a",
            "ExpressionAttributeValues": {":a": {"S": "a"}},
        },
    )
    assert found["Count"] == 25


def test_a_batch_that_stays_unprocessed_is_given_up(
    make_client: ClientFactory, proxy: FaultyProxy
) -> None:
    client = make_client(attempts=2)
    create(client)
    proxy.script += [Part(), Part()]
    writes = [{"PutRequest": {"Item": {**KEY, "SK": {"S": str(n)}}}} for n in range(8)]

    with pytest.raises(StoreUnavailableError, match="left items unprocessed"):
        client.call("BatchWriteItem", {"RequestItems": {client.table: writes}})


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Drop(), "the connection to .* broke"),
        (Answer.throttling(), r"PutItem was refused for now \(ThrottlingException\)"),
        (Answer(503, ""), r"PutItem was refused for now \(HTTP 503\)"),
        (Garble(), "answered by something that is not DynamoDB's JSON"),
        (Damage(), "damaged on its way"),
    ],
)
def test_attempts_are_bounded(
    fault: Fault, said: str, make_client: ClientFactory, proxy: FaultyProxy
) -> None:
    client = make_client(attempts=3)
    proxy.rates = Rates({fault: 1.0})

    with pytest.raises(StoreUnavailableError, match=said):
        put(client)

    assert len(proxy.seen) == 3


def test_time_is_bounded(make_client: ClientFactory, proxy: FaultyProxy) -> None:
    """Whatever the number of attempts: an engine that hangs would hold a call for hours."""
    client = make_client(attempts=1_000_000, read_timeout=0.05, time_limit=0.4)
    proxy.rates = Rates({Hold(): 1.0})

    with pytest.raises(StoreUnavailableError, match=r"gave no answer within 0\.\d s"):
        put(client)

    assert proxy.met["Hold"] >= 2


def test_a_failed_condition_brings_the_item(make_client: ClientFactory) -> None:
    client = make_client()
    create(client)
    put(client, w={"N": "7"})
    absent = {"ConditionExpression": "attribute_not_exists(PK)"}
    request = {"TableName": client.table, "Item": KEY, **absent}

    with pytest.raises(ConditionFailed) as plain:
        client.call("PutItem", request)
    with pytest.raises(ConditionFailed) as full:
        client.call("PutItem", {**request, "ReturnValuesOnConditionCheckFailure": "ALL_OLD"})

    assert plain.value.item is None
    assert full.value.item == {**KEY, "w": {"N": "7"}}


def test_consumed_capacity_is_told(make_client: ClientFactory) -> None:
    """For each answer, where the request asked for it."""
    client = make_client()
    create(client)
    told: list[tuple[str, float]] = []
    client.consumed = lambda operation, capacity: told.append(
        (operation, capacity["CapacityUnits"])
    )
    write = {"PutRequest": {"Item": KEY}}

    put(client)
    client.call(
        "BatchWriteItem",
        {"RequestItems": {client.table: [write]}, "ReturnConsumedCapacity": "TOTAL"},
    )

    assert told == [("BatchWriteItem", 1.0)]


def test_the_clock_is_set_by_the_answer(make_client: ClientFactory, proxy: FaultyProxy) -> None:
    """A host whose clock is hours off could otherwise record nothing."""
    client = make_client()
    create(client)
    proxy.seen.clear()
    message = "Signature expired: 20260101T000000Z is now earlier than 20260101T015500Z"
    refusal = Answer.error("InvalidSignatureException", message)
    proxy.script.append(
        Answer(400, refusal.body, (("Date", "Tue, 01 Jan 2030 12:00:00 GMT"),)),
    )

    put(client)
    put(client)

    times = [seen.headers["x-amz-date"][:11] for seen in proxy.seen]
    assert times[0] != "20300101T12"
    assert times[1:] == ["20300101T12", "20300101T12"]


@pytest.mark.parametrize("date", [None, "yesterday", "Tue, 01 Jan 2030 12:00:00 GMT"])
def test_a_clock_that_cannot_be_set_is_told(
    date: str | None, make_client: ClientFactory, proxy: FaultyProxy
) -> None:
    client = make_client()
    refusal = Answer.error("RequestTimeTooSkewed", "The difference is too large.", status=403)
    headers = () if date is None else (("Date", date),)
    proxy.rates = Rates({Answer(403, refusal.body, headers): 1.0})

    with pytest.raises(StoreUnavailableError, match="set the clock of this host by NTP"):
        put(client)

    assert len(proxy.seen) == (2 if date and "2030" in date else 1)


def test_credentials_are_looked_for_again_once(
    make_client: ClientFactory, proxy: FaultyProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever renews them need not restart the process."""
    client = make_client()
    proxy.rates = Rates({Answer(200, "{}"): 1.0})
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "old")
    put(client)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "new")
    put(client)
    proxy.script.append(Answer.error("ExpiredTokenException", "The token is expired"))

    put(client)
    put(client)

    keys = [seen.headers["authorization"].split("Credential=")[1][:3] for seen in proxy.seen]
    assert keys == ["old", "old", "old", "new", "new"]


def test_an_unavailable_store_ends_all_that_was_to_be_done(
    make_client: ClientFactory, proxy: FaultyProxy
) -> None:
    client = make_client(attempts=1, concurrency=2)
    proxy.rates = Rates({Answer.failure(): 1.0})

    with pytest.raises(StoreUnavailableError):
        client.each(lambda number: put(client, n={"N": str(number)}), range(100))

    assert len(proxy.seen) <= 3


def test_connections_are_bounded(make_client: ClientFactory, proxy: FaultyProxy) -> None:
    """However many threads ask questions at once."""
    client = make_client(concurrency=1)
    create(client)
    proxy.seen.clear()
    proxy.script += [Hold(0.01)] * 20

    with ThreadPoolExecutor(8) as threads:
        assert len(list(threads.map(lambda _: put(client), range(20)))) == 20

    assert len({seen.port for seen in proxy.seen}) == 2


def test_waiting_for_a_connection_is_bounded(proxy: FaultyProxy) -> None:
    transport = Transport(region=None, endpoint_url=proxy.url, connections=1)
    proxy.script.append(Hold())

    def send(total: float) -> Reply:
        return transport.send("ListTables", b"{}", connect=total, read=total, total=total)

    with ThreadPoolExecutor(1) as thread:
        first = thread.submit(send, 30)
        assert proxy.held.acquire(timeout=30)
        with pytest.raises(TransportError, match=r"all 1 connections to .* are busy"):
            send(0.01)
        proxy.let_go.set()

        assert first.result().status == 200
    transport.close()


def test_a_closed_client_opens_new_connections(
    make_client: ClientFactory, proxy: FaultyProxy
) -> None:
    client = make_client()
    proxy.rates = Rates({Answer(200, "{}"): 1.0})

    for _ in range(2):
        put(client)
        put(client)
        client.close()
        client.close()

    ports = [seen.port for seen in proxy.seen]
    assert (ports[0], ports[2]) == (ports[1], ports[3])
    assert ports[0] != ports[2]


FORK = """
import os, sys, warnings
from copilot_analytics.stores._dynamodb_client import DynamoDBClient

warnings.simplefilter("ignore", DeprecationWarning)  # newer Pythons warn of forks beside threads
client = DynamoDBClient("the-table", endpoint_url=sys.argv[1], concurrency=2)
call = lambda _: client.call("PutItem", {"TableName": "the-table"})
call(0)
in_child = []

def fork(_):
    # Both helpers are busy here: a child that counted them as its own would have none.
    pid = os.fork()
    if pid == 0:
        client.each(in_child.append, range(3))
        call(0)
        os._exit(0 if sorted(in_child) == [0, 1, 2] else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0

client.each(fork, range(3))
call(0)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system cannot fork")
def test_a_forked_child_has_connections_of_its_own(proxy: FaultyProxy) -> None:
    proxy.rates = Rates({Answer(200, "{}"): 1.0})

    ended = subprocess.run(
        [sys.executable, "-c", FORK, proxy.url],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (ended.returncode, ended.stderr) == (0, "")
    ports = [seen.port for seen in proxy.seen]
    assert len(ports) == 5
    assert ports[0] == ports[-1]
    assert len(set(ports)) == 4


def test_secrets_and_contents_are_told_nowhere(
    make_client: ClientFactory,
    proxy: FaultyProxy,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Neither in messages nor in logs, at any level."""
    caplog.set_level("DEBUG")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret-key")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "secret-token")
    client = make_client(attempts=2)
    create(client)
    said = []
    for fault in (*PASSING, Answer.error("ValidationException", "Bad value: secret-text")):
        proxy.script += [fault, fault]
        with pytest.raises(StoreError) as raised:
            put(client, text={"S": "secret-text"})
        said.append(str(raised.value))
        proxy.script.clear()
    for attributes in ({"n": {"N": "secret-text"}}, {"s": {"SS": ["secret-text"] * 2}}):
        try:
            put(client, **attributes)
        except StoreError as exc:
            said.append(str(exc))

    assert len(said) > len(PASSING)
    assert "secret" not in "\n".join(said)
    assert "secret" not in caplog.text
