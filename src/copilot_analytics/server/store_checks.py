"""Whether the store is there, can be written to, and is as it should be."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator
from contextlib import closing

from ..config import AnalyticsConfig
from ..errors import StoreError, StoreUnavailableError
from ..stores import SQLiteStore, Store
from ..stores._dynamodb_url import parsed
from .findings import Finding, note, ok, problem
from .telling import count, megabytes

__all__ = ["check_store"]

_SLOW_SECONDS = 1.0


def check_store(config: AnalyticsConfig, store: Store) -> Iterator[Finding]:
    """Reach the store, open it for writing, and compare it with what is expected of it."""
    if isinstance(store, SQLiteStore) and not store.path.exists():
        yield _missing(store)
        return
    started = time.monotonic()
    try:
        store.open()
        statistics = store.statistics()
    except StoreError as error:
        yield problem("store", f"{error.store}: {error.problem}", error.remedy)
        return
    seconds = time.monotonic() - started
    held = f"{count(statistics['events'])} events, {megabytes(statistics['bytes'])}"
    if seconds > _SLOW_SECONDS:
        yield note(
            "store",
            f"{store.url} took {seconds:.1f} s to open ({held})",
            "see whether its disk, or the network to it, is busy",
        )
    else:
        yield ok("store", f"{store.url} can be read and written ({held})")
    if isinstance(store, SQLiteStore):
        yield from _file(store)
    elif config.store.startswith("dynamodb:"):
        yield from _table(config.store)


def _missing(store: SQLiteStore) -> Finding:
    folder = store.path.parent
    if not folder.is_dir():
        return problem("store", f"there is no folder {folder}", "create it, or correct the URL")
    if not os.access(folder, os.W_OK | os.X_OK):
        return problem(
            "store",
            f"{folder} cannot be written to",
            "grant the application's user write access, or give another path",
        )
    return problem(
        "store",
        f"there is no file {store.path}: nothing was ever recorded to it",
        "start the application with this store; a relative path depends on where it runs",
    )


def _file(store: SQLiteStore) -> Iterator[Finding]:
    mode = store.path.stat().st_mode
    if os.name == "posix" and mode & (stat.S_IRGRP | stat.S_IROTH | stat.S_IWGRP | stat.S_IWOTH):
        yield note(
            "store",
            f"other users of this machine may open {store.path} ({stat.filemode(mode)})",
            f"run chmod 600 {store.path}, unless they are meant to",
        )


def _table(url: str) -> Iterator[Finding]:
    # Each needs the extra of the same name.
    from ..stores._dynamodb_client import DynamoDBClient
    from ..stores._dynamodb_errors import ConditionFailed
    from ..stores._dynamodb_provisioning import differences
    from ..stores._dynamodb_updates import Update

    name, options = parsed(url)
    client = DynamoDBClient(
        name, region=options.get("region"), endpoint_url=options.get("endpoint")
    )
    with closing(client):
        # Nothing has this key, so that nothing changes.
        update = Update(("DOCTOR#", "DOCTOR#"))
        update.require_present()
        update.set("checked", {"BOOL": True})
        try:
            client.call("UpdateItem", update.request(client.table))
        except ConditionFailed:
            yield ok("permissions", "items can be updated")
        except StoreError as error:
            yield problem("permissions", error.problem, error.remedy)
        try:
            found = differences(client)
        except StoreUnavailableError as error:
            yield note("table", f"it cannot be compared: {error.problem}", error.remedy)
            return
    for one in found:
        yield problem("table", f"{one.what} is {one.found}, not {one.expected}", one.remedy)
    if not found:
        yield ok("table", "its keys, indexes and settings are as they should be")
