"""The DynamoDB engines that tests run on: moto always, real ones where they are present.

* `moto`: a real HTTP server in Python; needs nothing, but loses concurrent updates.
* `dynoxide`: a real engine, from `COPILOT_ANALYTICS_TEST_DYNOXIDE` or where
  `make engine` puts it; each run has a new database.
* `endpoint`: whatever `COPILOT_ANALYTICS_TEST_DYNAMODB` names, DynamoDB Local or AWS itself, with
  the region and credentials of the environment. Tables that tests make there are deleted again.

A test asks for the fixture `engine` and runs once on each of them; nothing may rely on what only
one engine does. Tests of concurrency skip those whose `atomic_add` is false.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore import loaders
from botocore.exceptions import ClientError

# Each boto3 session reads 1.5 MB of JSON about DynamoDB anew: 50 ms a test.
loaders.create_loader = lru_cache(loaders.create_loader)

REGION = "eu-central-1"

# What moto and dynoxide run under: nothing of the developer's own may reach them, or be reached.
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": REGION,
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
    "no_proxy": "127.0.0.1",
}
NOT_THERE = (
    "AWS_CA_BUNDLE",
    "AWS_DEFAULT_PROFILE",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_DYNAMODB",
    "AWS_PROFILE",
    "AWS_SESSION_TOKEN",
)


@dataclass(frozen=True)
class Engine:
    """One engine that runs now."""

    name: str
    endpoint_url: str
    atomic_add: bool
    """Whether concurrent ADDs to one item all count; where not, tests of concurrency skip it."""
    tables: list[str] = field(default_factory=list)
    """The names given out; on an endpoint, which outlives the tests, their tables are deleted."""

    def new_table_name(self) -> str:
        """Return a name that no other test has; the table is the test's to create."""
        name = f"copilot-analytics-test-{uuid.uuid4().hex[:12]}"
        self.tables.append(name)
        return name


def isolate(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a test know no AWS but the one that it names, with credentials that open nothing."""
    for variable in NOT_THERE:
        monkeypatch.delenv(variable, raising=False)
    for variable, value in ENVIRONMENT.items():
        monkeypatch.setenv(variable, value)


def dynoxide_binary() -> Path | None:
    """Return where dynoxide is, or None where it is not."""
    named = os.environ.get("COPILOT_ANALYTICS_TEST_DYNOXIDE")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    kept = cache / "copilot-analytics/dynoxide/bin/dynoxide"
    path = Path(named) if named else kept
    return path if path.is_file() else None


def endpoint() -> str | None:
    """Return the endpoint that the user names, if any."""
    return os.environ.get("COPILOT_ANALYTICS_TEST_DYNAMODB") or None


def all_required() -> bool:
    """Whether an engine that is left out is a failure, as in CI."""
    return os.environ.get("COPILOT_ANALYTICS_TEST_ALL_ENGINES") == "1"


def engine_names() -> list[str]:
    """Return the engines that tests of this run use."""
    names = ["moto"]
    if all_required() or dynoxide_binary():
        names.append("dynoxide")
    if endpoint():
        names.append("endpoint")
    return names


def left_out() -> str | None:
    """Return a sentence about what this run leaves out and how to have it, or None."""
    names = engine_names()
    if "dynoxide" in names:
        return None
    return (
        f"DynamoDB engine tests ran on {' and '.join(names)} only; dynoxide was left out: "
        "`make engine` installs it (with cargo, once, in some minutes)"
    )


@contextmanager
def moto() -> Iterator[str]:
    """Run moto's server and yield its URL."""
    command = [sys.executable, str(Path(__file__).with_name("moto_process.py"))]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin
        assert process.stdout
        url = process.stdout.readline().strip()
        assert url, f"moto ended with {process.wait()}"
        try:
            yield url
        finally:
            process.stdin.close()


@contextmanager
def dynoxide(folder: Path) -> Iterator[str]:
    """Run dynoxide on a free port with a new database in `folder`, and yield its URL."""
    binary = dynoxide_binary()
    assert binary, "dynoxide is required and not there: run make engine"
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    database = folder / f"dynoxide-{port}.db"
    command = [
        str(binary),
        "serve",
        "--port",
        str(port),
        "--db-path",
        str(database),
        "--log",
        "quiet",
    ]
    with subprocess.Popen(command) as process:
        try:
            _wait_until_it_listens(process, port)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def _wait_until_it_listens(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            assert process.poll() is None, f"dynoxide ended with {process.returncode}"
            assert time.monotonic() < deadline, "dynoxide does not listen"
            time.sleep(0.01)
        else:
            return


@contextmanager
def the_endpoint() -> Iterator[str]:
    """Yield the URL that the user names; it runs already."""
    url = endpoint()
    assert url
    yield url


def running(name: str, folder: Path) -> AbstractContextManager[str]:
    """Run the named engine, whose files go to `folder`, and yield its URL."""
    if name == "dynoxide":
        return dynoxide(folder)
    return moto() if name == "moto" else the_endpoint()


def delete_tables(engine: Engine) -> None:
    """Delete the tables of the names that an endpoint gave out."""
    if engine.name != "endpoint":
        return
    client: Any = boto3.client("dynamodb", endpoint_url=engine.endpoint_url)
    for name in engine.tables:
        with suppress(ClientError):  # it was never made, or its test deleted it
            client.delete_table(TableName=name)
    client.close()
