"""The IAM policy of whoever uses the table: what each part needs, why, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ..errors import ConfigurationError
from ..metrics import NAMESPACE

__all__ = [
    "ERASE_ACTIONS",
    "IMPORT_ACTIONS",
    "MANAGE_ACTIONS",
    "METRICS_ACTIONS",
    "READ_ACTIONS",
    "WRITE_ACTIONS",
    "Place",
    "Statement",
    "document",
    "statements",
]

READ_ACTIONS = ("dynamodb:DescribeTable", "dynamodb:GetItem", "dynamodb:Query")
"""What the questions need; DescribeTable for the store's own figures."""

WRITE_ACTIONS = (
    "dynamodb:BatchWriteItem",
    "dynamodb:GetItem",
    "dynamodb:PutItem",
    "dynamodb:Query",
    "dynamodb:UpdateItem",
)
"""What recording needs, reading its own marks included."""

ERASE_ACTIONS = ("dynamodb:DeleteItem",)
"""What erasing a user needs besides."""

IMPORT_ACTIONS = ("dynamodb:Scan",)
"""What an import needs of the table that it reads."""

MANAGE_ACTIONS = (
    "dynamodb:CreateTable",
    "dynamodb:DescribeContinuousBackups",
    "dynamodb:DescribeTable",
    "dynamodb:DescribeTimeToLive",
    "dynamodb:UpdateContinuousBackups",
    "dynamodb:UpdateTimeToLive",
)
"""What `copilot-analytics table create` and `describe` need."""

METRICS_ACTIONS = ("cloudwatch:PutMetricData",)
"""What publishing metrics by requests needs; as log lines it needs nothing."""

_TABLE_NAME = re.compile(r"[A-Za-z0-9_.-]{3,255}")
_REGION = re.compile(r"\*|[a-z]{2}(-[a-z]+)+-\d")
_ACCOUNT = re.compile(r"\*|\d{12}")
_PARTITION = re.compile(r"aws(-[a-z]+)*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a table is: the parts of its ARN that are not its name.

    Raises:
        ConfigurationError: a part that no ARN has.
    """

    region: str = "*"
    """Such as eu-central-1; `*` is any."""
    account: str = "*"
    """The twelve digits of the account; `*` is any."""
    partition: str = "aws"
    """`aws`, `aws-cn` or `aws-us-gov`."""

    def __post_init__(self) -> None:
        for name, pattern, remedy in (
            ("region", _REGION, "give one such as eu-central-1, or * for any"),
            ("account", _ACCOUNT, "give its twelve digits, or * for any"),
            ("partition", _PARTITION, "give aws, aws-cn or aws-us-gov"),
        ):
            if not pattern.fullmatch(getattr(self, name)):
                raise ConfigurationError(name, getattr(self, name), remedy)

    def table_arn(self, table: str) -> str:
        """Return a table's ARN.

        Raises:
            ConfigurationError: no table can have that name.
        """
        if not _TABLE_NAME.fullmatch(table):
            raise ConfigurationError(
                "table", table, "give 3 to 255 letters, digits, dots, hyphens and underscores"
            )
        return f"arn:{self.partition}:dynamodb:{self.region}:{self.account}:table/{table}"


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of a policy, and why it is there.

    Attributes:
        sid: its name in the document.
        actions: what it allows, sorted.
        resources: on what.
        reason: what needs it, as a sentence.
        namespace: the only CloudWatch namespace that it is about; None if it is about none.
    """

    sid: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    reason: str
    namespace: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the statement as IAM takes it, which has no place for the reason."""
        statement: dict[str, Any] = {
            "Sid": self.sid,
            "Effect": "Allow",
            "Action": list(self.actions),
            "Resource": list(self.resources),
        }
        if self.namespace is not None:
            condition = {"cloudwatch:namespace": self.namespace}
            statement["Condition"] = {"StringEquals": condition}
        return statement


def statements(
    table: str,
    place: Place | None = None,
    *,
    import_from: str | None = None,
    erase: bool = False,
    manage: bool = False,
    metrics: bool = False,
) -> tuple[Statement, ...]:
    """Return what the process that records and answers needs, and what was asked for besides.

    Args:
        table: the table's name.
        place: where it is; anywhere by default, which is wider than it need be.
        import_from: the table in the original format that an import reads.
        erase: whether users are erased.
        manage: whether the table is created and described.
        metrics: whether metrics are published by PutMetricData.

    Raises:
        ConfigurationError: no table can have such a name.
    """
    where = place or Place()
    arn = where.table_arn(table)
    chosen = [
        Statement(
            "CopilotAnalyticsUse",
            tuple(sorted({*READ_ACTIONS, *WRITE_ACTIONS})),
            (arn, f"{arn}/index/*"),
            "Recording events, counting them, and answering questions from the counts.",
        )
    ]
    if erase:
        chosen.append(
            Statement(
                "CopilotAnalyticsErase",
                ERASE_ACTIONS,
                (arn,),
                "Erasing a user deletes that user's events and counts.",
            )
        )
    if import_from is not None:
        chosen.append(
            Statement(
                "CopilotAnalyticsImport",
                IMPORT_ACTIONS,
                (where.table_arn(import_from),),
                "An import reads the whole source table, once; it writes nothing there.",
            )
        )
    if metrics:
        chosen.append(
            Statement(
                "CopilotAnalyticsMetrics",
                METRICS_ACTIONS,
                ("*",),
                "Metrics published by requests; CloudWatch knows no resource, only the namespace.",
                NAMESPACE,
            )
        )
    if manage:
        chosen.append(
            Statement(
                "CopilotAnalyticsManage",
                MANAGE_ACTIONS,
                (arn,),
                "`table create` and `table describe`; for an operator, not for the copilot.",
            )
        )
    return tuple(chosen)


def document(chosen: Iterable[Statement]) -> dict[str, Any]:
    """Return the policy document of some statements, as IAM takes it."""
    return {"Version": "2012-10-17", "Statement": [each.as_json() for each in chosen]}
