"""Stores: where events and rollups are kept, chosen by a URL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import ConfigurationError
from ..typing import Clock
from .base import Correction, Erasure, EventSelection, Snapshot, Store
from .memory import MemoryStore
from .sqlite import SQLiteStore

if TYPE_CHECKING:
    from .dynamodb import DynamoDBStore

__all__ = [
    "Correction",
    "DynamoDBStore",
    "Erasure",
    "EventSelection",
    "MemoryStore",
    "SQLiteStore",
    "Snapshot",
    "Store",
    "open_store",
]

_KNOWN = (
    "sqlite:///file.db (or sqlite:////absolute/path.db), dynamodb://TABLE?region=… and memory://"
)


def __getattr__(name: str) -> object:
    # It needs the extra of the same name; whoever stores elsewhere need not have it.
    if name == "DynamoDBStore":
        from .dynamodb import DynamoDBStore

        return DynamoDBStore
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def open_store(
    url: str,
    *,
    clock: Clock | None = None,
    event_retention_days: int = 90,
    rollup_retention_days: int = 800,
) -> Store:
    """Return the store of a URL; it is opened, and the disk touched, when it is first used.

    Args:
        url: `sqlite:///relative.db`, `sqlite:////absolute.db`, `dynamodb://TABLE?region=…` (see
            `DynamoDBStore`), or `memory://` for tests.
        clock: tells which days have ended; the machine's by default.
        event_retention_days: how many whole days of events are kept before today.
        rollup_retention_days: how many days of rollups are kept, today included.

    Raises:
        ConfigurationError: the URL is of no known kind, or an option is out of its bounds.
        MissingDependencyError: the URL is of a store whose extra is not installed.
    """
    scheme = url.partition(":")[0]
    if scheme == "sqlite":
        return SQLiteStore(
            url,
            clock=clock,
            event_retention_days=event_retention_days,
            rollup_retention_days=rollup_retention_days,
        )
    if url == "memory://":
        return MemoryStore(clock=clock)
    if scheme == "dynamodb":
        from .dynamodb import DynamoDBStore

        return DynamoDBStore(
            url,
            clock=clock,
            event_retention_days=event_retention_days,
            rollup_retention_days=rollup_retention_days,
        )
    raise ConfigurationError("store", _shown(url), f"give one of {_KNOWN}")


def _shown(url: str) -> str:
    # A URL of another kind may carry a password before its host.
    scheme, slashes, rest = url.partition("://")
    return f"{scheme}{slashes}{rest.rpartition('@')[2]}"
