"""Spooling: this process's own part of a store's spool.

Events are appended to the files of a directory that this process has locked, under the writer that
the lock stands for. What cannot be written there waits in memory, in order, for the disk or the
store, whichever is ready first.
"""

from __future__ import annotations

import errno
import hashlib
import logging
import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .._accounts import Accounts
from ..events import AnalyticsEvent
from ..writer import Writer
from .backlog import Backlog, Portion
from .directories import Directory
from .identities import Identity
from .journal import SEGMENT_BYTES, Journal, JournalFullError, Released
from .leftovers import Leftovers

__all__ = ["Spool", "SpoolSettings", "root_of"]

FRAME_EVENTS = 500
"""The most events in one frame: what is lost where a disk changes a byte."""

RETRY_SECONDS = 1.0
"""How long a directory that failed is left alone."""

_STORE = "store"
"""The file that tells people whose spool it is."""

_log = logging.getLogger("copilot_analytics.spool")


@dataclass(frozen=True, slots=True, kw_only=True)
class SpoolSettings:
    """How to spool.

    Attributes:
        store: names the store, so that nobody else's events ever come to it; its URL.
        folder: where the spools of all stores lie; None if nobody knows.
        max_bytes: the most that one process has on disk.
        write_interval: how long events wait for others to be written to the store with, in seconds.
    """

    store: str
    folder: Path | None
    max_bytes: int = 256 << 20
    write_interval: float = 5.0


def root_of(folder: Path, store: str) -> Path:
    """Return where the spool of one store lies, never another's."""
    return folder / hashlib.blake2b(store.encode(), digest_size=8).hexdigest()


@dataclass(slots=True)
class _Trouble:
    """What a directory cannot be used for now: how often that showed, and whether it was told."""

    count: int = 0
    retry_at: float = 0.0
    known: bool = False

    @property
    def is_fresh(self) -> bool:
        return time.monotonic() < self.retry_at


