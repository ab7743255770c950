"""The proxy does what it is asked, the same for the same seed, also as a process of its own."""

from __future__ import annotations

import subprocess
import sys
from itertools import groupby
from pathlib import Path

import pytest

from copilot_analytics.errors import StoreUnavailableError
from copilot_analytics.stores._dynamodb_client import DynamoDBClient

from . import faulty_proxy
from .dynamodb_engines import Engine
from .faulty_proxy import Answer, Drop, Rates


def test_faults_are_the_same_for_the_same_seed() -> None:
    def drawn(seed: int) -> list[str]:
        rates = Rates({Drop(): 0.2, Answer.throttling(): 0.1}, seed)
        return [type(rates.next()).__name__ for _ in range(1_000)]

    faults = drawn(1)

    assert faults == drawn(1) != drawn(2)
    assert 150 < faults.count("Drop") < 250
    assert 60 < faults.count("Answer") < 140


def test_a_fault_lasts_for_a_burst() -> None:
    rates = Rates({Drop(): 0.05}, burst=7)
    faults = [rates.next() for _ in range(2_000)]

    lengths = [len(list(run)) for fault, run in groupby(faults) if fault == Drop()]
    assert len(lengths) > 20
    assert {length % 7 for length in lengths[:-1]} == {0}


def test_it_runs_as_a_process(engine: Engine) -> None:
    """Its standard input ends it."""
    command = [sys.executable, str(Path(faulty_proxy.__file__)), engine.endpoint_url, "--lose", "1"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin
        assert process.stdout
        url = process.stdout.readline().strip()
        client = DynamoDBClient("the-table", endpoint_url=url, attempts=1)
        with pytest.raises(StoreUnavailableError, match=f"the connection to {url} broke"):
            client.call("ListTables", {})
        client.close()
        process.stdin.close()

        assert process.wait(30) == 0
