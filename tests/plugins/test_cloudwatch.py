"""The metrics in CloudWatch: log lines held to the format's published rules; requests to moto."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
import logging
import os
import re
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from copilot_analytics import Analytics, AnalyticsConfig, ConfigurationError
from copilot_analytics.batch import Batch
from copilot_analytics.histogram import MAX_BUCKET, ZERO_BUCKET
from copilot_analytics.metrics import METRICS, Durations, MetricName, Reading
from copilot_analytics.stores import MemoryStore
from copilot_analytics.testing import FakeClock
from copilot_analytics_plugins._cloudwatch_formats import EMF_VALUES, emf_lines, metric_data
from copilot_analytics_plugins.cloudwatch import CloudWatchMetrics

NOON = 1_773_576_000_000  # 2026-03-15T12:00Z
NEVER = 3600.0
REGION = "eu-central-1"


class CountingStore(MemoryStore):
    def write(self, batch: Batch) -> None:
        super().write(batch)
        self.bytes_written = (self.bytes_written or 0) + 100 * len(batch.events)


@pytest.fixture
def analytics() -> Iterator[Analytics]:
    analytics = Analytics(CountingStore(), config=AnalyticsConfig(flush_interval=NEVER))
    yield analytics
    analytics.close()


def work(analytics: Analytics, rounds: int = 1) -> None:
    """Executions, errors, lost events, and questions."""
    service = analytics.service
    for _ in range(rounds):
        for _ in range(3):
            service.track_command_execution("ada", "add", True, 12.0)
        service.track_error("ada", "Timeout", "it took too long")
        service.track_event("MESSAGE_SENT", "ada", timestamp=1)
        assert analytics.recorder.flush_blocking(30)
        asyncio.run(service.dashboard(service.today()))


# Log lines.

UNITS = {metric.unit for metric in METRICS.values()} & {"Count", "Bytes", "Milliseconds"}


def checked(line: str) -> dict[str, Any]:
    """One document, held to the rules of the format's specification and its JSON schema."""
    assert len(line) <= 256 * 1024
    assert "\n" not in line
    document: dict[str, Any] = json.loads(line, parse_constant=lambda name: pytest.fail(name))
    about = document["_aws"]
    assert set(about) == {"Timestamp", "CloudWatchMetrics"}
    assert type(about["Timestamp"]) is int
    for directive in about["CloudWatchMetrics"]:
        assert set(directive) == {"Namespace", "Dimensions", "Metrics"}
        assert re.fullmatch(r".{1,1024}", directive["Namespace"])
        assert directive["Dimensions"]
        for names in directive["Dimensions"]:
            assert len(names) == len(set(names)) <= 30
            for name in names:
                assert re.fullmatch(r".{1,250}", name)
                assert isinstance(document[name], str)
                assert 1 <= len(document[name]) <= 1024
                assert document[name].isascii()
        assert 1 <= len(directive["Metrics"]) <= 100
        named = [metric["Name"] for metric in directive["Metrics"]]
        assert len(named) == len(set(named))
        for metric in directive["Metrics"]:
            assert set(metric) <= {"Name", "Unit", "StorageResolution"}
            assert re.fullmatch(r".{1,1024}", metric["Name"])
            assert metric["Unit"] in UNITS
            target = document[metric["Name"]]
            values = target if isinstance(target, list) else [target]
            assert 1 <= len(values) <= 100
            assert all(type(value) in (int, float) for value in values)
    return document


