from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from typing import Any

import boto3
import pytest

from copilot_analytics.infrastructure.template import template

from ..stores.dynamodb_engines import Engine

Run = Callable[..., "subprocess.CompletedProcess[str]"]

TABLE = "dynamodb://analytics?region=eu-central-1"


@pytest.mark.parametrize(
    "command", [(), ("policy",), ("cost",), ("template",), ("create",), ("describe",)]
)
def test_every_command_explains_itself(run: Run, command: tuple[str, ...]) -> None:
    done = run("table", *command, "--help")

    assert done.returncode == 0
    assert "Usage: copilot-analytics table" in done.stdout
    assert not command or "Example: " in done.stdout


def test_policy_can_be_written_to_a_file(run: Run) -> None:
    """The document alone is on standard output, its reasons are on standard error."""
    done = run("table", "policy", "--store", TABLE, "--erase", "--import", "original")

    assert done.returncode == 0, done.stderr
    policy = json.loads(done.stdout)
    assert [each["Sid"] for each in policy["Statement"]] == [
        line.partition(":")[0] for line in done.stderr.splitlines()
    ]
    arn = "arn:aws:dynamodb:eu-central-1:*:table/analytics"
    assert policy["Statement"][0]["Resource"][0] == arn


def test_policy_of_another_region_and_account(run: Run) -> None:
    done = run(
        *("table", "policy", "--store", TABLE),
        *("--region", "us-gov-west-1", "--account", "123456789012", "--partition", "aws-us-gov"),
    )

    (statement,) = json.loads(done.stdout)["Statement"]
    assert statement["Resource"][0] == (
        "arn:aws-us-gov:dynamodb:us-gov-west-1:123456789012:table/analytics"
    )


def test_template_can_be_written_to_a_file(run: Run) -> None:
    done = run("table", "template")

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == template()


@pytest.mark.parametrize("store", ["sqlite:///some.db", "nonsense", "dynamodb://"])
def test_store_that_is_no_table_is_refused(run: Run, store: str) -> None:
    done = run("table", "policy", "--store", store)

    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    assert "dynamodb://TABLE" in done.stderr


def test_cost_shows_its_arithmetic_and_prices(run: Run) -> None:
    done = run("table", "cost", "--events-per-day", "864000")

    assert done.returncode == 0, done.stderr
    assert "26.28 million events × 3" in done.stdout
    assert "us-east-1" in done.stdout


def test_cost_for_programs(run: Run) -> None:
    done = run("table", "cost", "--events-per-day", "864000", "--json", "--write-price", "1")

    cost = json.loads(done.stdout)
    assert cost["lines"][0]["perMonth"] == 78.84
    assert cost["perMonth"] == pytest.approx(sum(x["perMonth"] for x in cost["lines"]), abs=0.03)
    assert cost["prices"].endswith("yours for write")


@pytest.mark.parametrize(
    ("arguments", "offending"),
    [
        (("--write-price", "cheap"), "'cheap'"),
        (("--storage-price", "-1"), "'-1'"),
        (("--write-interval", "0"), "0.0"),
    ],
)
def test_cost_refuses_what_cannot_be(run: Run, arguments: tuple[str, ...], offending: str) -> None:
    done = run("table", "cost", "--events-per-day", "1", *arguments)

    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    assert offending in done.stderr


@pytest.fixture
def store(engine: Engine) -> str:
    """The URL of a table that is not there yet, on each engine.

    Tests ask for it before `run`, which takes the environment as it is then.
    """
    return f"dynamodb://{engine.new_table_name()}?endpoint={engine.endpoint_url}"


def name_of(store: str) -> str:
    return store.removeprefix("dynamodb://").partition("?")[0]


def region() -> str:
    return str(boto3.Session().region_name)


def test_create_makes_what_describe_expects_and_again_does_no_harm(store: str, run: Run) -> None:
    created = run("table", "create", "--store", store)
    assert created.returncode == 0, created.stderr
    assert created.stderr.splitlines()[0] == f"creating the table {name_of(store)} in {region()}"
    assert created.stdout == f"The table {name_of(store)} in {region()} is as it should be.\n"

    again = run("table", "create", "--store", store, "--json")
    assert again.returncode == 0, again.stderr
    assert f"the table {name_of(store)} in {region()} exists" in again.stderr.splitlines()
    answer = {"table": name_of(store), "region": region(), "differences": []}
    assert json.loads(again.stdout) == answer

    described = run("table", "describe", "--store", store)
    assert (described.returncode, described.stdout) == (0, created.stdout), described.stderr


@pytest.fixture
def foreign(engine: Engine, store: str) -> str:
    """The URL of a table with other keys and without anything else."""
    client: Any = boto3.client("dynamodb", endpoint_url=engine.endpoint_url)
    client.create_table(
        TableName=name_of(store),
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    client.close()
    return store


def test_describe_says_what_differs_and_what_to_do(foreign: str, run: Run) -> None:
    done = run("table", "describe", "--store", foreign)

    assert done.returncode == 1, done.stderr
    assert "keys of the table" in done.stdout
    assert "index StatsIndex" in done.stdout
    assert "create a table of another name" in done.stdout


def test_describe_for_programs_names_every_difference(foreign: str, run: Run) -> None:
    done = run("table", "describe", "--store", foreign, "--json")

    assert done.returncode == 1, done.stderr
    differing = {each["what"]: each for each in json.loads(done.stdout)["differences"]}
    assert {"keys of the table", "index DateIndex", "TTL"} <= set(differing)
    assert all(set(each) == {"what", "expected", "found", "remedy"} for each in differing.values())


def test_table_that_is_not_there_is_one_sentence(store: str, run: Run) -> None:
    done = run("table", "describe", "--store", store)

    assert (done.returncode, done.stdout) == (3, "")
    assert len(done.stderr.splitlines()) == 1
    assert "copilot-analytics table create" in done.stderr
