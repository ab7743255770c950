"""Which source a text means, told from what is there."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from copilot_analytics.batch import Batch
from copilot_analytics.config import AnalyticsConfig
from copilot_analytics.errors import ConfigurationError, StoreUnavailableError
from copilot_analytics.importing import (
    Importer,
    ImportRefusedError,
    NDJSONSource,
    SQLiteSource,
    Stage,
    StoreSource,
    WantedDays,
)
from copilot_analytics.importing.opening import open_source
from copilot_analytics.importing.original_source import OriginalSource
from copilot_analytics.importing.sources import Source
from copilot_analytics.periods import DAY_MS
from copilot_analytics.store_samples import NOW_MS, sample_events
from copilot_analytics.stores import MemoryStore, SQLiteStore
from copilot_analytics.stores._dynamodb_client import DynamoDBClient
from copilot_analytics.stores._dynamodb_table import definition
from copilot_analytics.stores.base import EventSelection
from copilot_analytics.testing import FakeClock

from ..stores.dynamodb_engines import Engine, isolate
from . import original
from .importing import recorded, written


@contextmanager
def _opened(source: str, destination: str = "memory://", **settings: Any) -> Iterator[Source]:
    with open_source(
        source,
        AnalyticsConfig(**settings),
        clock=FakeClock(NOW_MS),
        days=WantedDays(),
        strict=False,
        destination=destination,
    ) as opened:
        yield opened


def test_a_file_is_told_by_its_content(tmp_path: Path) -> None:
    """Whatever it is called."""
    lines = written(tmp_path / "events.db", recorded(2))
    database = tmp_path / "events.ndjson"
    with SQLiteStore(database, clock=FakeClock(NOW_MS)) as store:
        store.write(Batch("writer", sample_events(2)))
    with _opened(str(lines)) as source:
        assert isinstance(source, NDJSONSource)
        assert source.name == str(lines)
    for text in (str(database), f"sqlite:///{database}"):
        with _opened(text) as source:
            assert isinstance(source, SQLiteSource)
            assert source.name == f"sqlite:///{database}"
    with _opened("-") as source:
        assert isinstance(source, NDJSONSource)
        assert source.digest() is None


def test_lines_are_admitted_as_the_settings_have_it(tmp_path: Path) -> None:
    """How old they may be, whose they are, what is kept of messages, and which keys there are."""
    metadata = {"errorMessage": "it is late", "myKey": "kept"}
    lines = [
        {"eventType": "ERROR_OCCURRED", "userId": "ada", "timestamp": at, "metadata": metadata}
        for at in (NOW_MS, NOW_MS - 31 * DAY_MS)
    ]
    path = tmp_path / "lines"
    path.write_text("\n".join(map(json.dumps, lines)))
    store = MemoryStore(clock=FakeClock(NOW_MS))
    settings: dict[str, Any] = {
        "event_retention_days": 10,
        "rollup_retention_days": 30,
        "pseudonymise_key": "k" * 32,
        "error_text": "type_only",
        "extra_keys": {"my_key": "label"},
    }
    with _opened(str(path), **settings) as source, Stage(None) as stage:
        report = Importer(source, store, stage).run()
    assert report.skipped == {"too_old": 1}
    (event,) = store.events(EventSelection(start_ms=0, end_ms=NOW_MS), limit=9)
    assert event.user_id.startswith("p1-")
    assert event.metadata["my_key"] == "kept"
    assert "error_message" not in event.metadata


def test_what_is_no_source_is_refused(tmp_path: Path) -> None:
    """With what to give instead; a password is not told."""
    written(tmp_path / "lines", recorded(1))
    with pytest.raises(ConfigurationError, match="give an NDJSON file") as refused:
        _opened("postgres://me:secret@host/db").__enter__()
    assert "secret" not in str(refused.value)
    with pytest.raises(ConfigurationError, match="give an NDJSON file"):
        _opened("dynamodb://").__enter__()
    for text in (str(tmp_path / "missing"), str(tmp_path)):
        with pytest.raises(ImportRefusedError, match="cannot be read"):
            _opened(text).__enter__()
    with pytest.raises(ImportRefusedError, match="no SQLite database"):
        _opened(f"sqlite:///{tmp_path / 'lines'}").__enter__()


def test_a_store_is_not_imported_into_itself(tmp_path: Path) -> None:
    """By whichever name; of a table that may be the same, it is taken to be."""
    database = tmp_path / "own.db"
    with SQLiteStore(database, clock=FakeClock(NOW_MS)) as store:
        store.write(Batch("writer", sample_events(2)))
    (tmp_path / "link.db").symlink_to(database)
    for text in (str(database), str(tmp_path / "link.db"), f"sqlite:///{database}"):
        with pytest.raises(ImportRefusedError, match="into; name another"):
            _opened(text, f"sqlite:///{database}").__enter__()
    here = "dynamodb://a-table?region=eu-central-1"
    for text in (here, "dynamodb://a-table", f"{here}&shards=8"):
        with pytest.raises(ImportRefusedError, match="into; name another"):
            _opened(text, here).__enter__()


def test_a_table_is_told_by_its_settings(engine: Engine, tmp_path: Path) -> None:
    """One of ours has some."""
    client = DynamoDBClient(engine.new_table_name(), endpoint_url=engine.endpoint_url)
    original.fill(client, [])
    with _opened(client.url) as source:
        assert isinstance(source, OriginalSource)
    client.close()
    ours = DynamoDBClient(engine.new_table_name(), endpoint_url=engine.endpoint_url)
    ours.call("CreateTable", definition(ours.table))
    settings = {"PK": {"S": "SETTINGS#all"}, "SK": {"S": "STATE"}, "version": {"N": "1"}}
    ours.call("PutItem", {"TableName": ours.table, "Item": settings})
    with _opened(ours.url) as source:
        assert isinstance(source, StoreSource)
    ours.close()


class _ScanOnly(BaseHTTPRequestHandler):
    """What a DynamoDB answers to whoever may scan a table and nothing else."""

    protocol_version = "HTTP/1.1"
    permitted: tuple[str, ...] = ("Scan",)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        operation = self.headers["X-Amz-Target"].rpartition(".")[2]
        if operation in self.permitted:
            items = [{n: original.typed(v) for n, v in one.items()} for one in original.items()]
            self._answer(200, {"Items": items, "Count": len(items)})
        else:
            message = (
                f"User: arn:aws:iam::1:user/x is not authorized to perform: dynamodb:{operation}"
            )
            kind = "com.amazon.coral.service#AccessDeniedException"
            self._answer(400, {"__type": kind, "Message": message})

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/x-amz-json-1.0")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        pass


class _Nothing(_ScanOnly):
    permitted = ()


@contextmanager
def _serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_scan_is_all_that_an_original_table_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the least-privilege policy has it; without it the error says what to permit."""
    isolate(monkeypatch)
    store = MemoryStore(clock=FakeClock(NOW_MS))
    with (
        _serving(_ScanOnly) as url,
        _opened(f"dynamodb://old-table?endpoint={url}") as source,
        Stage(None) as stage,
    ):
        assert Importer(source, store, stage).run().patterns == 2
    with (
        _serving(_Nothing) as url,
        _opened(f"dynamodb://old-table?endpoint={url}") as source,
        Stage(None) as stage,
        pytest.raises(StoreUnavailableError, match="dynamodb:Scan"),
    ):
        Importer(source, store, stage).run()
