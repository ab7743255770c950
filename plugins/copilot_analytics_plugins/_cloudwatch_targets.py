"""Where metrics for CloudWatch go: to a stream as log lines, or to its API."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, Protocol, TextIO

from copilot_analytics.errors import MissingDependencyError
from copilot_analytics.metrics import Reading

from ._cloudwatch_formats import emf_lines, metric_data

__all__ = ["Lines", "Requests", "Target"]


class Target(Protocol):
    """Where publications go."""

    def publish(self, reading: Reading, now_ms: int) -> str | None:
        """Publish a reading; return what went wrong."""
        ...

    def renew(self) -> None:
        """Share nothing with the process that this one was forked from."""
        ...


class Lines:
    """Documents of the embedded metric format, written to a stream."""

    def __init__(
        self, stream: TextIO | None, namespace: str, dimensions: Mapping[str, str]
    ) -> None:
        self._stream = stream
        self._namespace = namespace
        self._dimensions = dimensions

    def publish(self, reading: Reading, now_ms: int) -> str | None:
        """See `Target.publish`."""
        lines = emf_lines(
            reading, namespace=self._namespace, dimensions=self._dimensions, now_ms=now_ms
        )
        stream = self._stream or sys.stdout
        try:
            # One write, or what other threads print may come in between.
            stream.write("".join(f"{line}\n" for line in lines))
            stream.flush()
        except (OSError, ValueError) as exc:  # it is broken, or closed
            return f"the stream refused them with {type(exc).__qualname__}"
        return None

    def renew(self) -> None:
        """See `Target.renew`: a stream is the host's to share."""


class Requests:
    """Calls of PutMetricData.

    One request holds a whole publication: 16 series of all 645 buckets would be 80 data of 150
    values, about 250 kB, and CloudWatch takes 1,000 and 1 MB. So either all of it counts or none.
    boto3 compresses it.
    """

    CONNECT_SECONDS = 2.0
    READ_SECONDS = 5.0
    ATTEMPTS = 2
    """So that not even the last publication takes long; more would not help, the next one will."""

    def __init__(
        self,
        namespace: str,
        dimensions: Mapping[str, str],
        region: str | None,
        endpoint_url: str | None,
    ) -> None:
        try:
            import boto3.session
            import botocore.config
            import botocore.exceptions
        except ImportError as exc:
            raise MissingDependencyError("boto3", "dynamodb") from exc
        self._boto3 = boto3
        self._botocore = botocore
        self._namespace = namespace
        self._dimensions = dimensions
        self._region = region
        self._endpoint_url = endpoint_url
        self._client: Any = None

    def publish(self, reading: Reading, now_ms: int) -> str | None:
        """See `Target.publish`."""
        errors = self._botocore.exceptions
        data = metric_data(reading, dimensions=self._dimensions, now_ms=now_ms)
        try:
            # Only now: to make one reads files, and asks for credentials.
            self._client = self._client or self._new_client()
            self._client.put_metric_data(Namespace=self._namespace, MetricData=data)
        except errors.ClientError as exc:
            code = exc.response.get("Error", {}).get("Code", "unknown")
            return f"CloudWatch refused them with {code}"
        except errors.BotoCoreError as exc:
            return f"CloudWatch could not be called: {type(exc).__qualname__}"
        return None

    def renew(self) -> None:
        """See `Target.renew`."""
        self._client = None

    def _new_client(self) -> Any:
        return self._boto3.session.Session().client(
            "cloudwatch",
            region_name=self._region,
            endpoint_url=self._endpoint_url,
            config=self._botocore.config.Config(
                connect_timeout=self.CONNECT_SECONDS,
                read_timeout=self.READ_SECONDS,
                max_pool_connections=1,
                retries={"mode": "standard", "total_max_attempts": self.ATTEMPTS},
            ),
        )