class Sums:
    """What CloudWatch makes of documents: samples and their sum by metric and dimensions."""

    def __init__(self, text: str) -> None:
        self.samples: Counter[tuple[str, tuple[tuple[str, str], ...]]] = Counter()
        self.sums: Counter[tuple[str, tuple[tuple[str, str], ...]]] = Counter()
        for line in text.splitlines():
            document = checked(line)
            for directive in document["_aws"]["CloudWatchMetrics"]:
                for names in directive["Dimensions"]:
                    dimensions = tuple((name, document[name]) for name in names)
                    for metric in directive["Metrics"]:
                        target = document[metric["Name"]]
                        values = target if isinstance(target, list) else [target]
                        self.samples[metric["Name"], dimensions] += len(values)
                        self.sums[metric["Name"], dimensions] += sum(values)

    def sum(self, name: MetricName, **own: str) -> float:
        return self.sums[name, (("Store", "memory://"), *own.items())]

    def count(self, name: MetricName, **own: str) -> int:
        return self.samples[name, (("Store", "memory://"), *own.items())]


def test_lines_add_up_to_the_recorder_s_own_counters(analytics: Analytics) -> None:
    stream = io.StringIO()
    metrics = CloudWatchMetrics(analytics, stream=stream, interval=NEVER).start()
    work(analytics)
    assert metrics.publish()
    work(analytics, rounds=2)
    assert metrics.publish()
    work(analytics)
    analytics.close()

    health = analytics.recorder.health()
    told = Sums(stream.getvalue())
    assert told.sum(MetricName.EVENTS_TRACKED) == health.accepted == 20
    assert told.sum(MetricName.ERRORS) == 4
    assert told.sum(MetricName.EVENTS_DROPPED) == sum(health.dropped.values()) == 4
    assert told.sum(MetricName.EVENTS_DROPPED, Reason="too_old") == 4
    assert told.sum(MetricName.BYTES_WRITTEN) == 100 * health.stored == 1600
    assert told.sum(MetricName.EVENTS_PENDING) == 0
    assert told.count(MetricName.EVENTS_SPOOLED) == 3
    assert told.count(MetricName.FLUSH_LATENCY) == 4
    assert told.count(MetricName.QUERY_LATENCY) == 4
    assert told.count(MetricName.QUERY_LATENCY, Question="dashboard") == 4
    exact = analytics.metrics.read().durations[MetricName.QUERY_LATENCY, None].total_ms
    assert told.sum(MetricName.QUERY_LATENCY) == pytest.approx(exact, rel=0.021)


def test_lines_say_when_they_are_of() -> None:
    analytics = Analytics("memory://", clock=FakeClock(NOON))
    stream = io.StringIO()
    assert CloudWatchMetrics(analytics, stream=stream).publish()
    analytics.close()

    assert {checked(line)["_aws"]["Timestamp"] for line in stream.getvalue().splitlines()} == {NOON}


def test_many_durations_go_to_several_lines() -> None:
    reading = Reading(
        {(MetricName.ERRORS, None): 1},
        {},
        {
            (MetricName.FLUSH_LATENCY, None): Durations(250, 0.0, {0: 99, 30: 151}),
            (MetricName.QUERY_LATENCY, "export"): Durations(101, 0.0, {ZERO_BUCKET: 101}),
        },
    )

    lines = emf_lines(reading, namespace="N", dimensions={"Store": "memory://"}, now_ms=NOON)

    told = Sums("\n".join(lines))
    assert len(lines) == 3 + 2
    assert told.sum(MetricName.ERRORS) == 1
    assert told.count(MetricName.FLUSH_LATENCY) == 250
    assert told.count(MetricName.QUERY_LATENCY, Question="export") == 101
    assert EMF_VALUES == 100


