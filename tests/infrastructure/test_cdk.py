"""The construct, synthesised; `make infrastructure` has the CDK that this needs."""

# pyright: reportMissingImports=false

from __future__ import annotations

import json
from typing import Any

import pytest

aws_cdk = pytest.importorskip("aws_cdk", reason="`make infrastructure` runs it, with the CDK")

from aws_cdk import assertions, aws_iam  # noqa: E402

from copilot_analytics.infrastructure import policy  # noqa: E402
from copilot_analytics.infrastructure.alarms import Thresholds  # noqa: E402
from copilot_analytics.infrastructure.cdk import CopilotAnalyticsTable  # noqa: E402

from .templates import parsed, resource, with_defaults  # noqa: E402


class Synthesised:
    """A stack with the construct and a role, and what it becomes."""

    def __init__(self, **options: Any) -> None:
        self.stack = aws_cdk.Stack(aws_cdk.App(), "Stack")
        self.analytics = CopilotAnalyticsTable(self.stack, "Analytics", **options)
        principal = aws_iam.ServicePrincipal("ecs-tasks.amazonaws.com")
        self.role = aws_iam.Role(self.stack, "Role", assumed_by=principal)

    def resources(self, kind: str) -> dict[str, Any]:
        found: dict[str, Any] = assertions.Template.from_stack(self.stack).find_resources(kind)
        return found

    def statements(self) -> list[dict[str, Any]]:
        (written,) = self.resources("AWS::IAM::Policy").values()
        found: list[dict[str, Any]] = written["Properties"]["PolicyDocument"]["Statement"]
        return found


@pytest.fixture(scope="module")
def synthesised() -> Synthesised:
    """The construct as it is by default, granted to nobody."""
    return Synthesised()


def test_table_is_the_template_s(synthesised: Synthesised) -> None:
    (made,) = synthesised.resources("AWS::DynamoDB::Table").values()
    expected = resource("AWS::DynamoDB::Table")
    del expected["Properties"]["TableName"]

    assert made == expected


def test_alarms_are_the_template_s(synthesised: Synthesised) -> None:
    (table,) = synthesised.resources("AWS::DynamoDB::Table")
    made = [
        comparable(each["Properties"], table)
        for each in synthesised.resources("AWS::CloudWatch::Alarm").values()
    ]
    expected = [
        comparable(with_defaults(each["Properties"]), "Table")
        for each in parsed()["Resources"].values()
        if each["Type"] == "AWS::CloudWatch::Alarm"
    ]

    by_text = {each["AlarmDescription"]: each for each in expected}
    assert {each["AlarmDescription"]: each for each in made} == by_text
    assert len(by_text) == 3


def comparable(alarm: dict[str, Any], table: str) -> dict[str, Any]:
    """An alarm without the names of others' resources, and without whom it notifies."""
    plain: dict[str, Any] = json.loads(json.dumps(alarm).replace(f'"{table}"', '"the table"'))
    for absent in ("AlarmActions", "OKActions"):
        plain.pop(absent, None)
    for metric in plain.get("Metrics", ()):
        if "Expression" in metric:
            del metric["Id"]
    return plain


def test_thresholds_and_namespace_can_be_chosen() -> None:
    made = Synthesised(
        thresholds=Thresholds(query_latency_ms=250, error_rate_minimum_events=7),
        metrics_namespace="Ours",
    )
    alarms = str(made.resources("AWS::CloudWatch::Alarm"))

    assert "'Threshold': 250" in alarms
    assert "tracked >= 7" in alarms
    assert "CopilotAnalytics'" not in alarms.replace("AnalyticsTable", "")


def test_recorder_gets_what_the_command_prints() -> None:
    made = Synthesised()
    made.analytics.grant_recorder(made.role)
    (printed,) = policy.statements("analytics")

    (granted,) = made.statements()
    assert granted["Action"] == list(printed.actions)
    assert len(granted["Resource"]) == len(printed.resources) == 2


def test_reader_cannot_write() -> None:
    made = Synthesised()
    made.analytics.grant_reader(made.role)

    (granted,) = made.statements()
    assert granted["Action"] == list(policy.READ_ACTIONS)
    assert not {"dynamodb:PutItem", "dynamodb:UpdateItem"} & set(granted["Action"])


def test_erasure_is_a_grant_of_its_own() -> None:
    made = Synthesised()
    made.analytics.grant_recorder(made.role)
    made.analytics.grant_erasure(made.role)

    actions = [each["Action"] for each in made.statements()]
    assert "dynamodb:DeleteItem" not in actions[0]
    assert actions[1] == "dynamodb:DeleteItem"


def test_metrics_are_granted_under_their_namespace_alone() -> None:
    made = Synthesised(metrics_namespace="Ours")
    made.analytics.grant_metrics(made.role)

    (granted,) = made.statements()
    assert granted["Action"] == "cloudwatch:PutMetricData"
    assert granted["Condition"] == {"StringEquals": {"cloudwatch:namespace": "Ours"}}


def test_store_url_names_table_and_region(synthesised: Synthesised) -> None:
    (table,) = synthesised.resources("AWS::DynamoDB::Table")
    resolved = synthesised.stack.resolve(synthesised.analytics.store_url)

    assert resolved == {
        "Fn::Join": ["", ["dynamodb://", {"Ref": table}, "?region=", {"Ref": "AWS::Region"}]]
    }
