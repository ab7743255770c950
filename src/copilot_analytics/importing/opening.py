"""Which source a text means: a file, a URL, or standard input."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote, urlsplit

from ..config import AnalyticsConfig
from ..errors import ConfigurationError, MissingDependencyError, StoreUnavailableError
from ..periods import DAY_MS
from ..stores import open_store
from ..typing import Clock
from ._admitting import Admitter
from .errors import ImportRefusedError
from .ndjson_source import NDJSONSource
from .sources import Source, WantedDays
from .store_source import SQLiteSource, StoreSource

if TYPE_CHECKING:
    from ..stores._dynamodb_client import DynamoDBClient

__all__ = ["open_source"]

_ALWAYS_MS = 1 << 50
_MOST_NAMES = 100_000
"""Rows of an original table are not limited, so the names of its events, which they are compared
with, are hardly: and what is imported may not depend on when."""

_SQLITE = b"SQLite format 3\0"
_REMEDY = (
    "give an NDJSON file, - for standard input, a SQLite store's file or sqlite:/// URL, or "
    "dynamodb://TABLE?region=…"
)


@contextmanager
def open_source(
    source: str,
    config: AnalyticsConfig,
    *,
    clock: Clock,
    days: WantedDays,
    strict: bool,
    destination: str,
) -> Iterator[Source]:
    """Yield the source that a text means.

    Args:
        source: a path, `-`, or a URL.
        config: how foreign events are admitted.
        clock: tells what is too old.
        days: which days are wanted.
        strict: whether one bad line refuses the whole file.
        destination: the URL of the store it goes into, which it cannot be itself.

    Raises:
        ConfigurationError: it is none.
        ImportRefusedError: it is the destination, or cannot be read.
    """
    scheme = source.partition(":")[0]
    if scheme == "dynamodb":
        with _table(source, config, clock=clock, days=days, destination=destination) as found:
            yield found
        return
    path = _path(source)
    if path is None:
        admitter = _admitter(config, clock)
        yield NDJSONSource(None, admitter, days=days, strict=strict)
        return
    if _is_sqlite(path, source):
        if destination.startswith("sqlite:") and _is_same_file(path, destination):
            raise _same(source)
        yield SQLiteSource(path, clock=clock, days=days)
    elif scheme == "sqlite":
        raise ImportRefusedError(source, "it is no SQLite database", _REMEDY)
    else:
        yield NDJSONSource(path, _admitter(config, clock), days=days, strict=strict)


def _admitter(
    config: AnalyticsConfig,
    clock: Clock,
    *,
    max_age_ms: int | None = None,
    max_names: int = 1_000,
) -> Admitter:
    # What is past the retention of rollups would count nowhere.
    kept_ms = config.rollup_retention_days * DAY_MS
    return Admitter(
        clock,
        max_age_ms=kept_ms if max_age_ms is None else max_age_ms,
        error_text=config.error_text,
        extra_keys=config.extra_keys,
        pseudonymise_key=config.pseudonymise_key,
        max_names=max_names,
    )


def _path(source: str) -> Path | None:
    if source == "-":
        return None
    if source.startswith("sqlite:///"):
        return Path(unquote(source.removeprefix("sqlite:///")))
    if "://" in source:
        raise ConfigurationError("SOURCE", source.rpartition("@")[2], _REMEDY)
    return Path(source)


def _is_sqlite(path: Path, source: str) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(_SQLITE)) == _SQLITE
    except OSError as exc:
        raise ImportRefusedError(
            source, f"it cannot be read ({exc.strerror})", "give a file that may be read"
        ) from exc


def _is_same_file(path: Path, destination: str) -> bool:
    other = _path(destination)
    return other is not None and other.exists() and other.samefile(path)


def _same(source: str) -> ImportRefusedError:
    return ImportRefusedError(
        source, "it is the store that it was to be imported into", "name another one with --store"
    )


@contextmanager
def _table(
    source: str, config: AnalyticsConfig, *, clock: Clock, days: WantedDays, destination: str
) -> Iterator[Source]:
    """Yield a table as what it is: ours has settings, an original's has none."""
    if not urlsplit(source).netloc:
        raise ConfigurationError("SOURCE", source, _REMEDY)
    if _is_same_table(source, destination):
        raise _same(source)
    with ExitStack() as stack:
        client = stack.enter_context(closing(_client_of(source)))
        if _has_settings(client):
            opened = open_store(
                source, clock=clock, rollup_retention_days=config.rollup_retention_days
            )
            store = stack.enter_context(opened)
            yield StoreSource(store, clock=clock, days=days)
            return
        from .original_source import OriginalSource  # needs the extra, as the client does

        admitter = _admitter(config, clock, max_age_ms=_ALWAYS_MS, max_names=_MOST_NAMES)
        keeps_text = config.error_text != "type_only"
        yield OriginalSource(client, admitter, days=days, keeps_text=keeps_text)


def _is_same_table(source: str, destination: str) -> bool:
    """Say whether two URLs may be of one table: what one of them leaves open may be the other's."""
    one, other = urlsplit(source), urlsplit(destination)
    if one.scheme != other.scheme or one.netloc != other.netloc:
        return False
    options, others = dict(parse_qsl(one.query)), dict(parse_qsl(other.query))
    return all(
        options[name].rstrip("/") == others[name].rstrip("/")
        for name in ("region", "endpoint")
        if name in options and name in others
    )


def _client_of(url: str) -> DynamoDBClient:
    try:
        from ..stores._dynamodb_client import DynamoDBClient
    except ModuleNotFoundError as exc:
        raise MissingDependencyError(exc.name or "boto3", "dynamodb") from exc
    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query))
    return DynamoDBClient(
        parts.netloc, region=options.get("region"), endpoint_url=options.get("endpoint")
    )


def _has_settings(client: DynamoDBClient) -> bool:
    from ..stores._dynamodb_keys import SETTINGS_KEY
    from ..stores._dynamodb_queries import get

    try:
        return get(client, SETTINGS_KEY, consistent=True) is not None
    except StoreUnavailableError as exc:
        if "dynamodb:GetItem" in exc.problem + exc.remedy:
            return False  # whoever may scan a table alone reads an original one
        raise