def test_standard_output_is_the_default(
    analytics: Analytics, capsys: pytest.CaptureFixture[str]
) -> None:
    assert CloudWatchMetrics(analytics, dimensions={"Service": "copilot"}).publish()

    documents = [checked(line) for line in capsys.readouterr().out.splitlines()]
    assert documents[0]["Service"] == "copilot"
    assert documents[0]["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["Service"]]
    assert documents[0]["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "CopilotAnalytics"


class BrokenStream(io.StringIO):
    broken = True

    def write(self, text: str) -> int:
        if self.broken:
            raise BrokenPipeError
        return super().write(text)


def test_what_could_not_be_published_is_in_the_next_publication(
    analytics: Analytics, caplog: pytest.LogCaptureFixture
) -> None:
    stream = BrokenStream()
    metrics = CloudWatchMetrics(analytics, stream=stream)
    with caplog.at_level(logging.WARNING, "copilot_analytics.cloudwatch"):
        for _ in range(3):
            work(analytics)
            assert not metrics.publish()
        stream.broken = False
        work(analytics)
        assert metrics.publish()
        assert metrics.publish()

    assert Sums(stream.getvalue()).sum(MetricName.EVENTS_TRACKED) == 20
    assert Sums(stream.getvalue()).count(MetricName.FLUSH_LATENCY) == 4
    assert metrics.failures == 3
    assert [record.getMessage() for record in caplog.records] == [
        "metrics were not published: the stream refused them with BrokenPipeError; "
        "the next time includes them",
        "metrics are published again",
    ]


def test_a_closed_stream_is_a_failure_as_well(analytics: Analytics) -> None:
    stream = io.StringIO()
    stream.close()

    assert not CloudWatchMetrics(analytics, stream=stream).publish()
    assert analytics.guard.errors == {}


def test_a_failure_that_nobody_expects_stays_inside(analytics: Analytics) -> None:
    class Odd(io.StringIO):
        def write(self, text: str) -> int:
            raise LookupError(text)

    metrics = CloudWatchMetrics(analytics, stream=Odd())

    assert not metrics.publish()
    assert (metrics.failures, analytics.guard.errors) == (1, {"cloudwatch.publish": 1})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"mode": "emff"}, "mode cannot be 'emff': give emf or put"),
        ({"interval": 0.0}, "interval cannot be 0.0"),
        ({"interval": float("inf")}, "interval cannot be inf"),
        ({"namespace": ""}, "namespace cannot be ''"),
        ({"namespace": "AWS/DynamoDB"}, "namespace cannot be 'AWS/DynamoDB'"),
        ({"dimensions": {}}, "dimensions cannot be {}"),
        ({"dimensions": {str(n): "x" for n in range(30)}}, "give 1 to 29"),
        ({"dimensions": {"Reason": "x"}}, "dimensions cannot be 'Reason'"),
        ({"dimensions": {"_aws": "x"}}, "dimensions cannot be '_aws'"),
        ({"dimensions": {"AnalyticsErrors": "x"}}, "dimensions cannot be 'AnalyticsErrors'"),
        ({"dimensions": {"a b": "x"}}, "dimensions cannot be 'a b'"),
        ({"dimensions": {":a": "x"}}, "dimensions cannot be ':a'"),
        ({"dimensions": {"a": " "}}, "dimensions cannot be ' '"),
        ({"dimensions": {"a": "é"}}, "dimensions cannot be 'é'"),
    ],
)
def test_what_cloudwatch_would_refuse_is_refused_at_once(
    analytics: Analytics, arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(message)):
        CloudWatchMetrics(analytics, **arguments)


def test_a_store_s_name_is_made_printable() -> None:
    class Named(MemoryStore):
        @property
        def url(self) -> str:
            return "sqlite:///données.db"

    analytics = Analytics(Named())
    stream = io.StringIO()
    assert CloudWatchMetrics(analytics, stream=stream).publish()
    analytics.close()

    assert checked(stream.getvalue().splitlines()[0])["Store"] == r"sqlite:///donn\xe9es.db"


# The thread.


