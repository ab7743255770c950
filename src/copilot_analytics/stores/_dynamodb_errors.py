"""What DynamoDB's refusals mean: which are worth another try, and what to tell whoever runs it.

Neither messages nor logs may carry what items hold, and AWS's own texts quote values now and then:
of those texts only what is known to be harmless is passed on.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

import msgspec

from ..errors import StoreError, StoreUnavailableError

__all__ = ["ConditionFailed", "Cure", "Refusal", "Refused", "TableMissing", "refusal_of"]


class ConditionFailed(Exception):
    """The condition of a write does not hold; nothing was written.

    Attributes:
        item: the item as it is, where the request asked for it by
            `ReturnValuesOnConditionCheckFailure=ALL_OLD`; None where it did not, or there is none.
    """

    def __init__(self, item: dict[str, Any] | None) -> None:
        super().__init__("the condition of a write does not hold")
        self.item = item


class TableMissing(StoreUnavailableError):
    """There is no such table."""


class Refused(StoreError):
    """A request was refused for what it is.

    Attributes:
        code: AWS's name for the reason.
    """

    def __init__(self, store: str, problem: str, remedy: str, code: str) -> None:
        super().__init__(store, problem, remedy)
        self.code = code


class Cure(Enum):
    """What makes a refused request succeed."""

    NONE = auto()
    """Nothing that a program can do."""
    PAUSE = auto()
    """Sending it again a moment later."""
    CLOCK = auto()
    """Signing it by AWS's clock."""
    CREDENTIALS = auto()
    """Signing it with other credentials."""


_PAUSE = {
    "InternalFailure",
    "InternalServerError",
    "ItemCollectionSizeLimitExceededException",
    "LimitExceededException",  # too many tables are being made or changed
    "ProvisionedThroughputExceededException",
    "ReplicatedWriteConflictException",
    "RequestLimitExceeded",
    "ServiceUnavailable",
    "ServiceUnavailableException",
    "SlowDown",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
    "TransactionConflictException",
    "TransactionInProgressException",
}
_CLOCK = {"RequestExpired", "RequestInTheFuture", "RequestTimeTooSkewed"}
_CREDENTIALS = {
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "IncompleteSignatureException",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
}
_DENIED = {"AccessDenied", "AccessDeniedException", "NotAuthorized"}
_MISSING = {"ResourceNotFoundException", "TableNotFoundException"}

# What AWS says of a request whose keys are not those of the table.
_OTHER_KEYS = re.compile(
    r"key element does not match the schema|Missing the key|Type mismatch for (?:Index )?[Kk]ey"
    r"|number of conditions on the keys is invalid|Query condition missed key schema element"
    r"|does not have the specified index"
)
_ASKED_FOR = re.compile(r"perform: (dynamodb:\w+)(?: on resource: (\S+))?")
# Texts that name attributes, operators and sizes only; of all others the part before the first
# colon is kept, since values come after it.
_HARMLESS = re.compile(r"Invalid \w+Expression|Item size|One or more parameter values were invalid")
_QUOTED = re.compile(r"\[.*?\]|'.*?'|\".*?\"|\{.*?\}", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer that is none."""

    status: int
    code: str
    """As AWS names it, without its namespace; `HTTP 502` where there is no such name."""
    message: str
    """AWS's own words; never to be shown as they are."""
    item: dict[str, Any] | None
    """The item that a failed condition was about."""

    @property
    def cure(self) -> Cure:
        """What makes the request succeed."""
        if self.code in _PAUSE or self.status >= 500 or self.code.startswith("HTTP "):
            return Cure.PAUSE
        if self.code in _CLOCK or self.message.startswith("Signature"):
            return Cure.CLOCK
        return Cure.CREDENTIALS if self.code in _CREDENTIALS else Cure.NONE

    def error(self, store: str, operation: str, table: str, region: str) -> Exception:
        """Return what to raise for it.

        Args:
            store: the store as a URL without credentials.
            operation: as AWS names it.
            table: the table's name.
            region: the region that was asked.
        """
        if self.code == "ConditionalCheckFailedException":
            return ConditionFailed(self.item)
        if self.code in _MISSING:
            return TableMissing(
                store,
                f"there is no table {table!r} in {region} under these credentials",
                f"run copilot-analytics table create --store {store!r}, or correct the table's "
                "name, region or credentials",
            )
        if self.code in _DENIED:
            asked = _ASKED_FOR.search(self.message)
            action = asked[1] if asked else f"dynamodb:{operation}"
            resource = (asked and asked[2]) or f"the table {table!r}"
            return StoreUnavailableError(
                store,
                f"AWS does not permit {action} on {resource}",
                "add it to the policy of this role or user: copilot-analytics table policy prints "
                "the least-privilege one",
            )
        if self.message.startswith("Credential should be scoped"):
            return StoreUnavailableError(
                store,
                f"the endpoint does not belong to the region {region}",
                "correct ?region= in the URL (or AWS_DEFAULT_REGION), or the endpoint",
            )
        if self.cure is Cure.CREDENTIALS:
            expired = self.code.startswith("Expired")
            return StoreUnavailableError(
                store,
                "the AWS credentials have expired"
                if expired
                else f"AWS does not accept the credentials ({self.code})",
                "renew them (aws sso login, or new keys); roles of AWS renew themselves"
                if expired
                else "check the access key, the secret key and, for temporary ones, the session "
                "token",
            )
        if self.cure is Cure.CLOCK:
            return StoreUnavailableError(
                store,
                f"AWS finds the time of the request wrong ({self.code})",
                "set the clock of this host by NTP",
            )
        if self.cure is Cure.PAUSE:
            return StoreUnavailableError(
                store,
                f"{operation} was refused for now ({self.code})",
                "it is repeated; where it lasts, see the table's throttling metrics and AWS's "
                "health dashboard",
            )
        if _OTHER_KEYS.search(self.message):
            return StoreUnavailableError(
                store,
                f"the table {table!r} has other keys or indexes than this product's "
                f"({self._harmless()})",
                f"run copilot-analytics table describe --store {store!r} to see what differs",
            )
        return Refused(
            store,
            f"{operation} was refused: {self.code} ({self._harmless()})",
            "this is a fault of copilot-analytics or of the data: please report it",
            self.code,
        )

    def _harmless(self) -> str:
        text = _QUOTED.sub("…", self.message)
        return (text if _HARMLESS.match(text) else text.partition(":")[0])[:300]


def refusal_of(status: int, body: bytes) -> Refusal:
    """Read an answer whose status is not 200; of what is not DynamoDB's the status is told."""
    try:
        told: Any = msgspec.json.decode(body)
    except msgspec.DecodeError:
        told = None
    fields: Mapping[str, Any] = told if isinstance(told, dict) else {}
    name = fields.get("__type") or fields.get("code")
    message = fields.get("message") or fields.get("Message")
    item = fields.get("Item")
    return Refusal(
        status=status,
        code=name.rpartition("#")[2] if isinstance(name, str) else f"HTTP {status}",
        message=message if isinstance(message, str) else "",
        item=item if isinstance(item, dict) else None,
    )
