"""The list of operations: what is on it may be run by users, everything by admins."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from copilot_analytics.errors import ConfigurationError
from copilot_analytics_graphql import AllowList

ROOT = Path(__file__).resolve().parents[2]
MINE = "query Mine($r: DateRange) { userActivity(range: $r) { ...Numbers } }"
NUMBERS = "fragment Numbers on UserActivity { messages executions }"
LISTED = f"{MINE}\n{NUMBERS}\nquery Other {{ userActivity {{ userId }} }}"

SAME = {
    "as it is": (LISTED, "Mine"),
    "alone": (f"{MINE} {NUMBERS}", None),
    "fragments first": (f"{NUMBERS} {MINE}", None),
    "other spaces and comments": (f"{MINE}#!\n,,{NUMBERS}".replace(" { ", "{\n"), None),
    "with __typename": (
        f"{MINE} {NUMBERS}".replace("executions", "executions __typename").replace(
            "{ ...Numbers", "{ __typename ...Numbers"
        ),
        None,
    ),
    "with an unused fragment": (f"{MINE} {NUMBERS} fragment X on UserActivity {{ userId }}", None),
}
DIFFERENT = {
    "another field": (f"{MINE} {NUMBERS}".replace("messages", "messages userId"), None),
    "a field less": (f"{MINE} {NUMBERS}".replace("messages", ""), None),
    "an alias": (f"{MINE} {NUMBERS}".replace("messages", "m: messages"), None),
    "an aliased __typename": (
        f"{MINE} {NUMBERS}".replace("messages", "messages x: __typename"),
        None,
    ),
    "another name": (f"{MINE} {NUMBERS}".replace("Mine", "Yours"), None),
    "an argument": (f"{MINE} {NUMBERS}".replace("(range: $r)", '(range: $r, userId: "b")'), None),
    "a directive": (f"{MINE} {NUMBERS}".replace("messages", "messages @skip(if: false)"), None),
    "another beside it": (f"{MINE} {NUMBERS} query X {{ recorderHealth {{ running }} }}", "X"),
    "a default": (f"{MINE} {NUMBERS}".replace("DateRange", "DateRange = {start: null}"), None),
}  # fmt: skip


@pytest.mark.parametrize("name", SAME)
def test_the_same_operation_is_allowed_however_it_is_written(name: str) -> None:
    assert AllowList([LISTED]).allows(*SAME[name])


@pytest.mark.parametrize("name", DIFFERENT)
def test_another_operation_is_not(name: str) -> None:
    assert not AllowList([LISTED]).allows(*DIFFERENT[name])


def test_a_fragment_cycle_ends() -> None:
    cyclic = "{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }"

    assert AllowList([cyclic]).allows(cyclic, None)


def test_users_may_run_what_is_listed_and_admins_everything(endpoint: Any) -> None:
    new = {"accept": "application/graphql-response+json"}

    async def ask() -> None:
        async with endpoint(operations=AllowList([LISTED])) as served:

            async def status(query: str, token: str, **more: Any) -> int:
                body = {"query": query, **more}
                return int((await served.post(token=token, json=body, headers=new)).status_code)

            assert await status(LISTED, served.ada, operationName="Mine") == 200
            assert await status("{ __typename }", served.ada) == 403
            assert await status("{ nope }", served.ada) == 403, "and is told nothing about it"
            assert await status("{", served.ada) == 400
            assert await status("{ __typename }", served.admin) == 200
            refused = await served.error("{ __typename }", token=served.ada)
            assert refused == {
                "message": "Only an admin may run operations that are not listed.",
                "extensions": {"code": "FORBIDDEN"},
            }
            async with served.connect(served.bearer(served.ada)) as socket:
                await socket.send('{"type": "connection_init"}')
                await socket.recv()
                payload = {"query": "{ __typename }"}
                await socket.send(json.dumps({"type": "subscribe", "id": "1", "payload": payload}))
                assert json.loads(await socket.recv())["type"] == "error"

    asyncio.run(ask())


def test_introspection_can_be_opened(endpoint: Any) -> None:
    async def ask() -> None:
        async with endpoint(events=False, open_introspection=True) as served:
            query = "{ __schema { queryType { name } } }"
            data = await served.data(query, token=served.ada)
            assert data == {"__schema": {"queryType": {"name": "Query"}}}

    asyncio.run(ask())


def test_the_committed_operations_make_a_list() -> None:
    folder = ROOT / "graphql_schema" / "operations"
    allowed = AllowList.read(folder)
    single = AllowList.read(folder / "dashboard.graphql")

    text = (folder / "dashboard.graphql").read_text()
    assert allowed.allows(text, None)
    assert single.allows(text, None)
    assert not single.allows("{ __typename }", None)


@pytest.mark.parametrize(
    ("documents", "message"),
    [([], "at least one"), (["fragment A on B { c }"], "at least one"), (["{"], "no GraphQL")],
)
def test_a_list_of_nothing_is_refused(documents: list[str], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        AllowList(documents)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="nowhere"):
        AllowList.read(tmp_path / "nowhere.graphql")
