from __future__ import annotations

from pathlib import Path

import pytest

from copilot_analytics.errors import ConfigurationError
from copilot_analytics.stores import MemoryStore, SQLiteStore, open_store
from copilot_analytics.stores.dynamodb import DynamoDBStore


def test_a_url_chooses_the_store(tmp_path: Path) -> None:
    assert isinstance(open_store("memory://"), MemoryStore)
    assert open_store("memory://").url == "memory://"
    store = open_store(f"sqlite:///{tmp_path}/analytics.db")
    assert isinstance(store, SQLiteStore)
    assert store.url == f"sqlite:///{tmp_path}/analytics.db"


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("", "store cannot be '': give one of sqlite:///file.db"),
        ("analytics.db", "store cannot be 'analytics.db': give one of sqlite:///file.db"),
        ("memory:", "store cannot be 'memory:': give one of sqlite:///file.db"),
        ("dynamodb:table", "cannot be 'dynamodb:table': give dynamodb://TABLE?region="),
        ("dynamodb://", "names of tables have 3 to 255 letters, digits, _, - and ."),
        ("dynamodb://a b c", "names of tables have 3 to 255 letters"),
        ("dynamodb://ada:secret@table", "store cannot be 'dynamodb://table': give dynamodb://"),
        ("dynamodb://table/more", "give dynamodb://TABLE?region=eu-central-1"),
        ("dynamodb://table?zone=1", "region, endpoint, shards once and with a value, not zone=1"),
        ("dynamodb://table?region=", "once and with a value, not region="),
        ("dynamodb://table?shards=1&shards=2", "once and with a value, not shards=1"),
        ("dynamodb://table?shards=many", "shards cannot be 'many': give a whole number"),
        ("dynamodb://table?shards=101", "shards cannot be 101: give a number from 1 to 100"),
        ("postgres://ada:secret@host/db", "store cannot be 'postgres://host/db': give one of"),
        ("sqlite://a.db", "store cannot be 'sqlite://a.db': give sqlite:///relative.db or"),
    ],
)
def test_another_url_is_refused_without_its_password(url: str, says: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        open_store(url)
    assert says in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_dynamodb_url_says_how_the_table_is_reached() -> None:
    url = "dynamodb://table?region=eu-west-1&endpoint=http://localhost:8000"
    store = open_store(f"{url}&shards=8")
    assert isinstance(store, DynamoDBStore)
    assert store.url == url
    store.close()
    named = DynamoDBStore("table", region="eu-west-1", endpoint_url="http://localhost:8000")
    assert named.url == url
    named.close()


def test_options_reach_the_store(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="event_retention_days cannot be 0"):
        open_store(f"sqlite:///{tmp_path}/analytics.db", event_retention_days=0)
    with pytest.raises(ConfigurationError, match="rollup_retention_days cannot be 0"):
        open_store("dynamodb://table?region=eu-west-1", rollup_retention_days=0)
