from __future__ import annotations

from typing import Any

import pytest

from copilot_analytics.infrastructure import policy
from copilot_analytics.infrastructure.alarms import Thresholds
from copilot_analytics.metrics import METRICS, NAMESPACE, STORE_DIMENSION, MetricName
from copilot_analytics.stores import _dynamodb_table

from .templates import parsed, resource, with_defaults


def test_table_is_the_one_that_the_store_creates() -> None:
    table = dict(resource("AWS::DynamoDB::Table")["Properties"])
    expected = _dynamodb_table.definition("")
    encryption = expected.pop("SSESpecification")

    # CloudFormation's names for two things differ, and what CreateTable has no parameter for.
    assert encryption == {"Enabled": True, "SSEType": "KMS"}
    assert table.pop("SSESpecification") == {"SSEEnabled": True}
    assert table.pop("TimeToLiveSpecification") == {
        "AttributeName": _dynamodb_table.TTL,
        "Enabled": True,
    }
    assert table.pop("PointInTimeRecoverySpecification") == {"PointInTimeRecoveryEnabled": True}
    assert table.pop("TableName") == {"Ref": "TableName"}
    del expected["TableName"]
    assert table == expected


def test_table_outlives_its_stack() -> None:
    table = resource("AWS::DynamoDB::Table")

    assert (table["DeletionPolicy"], table["UpdateReplacePolicy"]) == ("Retain", "Retain")


def statements() -> dict[str, dict[str, Any]]:
    """The statements of the template's policy, those that a condition adds included."""
    written = resource("AWS::IAM::ManagedPolicy")["Properties"]["PolicyDocument"]["Statement"]
    plain = [each["Fn::If"][1] if "Fn::If" in each else each for each in written]
    return {each["Sid"]: each for each in plain}


def test_policy_is_the_one_that_the_command_prints() -> None:
    printed = policy.statements("analytics", import_from="original", erase=True, metrics=True)

    assert {sid: (each["Effect"], each["Action"]) for sid, each in statements().items()} == {
        each.sid: ("Allow", list(each.actions)) for each in printed
    }


def test_policy_is_about_this_table_and_the_imported_one() -> None:
    table, indexes = {"Fn::GetAtt": ["Table", "Arn"]}, {"Fn::Sub": "${Table.Arn}/index/*"}
    resources = {sid: each["Resource"] for sid, each in statements().items()}

    assert resources["CopilotAnalyticsUse"] == [table, indexes]
    assert resources["CopilotAnalyticsErase"] == [table]
    (source,) = resources["CopilotAnalyticsImport"]
    assert source["Fn::Sub"].endswith(":table/${ImportFrom}")
    assert resources["CopilotAnalyticsMetrics"] == ["*"]
    assert statements()["CopilotAnalyticsMetrics"]["Condition"] == {
        "StringEquals": {"cloudwatch:namespace": {"Ref": "MetricsNamespace"}}
    }


ALARMS = {
    "ErrorRateAlarm": {MetricName.ERRORS, MetricName.EVENTS_TRACKED},
    "QueryLatencyAlarm": {MetricName.QUERY_LATENCY},
    "StorageGrowthAlarm": {MetricName.BYTES_WRITTEN},
}


def metrics_of(alarm: dict[str, Any]) -> list[dict[str, Any]]:
    """The metrics that an alarm reads, those of an expression included."""
    if "Metrics" not in alarm:
        return [alarm]
    return [each["MetricStat"]["Metric"] for each in alarm["Metrics"] if "MetricStat" in each]


@pytest.mark.parametrize("name", ALARMS)
def test_alarm_is_on_what_is_published_for_the_table(name: str) -> None:
    alarm = with_defaults(resource("AWS::CloudWatch::Alarm", name)["Properties"])
    read = metrics_of(alarm)

    assert {each["MetricName"] for each in read} == ALARMS[name]
    for metric in read:
        assert metric["MetricName"] in METRICS
        assert metric["Namespace"] == NAMESPACE
        assert metric["Dimensions"] == [{"Name": STORE_DIMENSION, "Value": {"Ref": "Table"}}]


@pytest.mark.parametrize("name", ALARMS)
def test_alarm_notifies_the_topic_if_there_is_one(name: str) -> None:
    alarm = resource("AWS::CloudWatch::Alarm", name)["Properties"]

    for moment in ("AlarmActions", "OKActions"):
        condition, then, otherwise = alarm[moment]["Fn::If"]
        assert (condition, then) == ("Notifies", [{"Ref": "AlarmTopicArn"}])
        assert otherwise == {"Ref": "AWS::NoValue"}
    assert alarm["TreatMissingData"] == "notBreaching", "a copilot that rests is no alarm"


def test_there_are_three_alarms() -> None:
    kinds = [each["Type"] for each in parsed()["Resources"].values()]

    assert kinds.count("AWS::CloudWatch::Alarm") == len(ALARMS) == 3


def test_thresholds_default_to_those_of_the_construct() -> None:
    defaults = {name: each["Default"] for name, each in parsed()["Parameters"].items()}
    expected = Thresholds()

    assert defaults["ErrorRatePercent"] == expected.error_rate_percent
    assert defaults["ErrorRateMinimumEvents"] == expected.error_rate_minimum_events
    assert defaults["QueryLatencyMilliseconds"] == expected.query_latency_ms
    assert defaults["BytesWrittenPerDay"] == expected.bytes_written_per_day


def test_every_parameter_is_used_and_explained() -> None:
    template = parsed()
    text = str([template["Resources"], template["Conditions"]])

    for name, parameter in template["Parameters"].items():
        assert f"'Ref': '{name}'" in text or f"${{{name}}}" in text
        assert parameter["Description"].endswith(".")
