"""The metrics of analytics in CloudWatch: as log lines (EMF), or by PutMetricData.

    analytics = Analytics("dynamodb://copilot-analytics")
    CloudWatchMetrics(analytics).start()

publishes every minute, and a last time when `analytics` is closed. docs/metrics.md has the names,
what they mean, and how to alarm on them.
"""

from __future__ import annotations

import logging
import math
import re
import threading
from collections.abc import Mapping
from types import TracebackType
from typing import Literal, Self, TextIO

from copilot_analytics.analytics import Analytics
from copilot_analytics.errors import ConfigurationError
from copilot_analytics.metrics import METRICS, NAMESPACE, STORE_DIMENSION, Reading

from ._cloudwatch_targets import Lines, Requests, Target

__all__ = ["CloudWatchMetrics"]

_log = logging.getLogger("copilot_analytics.cloudwatch")

_NAMESPACE = re.compile(r"(?!AWS/)[A-Za-z0-9._/#-][A-Za-z0-9._/#:-]{0,254}")
_DIMENSION_NAME = re.compile(r"(?!:)[!-~]{1,250}")
_DIMENSION_VALUE = re.compile(r"(?=.*[!-~])[ -~]{1,1024}")
_MOST_DIMENSIONS = 29
"""CloudWatch takes 30; some metrics have one of their own."""

_RESERVED = {"_aws", *METRICS, *(each.dimension for each in METRICS.values())}


class CloudWatchMetrics:
    """Publishes the metrics of an `Analytics`, in a thread of its own.

    Counters are published as what was added since the last publication. One that fails is counted
    and logged once, and what it had to tell is in the next one: nothing is lost, however long
    CloudWatch cannot be reached, and nothing piles up. A request that CloudWatch took without its
    answer arriving is counted twice.

    Start it with `start()` or `with`; it is closed with its `Analytics`, after the recorder, or by
    the exit of the interpreter. A forked child publishes what itself measures.

    Args:
        analytics: whose metrics.
        mode: `emf` writes log lines, for where standard output goes to CloudWatch Logs (ECS,
            Lambda); `put` calls PutMetricData, which needs boto3 (the extra `dynamodb`), and
            credentials that allow `cloudwatch:PutMetricData`.
        interval: the time between publications, in seconds.
        stream: where log lines go; None means standard output.
        namespace: CloudWatch's namespace.
        dimensions: of all metrics; None means the store's name alone. Alarms have to name the same.
        region: with `put`; None leaves it to boto3's own rules.
        endpoint_url: with `put`; None means AWS.

    Attributes:
        failures: how many publications failed.

    Raises:
        ConfigurationError: an argument cannot be used.
        MissingDependencyError: `put` is asked for and boto3 is not installed.
    """

    def __init__(
        self,
        analytics: Analytics,
        *,
        mode: Literal["emf", "put"] = "emf",
        interval: float = 60.0,
        stream: TextIO | None = None,
        namespace: str = NAMESPACE,
        dimensions: Mapping[str, str] | None = None,
        region: str | None = None,
        endpoint_url: str | None = None,
    ) -> None:
        if not 0 < interval < math.inf:
            raise ConfigurationError("interval", interval, "give seconds, more than 0")
        if not _NAMESPACE.fullmatch(namespace):
            raise ConfigurationError(
                "namespace", namespace, "use letters, digits and ._/#:-, and not AWS's own"
            )
        if dimensions is None:
            dimensions = {STORE_DIMENSION: _printable(analytics.metrics.store)}
        _check_dimensions(dimensions)
        self._target: Target
        if mode == "emf":
            self._target = Lines(stream, namespace, dimensions)
        elif mode == "put":
            self._target = Requests(namespace, dimensions, region, endpoint_url)
        else:
            raise ConfigurationError("mode", mode, "give emf or put")
        self._analytics = analytics
        self._interval = interval
        self._reset()
        analytics.metrics.attach(self)

    def _reset(self) -> None:
        self.failures = 0
        self._failing = False
        self._last = Reading()
        self._lock = threading.Lock()
        self._publishing = threading.Lock()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    def renew_in_child(self) -> None:
        """Start anew in a forked child: its parent publishes what is the parent's."""
        closed = self._closing.is_set()
        started = self._thread is not None
        self._reset()
        self._target.renew()
        if closed:
            self._closing.set()
        elif started:
            self.start()

    def start(self) -> Self:
        """Start publishing; nothing if that is on already, or was closed."""
        with self._lock:
            if self._thread is not None or self._closing.is_set():
                return self
            thread = threading.Thread(
                target=self._run, name="copilot-analytics-cloudwatch", daemon=True
            )
            thread.start()
            self._thread = thread
        return self

    def publish(self) -> bool:
        """Publish now, in the calling thread: for where no thread runs in between, as on Lambda.

        Returns:
            Whether it worked; never raises.
        """
        with self._publishing:
            problem: str | None = None
            with self._analytics.guard.attempt("cloudwatch.publish") as attempt:
                reading = self._analytics.metrics.read()
                problem = self._target.publish(
                    reading.since(self._last), self._analytics.clock.now_ms()
                )
                if problem is None:
                    self._last = reading
            if attempt.error is not None:
                problem = type(attempt.error).__qualname__
            self._account(problem)
            return problem is None

    def _account(self, problem: str | None) -> None:
        if problem is not None:
            self.failures += 1
            if not self._failing:
                _log.error("metrics were not published: %s; the next time includes them", problem)
        elif self._failing:
            _log.warning("metrics are published again")
        self._failing = problem is not None

    def close(self, timeout: float = 5.0) -> bool:
        """Publish a last time and end; idempotent; never raises; nothing if it was not started.

        Close the `Analytics` first, or leave this to it: what it records later is not published.

        Args:
            timeout: how long to wait for the thread, in seconds.

        Returns:
            Whether it has ended.
        """
        with self._lock:
            self._closing.set()
            thread = self._thread
        self._analytics.metrics.detach(self)
        if thread is None:
            return True
        thread.join(timeout)
        return not thread.is_alive()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _run(self) -> None:
        while not self._closing.wait(self._interval):
            self.publish()
        self.publish()


def _printable(text: str) -> str:
    return text.encode("ascii", "backslashreplace").decode()[:1024]


def _check_dimensions(dimensions: Mapping[str, str]) -> None:
    if not 1 <= len(dimensions) <= _MOST_DIMENSIONS:
        raise ConfigurationError(
            "dimensions", dict(dimensions), f"give 1 to {_MOST_DIMENSIONS} of them"
        )
    for name, value in dimensions.items():
        if name in _RESERVED or not _DIMENSION_NAME.fullmatch(name):
            raise ConfigurationError(
                "dimensions", name, "name it in ASCII without spaces, and not as a metric's own"
            )
        if not _DIMENSION_VALUE.fullmatch(value):
            raise ConfigurationError(
                "dimensions", value, "give 1 to 1024 printable ASCII characters"
            )
