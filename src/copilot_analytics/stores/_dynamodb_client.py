"""Calls DynamoDB: tries again what may succeed, within bounds, and says clearly what will not.

Neither boto3 nor urllib3 repeats anything here. boto3's own retries draw on a quota that a long
fault empties, after which every call fails; ours are bounded by number and time alone.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar
from urllib.parse import quote, urlencode

import msgspec

from .._forking import renew_in_children
from ..errors import StoreUnavailableError
from ._dynamodb_errors import Cure, refusal_of
from ._dynamodb_threads import Threads
from ._dynamodb_transport import Reply, Transport, TransportError

__all__ = ["DynamoDBClient"]

T = TypeVar("T")
R = TypeVar("R")

_FIRST_PAUSE: Final = 0.05  # seconds at most; each further one may be twice as long, up to
_LONGEST_PAUSE: Final = 1.0

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict[str, Any]).decode


@dataclass(frozen=True, slots=True)
class _Failure:
    """An attempt that did not succeed."""

    error: Exception
    cure: Cure


class DynamoDBClient:
    """One table of DynamoDB, called with requests in the wire's own format; thread-safe.

    Values are `{"S": …}`, `{"N": "…"}` and so on; binary ones are given as bytes or base64 text
    and come back as base64 text. Constructing it touches no network, and closing it only closes
    idle connections. In a forked child it opens connections of its own.

    Args:
        table: the table's name.
        region: its region; by default where boto3 finds one.
        endpoint_url: another endpoint than AWS's own for the region.
        connect_timeout: how long an attempt waits for a connection, in seconds.
        read_timeout: how long an attempt waits for its answer, in seconds.
        concurrency: how many threads `each` adds, all its callers together; there are at most
            twice as many connections.
        attempts: how often a request is sent at most.
        time_limit: within about how many seconds a call ends. What cannot be interrupted comes on
            top: looking up the host's name, finding credentials, an answer that trickles in.

    Attributes:
        table: the table's name.
        region: the region that is asked.
        url: the store as a URL without credentials, for messages.
        consumed: called with an operation and each ConsumedCapacity that its answer carries, in
            the thread of the call; for tests and benchmarks.

    Raises:
        ConfigurationError: there is no region, or it or the endpoint cannot be used.
    """

    def __init__(
        self,
        table: str,
        *,
        region: str | None = None,
        endpoint_url: str | None = None,
        connect_timeout: float = 2.0,
        read_timeout: float = 5.0,
        concurrency: int = 8,
        attempts: int = 10,
        time_limit: float = 10.0,
    ) -> None:
        # The callers of `each` work besides its threads.
        self._transport = Transport(
            region=region, endpoint_url=endpoint_url, connections=2 * concurrency
        )
        self._threads = Threads(concurrency)
        self._connect_timeout = connect_timeout
        self._read_timeout = read_timeout
        self._attempts = attempts
        self._time_limit = time_limit
        self.table = table
        self.region = self._transport.region
        shown = {"region": self.region}
        if endpoint_url is not None:
            shown["endpoint"] = self._transport.url
        self.url = f"dynamodb://{quote(table)}?{urlencode(shown, safe=':/')}"
        self.consumed: Callable[[str, Mapping[str, Any]], None] | None = None
        renew_in_children(self)

    def renew_in_child(self) -> None:
        """Forget the parent's connections and threads."""
        self._transport.renew()
        self._threads.renew()

    def close(self) -> None:
        """Close idle connections; idempotent. A later call opens new ones."""
        self._transport.close()

    def each(self, function: Callable[[T], R], items: Iterable[T]) -> list[R]:
        """Call the function with each item, several at once, and return the results in order.

        It returns when all calls have ended. After a `StoreUnavailableError` no further one is
        begun; other errors leave the rest of the items to be done.

        Raises:
            Exception: what the function raised, for the first item for which it did.
        """
        return self._threads.each(function, items)

    def call(self, operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """Send a request until it is answered, and return the answer.

        An attempt whose answer is lost may have taken effect, and the next one takes it again:
        requests have to be such that this does no harm. What a BatchWriteItem leaves unprocessed is
        sent again, like what is throttled.

        Args:
            operation: as AWS names it, such as `UpdateItem`.
            request: its parameters, `TableName` included.

        Raises:
            ConditionFailed: the condition of the write does not hold.
            StoreUnavailableError: it did not succeed within the attempts and the time, or cannot
                before somebody has done what the message says.
            StoreError: it never will.
        """
        body = _encode(request)
        deadline = time.monotonic() + self._time_limit
        cured: set[Cure] = set()
        number, longest_pause = 0, _FIRST_PAUSE
        while True:
            number += 1
            answer = self._attempt(operation, body, deadline, cured)
            if not isinstance(answer, _Failure):
                unprocessed = answer.get("UnprocessedItems")
                if not unprocessed:
                    return answer
                body = _encode({**request, "RequestItems": unprocessed})
                answer = self._throttled(operation)
            if answer.cure is Cure.NONE or number == self._attempts:
                raise answer.error
            if answer.cure is Cure.PAUSE:
                pause = random.uniform(0, longest_pause)
                longest_pause = min(2 * longest_pause, _LONGEST_PAUSE)
                if time.monotonic() + pause >= deadline:
                    raise answer.error
                time.sleep(pause)

    def _attempt(
        self, operation: str, body: bytes, deadline: float, cured: set[Cure]
    ) -> dict[str, Any] | _Failure:
        left = max(deadline - time.monotonic(), 0.1)
        try:
            reply = self._transport.send(
                operation,
                body,
                connect=min(self._connect_timeout, left),
                read=min(self._read_timeout, left),
                total=left,
            )
        except TransportError as exc:
            error = StoreUnavailableError(self.url, exc.problem, exc.remedy)
            error.__cause__ = exc
            return _Failure(error, Cure.PAUSE if exc.retryable else Cure.NONE)
        if reply.status != 200:
            return self._refused(operation, reply, cured)
        try:
            answer = _decode(reply.body)
        except msgspec.DecodeError:
            error = StoreUnavailableError(
                self.url,
                f"{operation} was answered by something that is not DynamoDB's JSON",
                "check the endpoint, and what lies in between",
            )
            return _Failure(error, Cure.PAUSE)
        self._tell_consumed(operation, answer)
        return answer

    def _refused(self, operation: str, reply: Reply, cured: set[Cure]) -> _Failure:
        refusal = refusal_of(reply.status, reply.body)
        cure = refusal.cure
        if cure is Cure.CREDENTIALS or cure is Cure.CLOCK:
            # Once each: where that does not help, nothing will.
            if cure in cured or not self._tried(cure, reply):
                cure = Cure.NONE
            cured.add(cure)
        return _Failure(refusal.error(self.url, operation, self.table, self.region), cure)

    def _tried(self, cure: Cure, reply: Reply) -> bool:
        if cure is Cure.CLOCK:
            return self._transport.correct_clock(reply.date)
        self._transport.refresh_credentials(reply.credentials)
        return True

    def _throttled(self, operation: str) -> _Failure:
        error = StoreUnavailableError(
            self.url,
            f"{operation} left items unprocessed",
            "it is repeated; where it lasts, see the table's throttling metrics",
        )
        return _Failure(error, Cure.PAUSE)

    def _tell_consumed(self, operation: str, answer: Mapping[str, Any]) -> None:
        if self.consumed is None:
            return
        capacity = answer.get("ConsumedCapacity") or []
        for one in capacity if isinstance(capacity, list) else [capacity]:
            self.consumed(operation, one)
