"""Connections to one SQLite file: one that writes, a few that read, and what their errors mean."""

from __future__ import annotations

import contextlib
import math
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from .._forking import renew_in_children, settle_before_forks
from ..errors import StoreError, StoreSchemaError, StoreUnavailableError
from ._filesystems import network_filesystem
from ._sqlite_schema import prepare

__all__ = ["Connections"]

_KEPT_READERS = 4
"""Idle read connections that are kept; as many as the service has threads."""

_KEPT_STATEMENTS = 256
"""Statements that stay prepared; a writer has about a hundred."""

_WAIT_SECONDS = 1.0
"""How long one attempt waits for another process's lock; then it is tried again."""

_FORK_WAIT_SECONDS = 0.5
"""How long a fork waits for what reads and writes; most batches take 50 ms."""

_CACHE_KIB = 16_384
"""The writer's page cache. A day's rollups of thousands of users are updated all over, and SQLite's
own 2 MB might not hold them."""

_READER_CACHE_KIB = 256
"""A reader's page cache. An answer needs most pages once, and every write empties the cache: to
keep 2 MB of them only makes each page's memory one that was never touched before."""

_WAL_LIMIT_BYTES = 64 * 1024 * 1024
"""What is left of the log after a checkpoint; a long read makes it grow meanwhile."""

_READ_ONLY = "the file or its directory cannot be written to"
_REMEDIES = {
    sqlite3.SQLITE_BUSY: (
        "another process holds the file's lock",
        "it is tried again; if it stays so, end the process that holds it",
    ),
    sqlite3.SQLITE_LOCKED: ("a table is locked", "it is tried again"),
    sqlite3.SQLITE_READONLY: (_READ_ONLY, "grant write access, or give another path"),
    sqlite3.SQLITE_PERM: (_READ_ONLY, "grant write access, or give another path"),
    sqlite3.SQLITE_CANTOPEN: (
        "the file cannot be opened or created",
        "create its directory and grant write access, or give another path",
    ),
    sqlite3.SQLITE_FULL: ("the disk is full", "free some space"),
    sqlite3.SQLITE_IOERR: ("the disk cannot be read or written", "check the disk"),
    sqlite3.SQLITE_NOMEM: ("there is no memory left", "give the process more"),
    sqlite3.SQLITE_INTERRUPT: ("the statement was interrupted", "it is tried again"),
}
_BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})