class Waking(io.StringIO):
    """Tells when something is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = threading.Semaphore(0)

    def flush(self) -> None:
        self.written.release()


def test_it_publishes_by_itself_and_a_last_time_when_closed(analytics: Analytics) -> None:
    stream = Waking()
    with CloudWatchMetrics(analytics, stream=stream, interval=0.01) as metrics:
        assert metrics.start() is metrics
        assert stream.written.acquire(timeout=30)
        work(analytics)
        assert stream.written.acquire(timeout=30)
    work(analytics)

    assert metrics.close()
    assert metrics.start() is metrics
    assert Sums(stream.getvalue()).sum(MetricName.EVENTS_TRACKED) == 5
    assert analytics.metrics.sinks == ()


def test_the_host_waits_no_longer_than_it_says_for_a_stream_that_hangs(
    analytics: Analytics,
) -> None:
    release = threading.Event()

    class Hanging(io.StringIO):
        def write(self, text: str) -> int:
            release.wait(30)
            return super().write(text)

    metrics = CloudWatchMetrics(analytics, stream=Hanging(), interval=NEVER).start()
    try:
        assert not metrics.close(0.01)
        assert analytics.close(0.05) == 0
    finally:
        release.set()
    assert metrics.close(30)


PROGRAM = """
import os, sys
from copilot_analytics import Analytics, AnalyticsConfig
from copilot_analytics_plugins.cloudwatch import CloudWatchMetrics
analytics = Analytics("memory://", config=AnalyticsConfig(flush_interval=3600.0))
metrics = CloudWatchMetrics(analytics, **eval(sys.argv[1])).start()
analytics.service.track_error("ada", "Timeout")
"""


def run(program: str, arguments: dict[str, object] | None = None) -> str:
    done = subprocess.run(
        [
            *(sys.executable, "-W", "ignore::DeprecationWarning"),
            *("-c", PROGRAM + program, repr(arguments or {})),
        ],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_the_exit_of_the_interpreter_publishes_what_is_left() -> None:
    told = Sums(run(""))

    assert (told.sum(MetricName.EVENTS_TRACKED), told.sum(MetricName.ERRORS)) == (1, 1)


FORKING = """
assert analytics.recorder.flush_blocking(30)
assert metrics.publish()
pid = os.fork()
if pid:
    assert os.waitpid(pid, 0)[1] == 0
else:
    for _ in range(2):
        analytics.service.track_error("ada", "Timeout")
    analytics.close()
    os._exit(0)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_publishes_its_own_alone() -> None:
    """Also the parent's thread, which the child does not have."""
    told = Sums(run(FORKING))

    assert (told.sum(MetricName.EVENTS_TRACKED), told.sum(MetricName.ERRORS)) == (3, 3)
    assert told.count(MetricName.EVENTS_TRACKED) == 3


