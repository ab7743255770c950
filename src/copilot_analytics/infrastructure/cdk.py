"""The table as a construct of the AWS CDK, with the same alarms as the template; extra `cdk`."""

# The CDK is too large for everybody's environment; that of `make infrastructure` has it.
# pyright: reportMissingImports=false

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from ..errors import MissingDependencyError
from ..metrics import NAMESPACE, STORE_DIMENSION, MetricName
from ..stores import _dynamodb_table
from .alarms import ERROR_RATE_PERIOD, GROWTH_PERIOD, LATENCY_PERIOD, PERIODS, Thresholds
from .policy import ERASE_ACTIONS, METRICS_ACTIONS, READ_ACTIONS, WRITE_ACTIONS

try:
    from aws_cdk import Duration, RemovalPolicy, Stack
    from aws_cdk import aws_cloudwatch as cloudwatch
    from aws_cdk import aws_dynamodb as dynamodb
    from aws_cdk import aws_iam as iam
    from constructs import Construct
except ModuleNotFoundError as error:
    raise MissingDependencyError("aws_cdk", "cdk") from error

__all__ = ["CopilotAnalyticsTable"]

_TYPES = {"S": "STRING", "N": "NUMBER", "B": "BINARY"}


class CopilotAnalyticsTable(Construct):
    """The table of events and rollups, what may use it, and the alarms on what it is used for.

    The table is retained when the stack is deleted. Attach the process that records to it with
    `grant_recorder`, and tell it `store_url`.

    Args:
        scope: what it is part of.
        construct_id: its name there.
        table_name: the table's name; CloudFormation makes one up without it.
        metrics_namespace: the CloudWatch namespace that metrics are published under.
        thresholds: when the alarms go off.

    Attributes:
        table: the table.
        error_rate_alarm: too many of the events are errors.
        query_latency_alarm: questions take too long.
        storage_growth_alarm: more is written in a day than planned.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        table_name: str | None = None,
        metrics_namespace: str = NAMESPACE,
        thresholds: Thresholds | None = None,
    ) -> None:
        super().__init__(scope, construct_id)
        self._namespace = metrics_namespace
        limits = thresholds or Thresholds()
        self.table = self._make_table(table_name)
        self.error_rate_alarm = self._make_error_rate_alarm(limits)
        self.query_latency_alarm = self._make_query_latency_alarm(limits)
        self.storage_growth_alarm = self._make_storage_growth_alarm(limits)

    @property
    def alarms(self) -> tuple[cloudwatch.Alarm, ...]:
        """All three alarms, to add one action to each."""
        return self.error_rate_alarm, self.query_latency_alarm, self.storage_growth_alarm

    @property
    def store_url(self) -> str:
        """What the process takes as `COPILOT_ANALYTICS_STORE`."""
        return f"dynamodb://{self.table.table_name}?region={Stack.of(self).region}"

    def grant_recorder(self, grantee: iam.IGrantable) -> iam.Grant:
        """Let a role, function or task record events and answer questions; returns the grant."""
        return self._grant(grantee, {*READ_ACTIONS, *WRITE_ACTIONS})

    def grant_reader(self, grantee: iam.IGrantable) -> iam.Grant:
        """Let a role, function or task answer questions and no more; returns the grant."""
        return self._grant(grantee, READ_ACTIONS)

    def grant_erasure(self, grantee: iam.IGrantable) -> iam.Grant:
        """Let a recorder erase users, too; returns the grant."""
        return iam.Grant.add_to_principal(
            grantee=grantee, actions=list(ERASE_ACTIONS), resource_arns=[self.table.table_arn]
        )

    def grant_metrics(self, grantee: iam.IGrantable) -> iam.Grant:
        """Let a process publish metrics by PutMetricData; as log lines it needs no grant."""
        return iam.Grant.add_to_principal(
            grantee=grantee,
            actions=list(METRICS_ACTIONS),
            resource_arns=["*"],
            conditions={"StringEquals": {"cloudwatch:namespace": self._namespace}},
        )

    def _grant(self, grantee: iam.IGrantable, actions: Collection[str]) -> iam.Grant:
        arn = self.table.table_arn
        return iam.Grant.add_to_principal(
            grantee=grantee, actions=sorted(actions), resource_arns=[arn, f"{arn}/index/*"]
        )

    def _make_table(self, name: str | None) -> dynamodb.Table:
        definition = _dynamodb_table.definition("")
        types = {
            attribute["AttributeName"]: dynamodb.AttributeType[_TYPES[attribute["AttributeType"]]]
            for attribute in definition["AttributeDefinitions"]
        }
        table = dynamodb.Table(
            self,
            "Table",
            table_name=name,
            billing_mode=dynamodb.BillingMode[definition["BillingMode"]],
            time_to_live_attribute=_dynamodb_table.TTL,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            encryption=dynamodb.TableEncryption.AWS_MANAGED,
            removal_policy=RemovalPolicy.RETAIN,
            **_keys(definition, types),
        )
        for index in definition["GlobalSecondaryIndexes"]:
            projection = index["Projection"]
            table.add_global_secondary_index(
                index_name=index["IndexName"],
                projection_type=dynamodb.ProjectionType[projection["ProjectionType"]],
                non_key_attributes=projection.get("NonKeyAttributes"),
                **_keys(index, types),
            )
        return table

    def _make_error_rate_alarm(self, limits: Thresholds) -> cloudwatch.Alarm:
        period = Duration.seconds(ERROR_RATE_PERIOD)
        rate = cloudwatch.MathExpression(
            expression=(
                f"IF(tracked >= {limits.error_rate_minimum_events}, "
                "100 * FILL(errors, 0) / tracked, 0)"
            ),
            label="Errors, percent of events",
            period=period,
            using_metrics={
                "errors": self._metric(MetricName.ERRORS, "Sum", period),
                "tracked": self._metric(MetricName.EVENTS_TRACKED, "Sum", period),
            },
        )
        return self._alarm(
            "ErrorRateAlarm",
            rate,
            limits.error_rate_percent,
            PERIODS,
            "Too many of the copilot's events are errors.",
        )

    def _make_query_latency_alarm(self, limits: Thresholds) -> cloudwatch.Alarm:
        return self._alarm(
            "QueryLatencyAlarm",
            self._metric(MetricName.QUERY_LATENCY, "p95", Duration.seconds(LATENCY_PERIOD)),
            limits.query_latency_ms,
            PERIODS,
            "Questions to the table take too long.",
        )

    def _make_storage_growth_alarm(self, limits: Thresholds) -> cloudwatch.Alarm:
        return self._alarm(
            "StorageGrowthAlarm",
            self._metric(MetricName.BYTES_WRITTEN, "Sum", Duration.seconds(GROWTH_PERIOD)),
            limits.bytes_written_per_day,
            1,
            "The table grows faster than planned.",
        )

    def _metric(self, name: MetricName, statistic: str, period: Duration) -> cloudwatch.Metric:
        return cloudwatch.Metric(
            namespace=self._namespace,
            metric_name=name.value,
            dimensions_map={STORE_DIMENSION: self.table.table_name},
            statistic=statistic,
            period=period,
        )

    def _alarm(
        self,
        name: str,
        metric: cloudwatch.IMetric,
        threshold: float,
        periods: int,
        description: str,
    ) -> cloudwatch.Alarm:
        return cloudwatch.Alarm(
            self,
            name,
            metric=metric,
            threshold=threshold,
            evaluation_periods=periods,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
            alarm_description=description,
        )


def _keys(
    definition: Mapping[str, Any], types: Mapping[str, dynamodb.AttributeType]
) -> dict[str, Any]:
    """Return the keys of a table or an index, as the CDK takes them."""
    return {
        {"HASH": "partition_key", "RANGE": "sort_key"}[key["KeyType"]]: dynamodb.Attribute(
            name=key["AttributeName"], type=types[key["AttributeName"]]
        )
        for key in definition["KeySchema"]
    }
