from __future__ import annotations

import pytest

from copilot_analytics.errors import ConfigurationError
from copilot_analytics.infrastructure.policy import Place, Statement, document, statements
from copilot_analytics.metrics import NAMESPACE

ARN = "arn:aws:dynamodb:eu-central-1:123456789012:table/analytics"


@pytest.fixture
def place() -> Place:
    return Place(region="eu-central-1", account="123456789012")


def test_recorder_may_do_what_the_store_does_and_nothing_else(place: Place) -> None:
    (statement,) = document(statements("analytics", place))["Statement"]

    assert statement["Effect"] == "Allow"
    assert statement["Action"] == [
        "dynamodb:BatchWriteItem",
        "dynamodb:DescribeTable",
        "dynamodb:GetItem",
        "dynamodb:PutItem",
        "dynamodb:Query",
        "dynamodb:UpdateItem",
    ]
    assert statement["Resource"] == [ARN, f"{ARN}/index/*"]


def test_erasing_adds_deletion_on_the_table_alone(place: Place) -> None:
    _, erase = document(statements("analytics", place, erase=True))["Statement"]

    assert (erase["Action"], erase["Resource"]) == (["dynamodb:DeleteItem"], [ARN])


def test_import_adds_a_scan_of_its_source_alone(place: Place) -> None:
    chosen = statements("analytics", place, import_from="original")

    _, source = document(chosen)["Statement"]
    assert source["Action"] == ["dynamodb:Scan"]
    assert source["Resource"] == [ARN.replace("analytics", "original")]


def test_metrics_are_put_under_our_namespace_alone(place: Place) -> None:
    _, metrics = document(statements("analytics", place, metrics=True))["Statement"]

    assert metrics["Action"] == ["cloudwatch:PutMetricData"]
    assert metrics["Condition"] == {"StringEquals": {"cloudwatch:namespace": NAMESPACE}}


def everything(place: Place) -> tuple[Statement, ...]:
    return statements(
        "analytics", place, import_from="original", erase=True, manage=True, metrics=True
    )


def test_every_statement_says_what_it_is_for(place: Place) -> None:
    chosen = everything(place)

    assert len({each.sid for each in chosen}) == len(chosen) == 5
    assert all(each.reason.endswith(".") for each in chosen)
    assert all(each.sid.isalnum() for each in chosen), "IAM takes letters and digits only"


def test_nothing_is_allowed_with_a_wildcard(place: Place) -> None:
    chosen = everything(place)

    assert not [action for each in chosen for action in each.actions if "*" in action]


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("region", "frankfurt"),
        ("region", ""),
        ("account", "1234"),
        ("partition", "azure"),
    ],
)
def test_place_that_no_arn_has_is_refused(argument: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{argument} cannot be '{value}': give"):
        Place(**{argument: value})


@pytest.mark.parametrize("name", ["", "ab", "a/b", "table/*", "x" * 256])
def test_name_that_no_table_has_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match="table cannot be"):
        statements(name)