# Requests.


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    server = ThreadedMotoServer("127.0.0.1", 0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the developer's own may be used."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)


def statistics(
    moto: str, namespace: str, name: MetricName, dimensions: dict[str, str]
) -> tuple[float, float]:
    """The sum of a metric, and of how many samples it is."""
    now = datetime.now(UTC)
    metric = {
        "Namespace": namespace,
        "MetricName": name,
        "Dimensions": [{"Name": key, "Value": value} for key, value in dimensions.items()],
    }
    client = boto3.client("cloudwatch", region_name=REGION, endpoint_url=moto)
    results = client.get_metric_data(
        StartTime=now - timedelta(hours=1),
        EndTime=now + timedelta(hours=1),
        MetricDataQueries=[
            {
                "Id": stat.lower(),
                "MetricStat": {
                    "Metric": metric,
                    "Period": 7200,
                    "Stat": stat,
                    "Unit": METRICS[name].unit,
                },
            }
            for stat in ("Sum", "SampleCount")
        ],
    )["MetricDataResults"]
    (total,), (samples,) = (result["Values"] for result in results)
    return total, samples


def test_cloudwatch_adds_up_to_the_recorder_s_own_counters(analytics: Analytics, moto: str) -> None:
    metrics = CloudWatchMetrics(
        analytics,
        mode="put",
        interval=NEVER,
        namespace="Test",
        region=REGION,
        endpoint_url=moto,
    ).start()
    work(analytics)
    assert metrics.publish()
    work(analytics, rounds=2)
    analytics.close()

    def told(name: MetricName, **own: str) -> tuple[float, float]:
        return statistics(moto, "Test", name, {"Store": "memory://", **own})

    health = analytics.recorder.health()
    assert told(MetricName.EVENTS_TRACKED) == (health.accepted, 2) == (15, 2)
    assert told(MetricName.ERRORS) == (3, 2)
    assert told(MetricName.EVENTS_DROPPED) == (sum(health.dropped.values()), 2) == (3, 2)
    assert told(MetricName.EVENTS_DROPPED, Reason="too_old") == (3, 2)
    assert told(MetricName.BYTES_WRITTEN) == (100 * health.stored, 2)
    assert told(MetricName.EVENTS_PENDING) == (0, 2)
    durations = analytics.metrics.read().durations
    for name, own in (
        (MetricName.FLUSH_LATENCY, {}),
        (MetricName.QUERY_LATENCY, {}),
        (MetricName.QUERY_LATENCY, {"Question": "dashboard"}),
    ):
        exact = durations[name, own.get("Question")]
        total, samples = told(name, **own)
        assert samples == exact.count == 3
        assert total == pytest.approx(exact.total_ms, rel=0.021)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_opens_a_connection_of_its_own(moto: str) -> None:
    arguments = {"mode": "put", "namespace": "Forked", "region": REGION, "endpoint_url": moto}
    run(FORKING, {**arguments, "dimensions": {"Of": "both"}})

    assert statistics(moto, "Forked", MetricName.ERRORS, {"Of": "both"}) == (3, 3)


def test_a_publication_fits_into_one_request() -> None:
    """With every bucket of 30 questions full, and 30 reasons."""
    every = Durations(0, 0.0, dict.fromkeys(range(ZERO_BUCKET, MAX_BUCKET + 1), 1))
    reading = Reading(
        {(MetricName.EVENTS_DROPPED, f"reason_{n}"): 1 for n in range(30)},
        {(MetricName.EVENTS_PENDING, None): 1},
        {(MetricName.QUERY_LATENCY, f"question_{n}"): every for n in range(30)},
    )

    data = metric_data(reading, dimensions={"Store": "x" * 1024}, now_ms=NOON)

    assert len(data) < 1000
    assert len(json.dumps(data, default=str)) < 1_000_000
    assert all(1 <= len(each.get("Values", [0])) <= 150 for each in data)  # type: ignore[arg-type]


class Denying(BaseHTTPRequestHandler):
    """Denies the first request, then hangs up on each."""

    seen: list[bytes]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        self.seen.append(body)
        if len(self.seen) == 1:
            self.send_response(403)
            self.send_header("Content-Type", "application/x-amz-json-1.0")
            self.end_headers()
            self.wfile.write(b'{"__type": "AccessDenied", "message": "no"}')

    def log_message(self, format: str, *args: object) -> None:
        pass


def test_what_cloudwatch_refuses_or_does_not_take_is_a_failure(
    analytics: Analytics, caplog: pytest.LogCaptureFixture
) -> None:
    handler = type("Handler", (Denying,), {"seen": []})
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        metrics = CloudWatchMetrics(
            analytics,
            mode="put",
            region=REGION,
            endpoint_url=f"http://127.0.0.1:{server.server_port}",
        )
        work(analytics)
        with caplog.at_level(logging.WARNING, "copilot_analytics.cloudwatch"):
            assert not metrics.publish()
            assert not metrics.publish()
        server.shutdown()
        thread.join()

    assert metrics.failures == 2
    assert [record.getMessage() for record in caplog.records] == [
        "metrics were not published: CloudWatch refused them with AccessDenied; "
        "the next time includes them"
    ]
    assert analytics.guard.errors == {}


def test_without_a_region_it_says_so(
    analytics: Analytics, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    metrics = CloudWatchMetrics(analytics, mode="put")

    with caplog.at_level(logging.WARNING, "copilot_analytics.cloudwatch"):
        assert not metrics.publish()

    assert "CloudWatch could not be called: NoRegionError" in caplog.text