class Spool:
    """Takes events in order, and gives them back in portions until they are confirmed.

    One thread puts events, another takes them. Nothing here raises because of the disk but `take`.

    Args:
        settings: where, and how much.
        writer: numbers the events; becomes the one that the directory stands for.
        accounts: count what is held and what is spooled.
        memory_events: how many spooled events are kept in memory as well.
    """

    def __init__(
        self,
        settings: SpoolSettings,
        *,
        writer: Writer,
        accounts: Accounts,
        memory_events: int,
    ) -> None:
        self._settings = settings
        self._writer = writer
        self._accounts = accounts
        self._memory_events = memory_events
        self._lock = threading.Lock()
        self._directory: Directory | None = None
        self._identity: Identity | None = None
        self._backlog: Backlog | None = None
        self._unspooled: deque[list[AnalyticsEvent]] = deque()
        self._unspooled_events = 0
        self._entered = 0
        self._claiming = _Trouble()
        self._writing = _Trouble()
        self.leftovers: Leftovers | None = None

    @property
    def failures(self) -> int:
        """How often the directory could not be written to."""
        return self._claiming.count + self._writing.count

    @property
    def entered(self) -> int:
        """How many events were put, or found in the directory, since the start."""
        return self._entered

    @property
    def waiting(self) -> int:
        """How many events were not taken yet, as far as known."""
        with self._lock:
            return self._waiting()

    @property
    def place(self) -> str:
        """Where it is, or is to be, for messages."""
        return str(self._settings.folder if self._directory is None else self._directory.path)

    def prepare(self, count: int) -> None:
        """Make sure that the writer may number so many more events."""
        writer, identity = self._writer, self._identity
        if identity is not None and writer.id == identity.writer:
            if writer.last + count <= identity.reserved:
                return
        elif self._claiming.is_fresh:
            return
        try:
            if identity is None:
                identity = self._claim()
            if writer.id == identity.writer:
                identity.reserve(writer.last + count)
            else:
                last = identity.reserved
                identity.reserve(last + count)
                writer.assume(identity.writer, last)
        except OSError as exc:
            self._note(self._claiming, exc)
            if identity is not None and writer.id == identity.writer:
                writer.renew()  # for its numbers might be used again after a restart
        else:
            self._passed(self._claiming)

    def put(self, events: list[AnalyticsEvent]) -> int:
        """Put at least one event; return how many were not taken yet.

        They are held by the accounts, and spooled if that is possible.
        """
        with self._lock:
            self._entered += len(events)
            for first in range(0, len(events), FRAME_EVENTS):
                self._unspooled.append(events[first : first + FRAME_EVENTS])
            self._unspooled_events += len(events)
            if not self._writing.is_fresh:
                self._spool_unspooled()
            return self._waiting()

    def retry(self) -> bool:
        """Spool what waits in memory, if that is possible now; return whether anything still does.

        It is tried with every put, too; this is for when there is none.
        """
        with self._lock:
            if self._unspooled and not self._writing.is_fresh:
                self._spool_unspooled()
            return bool(self._unspooled)

    def take(self, limit: int) -> Portion | None:
        """Take the next portion; see `Backlog.take`.

        What is in memory only comes after all that is spooled.
        """
        if self._backlog is not None:
            portion = self._backlog.take(limit)
            if portion is not None:
                return portion
        with self._lock:
            if self._backlog is not None and not self._backlog.exhausted:
                return Portion([], None)  # something was spooled just now: ask again
            if not self._unspooled:
                return None
            events = self._unspooled.popleft()
            while self._unspooled and len(events) + len(self._unspooled[0]) <= limit:
                events = events + self._unspooled.popleft()
            self._unspooled_events -= len(events)
            return Portion(events, None)

    def confirm(self, portion: Portion) -> Released:
        """Forget a portion that is settled, the last one taken; see `Backlog.confirm`."""
        return Released(0, 0) if self._backlog is None else self._backlog.confirm(portion)

    def put_back(self, events: list[AnalyticsEvent]) -> None:
        """Take back events in memory only that are not settled, the last ones taken.

        Where later ones were spooled meanwhile it is too late: out of order, they would never be
        stored.
        """
        with self._lock:
            if self._backlog is None or self._backlog.exhausted:
                self._unspooled.appendleft(events)
                self._unspooled_events += len(events)

    def close(self) -> None:
        """Spool what waits in memory, if that is possible now, and give up the directory."""
        with self._lock:
            self._spool_unspooled()
        self._release()
        if self.leftovers is not None:
            self.leftovers.close()

    def forget_in_child(self) -> None:
        """Release in a forked child what is its parent's."""
        if self._backlog is not None:
            self._backlog.forget_in_child()
        if self._directory is not None:
            self._directory.release()
        if self.leftovers is not None:
            self.leftovers.forget_in_child()

    def _waiting(self) -> int:
        spooled = 0 if self._backlog is None else self._backlog.waiting
        return spooled + self._unspooled_events

    def _spool_unspooled(self) -> None:
        """Spool what waits in memory, in order, as far as possible; called with the lock held."""
        if self._backlog is None:
            return
        try:
            while self._unspooled:
                events = self._unspooled[0]
                self._backlog.append(events)
                self._unspooled.popleft()
                self._unspooled_events -= len(events)
                self._accounts.spool(len(events))
        except OSError as exc:
            self._note(self._writing, exc)
        else:
            self._passed(self._writing)

    def _claim(self) -> Identity:
        folder = self._settings.folder
        if folder is None:
            raise FileNotFoundError("this process has no home directory")
        root = root_of(folder, self._settings.store)
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        (root / _STORE).write_text(f"{self._settings.store}\n")
        for directory in _free(root):
            try:
                identity = Identity(directory)
                journal = self._journal_in(directory)
            except OSError as exc:
                directory.release()
                _log.warning("%s cannot be used (%s)", directory.path, exc.strerror or exc)
            else:
                break
        else:
            raise OSError(errno.EIO, "no directory in it can be used", str(root))
        with self._lock:
            self._directory = directory
            self._identity = identity
            self._entered += journal.events
            self._accounts.recover(journal.events)
            self._backlog = Backlog(journal, memory_events=self._memory_events)
            self.leftovers = Leftovers(root, recovered=self._accounts.recover)
        return identity

    def _journal_in(self, directory: Directory) -> Journal:
        limit = self._settings.max_bytes
        # A small limit has several segments, too: room comes back by whole ones.
        size = min(SEGMENT_BYTES, limit // 8)
        return Journal(directory.path, max_bytes=limit, segment_bytes=size)

    def _note(self, trouble: _Trouble, exc: OSError) -> None:
        trouble.count += 1
        full = isinstance(exc, JournalFullError)
        # One that is full has room again as soon as the store has taken something.
        trouble.retry_at = 0.0 if full else time.monotonic() + RETRY_SECONDS
        if not trouble.known:
            trouble.known = True
            _log.error(
                "%s cannot be written (%s); events wait in memory meanwhile: %s",
                exc.filename or self.place,
                exc.strerror or exc,
                "let the store be reached, or raise spool_max_bytes"
                if full
                else "set spool_dir to a directory that this process may write to, with room",
            )

    def _passed(self, trouble: _Trouble) -> None:
        if trouble.known:
            trouble.known = False
            _log.warning("%s can be written again", self.place)

    def _release(self) -> None:
        if self._backlog is not None:
            self._backlog.close()
        if self._directory is not None:
            self._directory.release()


def _free(root: Path) -> Iterator[Directory]:
    """Lock and yield the directories that no process has, then a new one."""
    yield from Directory.unlocked(root)
    yield Directory.create(root)