class Connections:
    """Opens connections when they are needed; thread-safe, and safe to fork.

    Every `sqlite3.Error` inside its context managers leaves them as a `StoreError`.

    Args:
        path: the file, absolute.
        url: how messages name it.
        synchronous: `NORMAL` or `FULL`.
        busy_timeout: how long to wait for another process's lock, in seconds.
    """

    def __init__(self, path: Path, url: str, *, synchronous: str, busy_timeout: float) -> None:
        self._path = path
        self._url = url
        self._synchronous = synchronous
        self._attempts = max(1, math.ceil(busy_timeout / _WAIT_SECONDS))
        self._wait = min(busy_timeout, _WAIT_SECONDS)
        self._forgotten: list[object] = []
        self._reset()
        settle_before_forks(self)
        renew_in_children(self)

    def _reset(self) -> None:
        self._writing = threading.RLock()
        self._pooling = threading.Condition(threading.Lock())
        self._writer: sqlite3.Connection | None = None
        self._readers: list[sqlite3.Connection] = []
        self._in_use = 0
        self._era = 0
        self._settled = False

    def settle_before_fork(self) -> None:
        """Close what is open, and open nothing until the fork is over.

        SQLite in the child would take the parent's file locks for its own. Then the parent's last
        close deletes the log that the child still writes to.
        """
        self._settled = self._writing.acquire(timeout=_FORK_WAIT_SECONDS)
        if self._settled:
            self._discard_writer()
        self._pooling.acquire()
        self._pooling.wait_for(lambda: not self._in_use, _FORK_WAIT_SECONDS)
        self._close_readers()

    def resume_after_fork(self) -> None:
        """Let connections be opened again; in the parent."""
        self._pooling.release()
        if self._settled:
            self._writing.release()

    def renew_in_child(self) -> None:
        """Start afresh in a forked child.

        A connection that was in use for too long is kept, but never used nor closed here: another
        thread was inside it.
        """
        self._forgotten += [self._writer, self._readers]
        self._reset()

    def open(self) -> None:
        """Open the writer's connection, creating the file and its tables; idempotent."""
        with self._writing, self._translated():
            self._open_writer()

    def close(self) -> None:
        """Close what is idle, and what is in use as soon as it is given back; never raises."""
        with self._writing:
            self._discard_writer()
        with self._pooling:
            self._close_readers()

    @contextlib.contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Hold a write transaction: committed at the end, rolled back after an exception."""
        with self._writing, self._translated():
            connection = self._open_writer()
            self._retry(lambda: connection.execute("BEGIN IMMEDIATE"))
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                # Closing rolls back. A connection whose transaction failed is cheap to replace and
                # hard to reason about.
                self._discard_writer()
                raise

    def truncate_log(self) -> None:
        """Bring everything that is in the log into the file, and cut the log to nothing.

        Raises:
            StoreUnavailableError: somebody reads for too long what the log holds.
        """
        with self._writing, self._translated():
            connection = self._open_writer()
            for _ in range(self._attempts):
                busy, *_ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
                if not busy:
                    return
        raise StoreUnavailableError(
            self._url, "a long read holds the write-ahead log", "ask again when it has ended"
        )

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Hold a read transaction: everything in it is as of one moment."""
        with self._translated():
            connection, era = self._take_reader()
            whole = False
            try:
                connection.execute("BEGIN")
                yield connection
                connection.execute("ROLLBACK")
                whole = True
            finally:
                self._give_back(connection, era, whole)

    def _open_writer(self) -> sqlite3.Connection:
        if self._writer is None:
            connection = self._connect()
            try:
                # SQLite itself would open it for reading and say so at the first write.
                if not os.access(self._path, os.W_OK):
                    raise StoreUnavailableError(self._url, *_REMEDIES[sqlite3.SQLITE_READONLY])
                connection.execute(f"PRAGMA synchronous = {self._synchronous}")
                # Not for erasures alone: an update or a split page leaves copies, too, which nobody
                # would find any more. Costs nothing that can be measured.
                connection.execute("PRAGMA secure_delete = ON")
                connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
                connection.execute(f"PRAGMA journal_size_limit = {_WAL_LIMIT_BYTES}")
            except BaseException:
                _close(connection)
                raise
            self._writer = connection
        return self._writer

    def _take_reader(self) -> tuple[sqlite3.Connection, int]:
        with self._pooling:
            # Opened inside, so that a fork sees it or waits for it.
            connection = self._readers.pop() if self._readers else self._open_reader()
            self._in_use += 1
            return connection, self._era

    def _open_reader(self) -> sqlite3.Connection:
        connection = self._connect()
        connection.execute("PRAGMA query_only = ON")
        connection.execute(f"PRAGMA cache_size = -{_READER_CACHE_KIB}")
        return connection

    def _give_back(self, connection: sqlite3.Connection, era: int, whole: bool) -> None:
        with self._pooling:
            if whole and era == self._era and len(self._readers) < _KEPT_READERS:
                self._readers.append(connection)
            else:
                _close(connection)
            self._in_use -= 1
            self._pooling.notify_all()

    def _close_readers(self) -> None:
        """Close the idle readers, and later those in use; `_pooling` is held."""
        self._era += 1
        while self._readers:
            _close(self._readers.pop())

    def _connect(self) -> sqlite3.Connection:
        """Open the file; create it, and its tables, where it is new."""
        network = network_filesystem(self._path)
        if network is not None:
            raise StoreError(
                self._url,
                f"the file is on a network file system ({network}), where SQLite loses data",
                "put it on a local disk",
            )
        connection = sqlite3.connect(
            f"{self._path.as_uri()}?mode=rwc",
            uri=True,
            timeout=self._wait,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=_KEPT_STATEMENTS,
        )
        try:
            self._retry(lambda: prepare(connection, self._url))
        except BaseException:
            _close(connection)
            raise
        return connection

    def _retry(self, step: Callable[[], object]) -> None:
        for _ in range(self._attempts - 1):
            try:
                step()
                return
            except sqlite3.OperationalError as exc:
                if _primary_code(exc) not in _BUSY:
                    raise
        step()

    def _discard_writer(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            _close(writer)

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as exc:
            raise self._store_error(exc) from exc
        except UnicodeEncodeError:
            # Without its cause: that holds the text.
            raise StoreError(
                self._url, "a text has lone surrogates", "admit events before they are written"
            ) from None

    def _store_error(self, exc: sqlite3.Error) -> StoreError:
        code = _primary_code(exc)
        if code == sqlite3.SQLITE_NOTADB:
            return StoreSchemaError(
                self._url,
                "the file is no SQLite database",
                "give the path of a file that does not exist yet",
            )
        if code == sqlite3.SQLITE_CORRUPT:
            return StoreError(
                self._url, "the file is damaged", "restore it from a backup, or move it away"
            )
        if code in _REMEDIES:
            return StoreUnavailableError(self._url, *_REMEDIES[code])
        name = getattr(exc, "sqlite_errorname", type(exc).__name__)
        return StoreError(self._url, f"SQLite refused with {name}", "report this as a bug")


def _primary_code(exc: sqlite3.Error) -> int:
    # The low byte; the others say more than a remedy needs. The module's own errors have none.
    return int(getattr(exc, "sqlite_errorcode", 0)) & 0xFF


def _close(connection: sqlite3.Connection) -> None:
    # Closing rolls back what is open. It fails only where another thread still uses it, and then
    # whoever holds the last reference closes it.
    with contextlib.suppress(sqlite3.Error):
        connection.close()
