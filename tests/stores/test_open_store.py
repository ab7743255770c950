from __future__ import annotations

from pathlib import Path

import pytest

from copilot_analytics.errors import ConfigurationError
from copilot_analytics.stores import MemoryStore, SQLiteStore, open_store


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
        ("dynamodb://table?region=eu-west-1", "DynamoDB comes with a later release"),
        ("postgres://ada:secret@host/db", "store cannot be 'postgres://host/db': give one of"),
        ("sqlite://a.db", "store cannot be 'sqlite://a.db': give sqlite:///relative.db or"),
    ],
)
def test_another_url_is_refused_without_its_password(url: str, says: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        open_store(url)
    assert says in str(caught.value)
    assert "secret" not in str(caught.value)


def test_options_reach_the_store(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="event_retention_days cannot be 0"):
        open_store(f"sqlite:///{tmp_path}/analytics.db", event_retention_days=0)
