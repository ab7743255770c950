"""Leftovers: the directories of processes that have ended, and what they left to be stored."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path

from .backlog import Backlog, Portion
from .directories import Directory
from .journal import Journal, Released

__all__ = ["Leftovers"]

KEPT_SECONDS = 86_400
"""How long a directory with nothing in it is kept for a process to go on under its id."""

_log = logging.getLogger("copilot_analytics.spool")


class Leftovers:
    """Takes what lies in directories that no process has, one directory after the other.

    Each is locked while it is emptied, and then removed. Those that were empty are left to other
    processes for a day: several may be starting. For one thread.

    Args:
        root: where the directories lie.
        recovered: told how many events were found in a directory.
    """

    def __init__(self, root: Path, *, recovered: Callable[[int], object]) -> None:
        self._directories = Directory.unlocked(root)
        self._recovered = recovered
        self._directory: Directory | None = None
        self._backlog: Backlog | None = None

    def take(self, limit: int) -> Portion | None:
        """Take the next portion; see `Backlog.take`.

        Returns:
            None once nothing is left anywhere.

        Raises:
            OSError: the next one cannot be read now.
        """
        while True:
            if self._backlog is None and not self._open_next():
                return None
            if self._backlog is not None:
                portion = self._backlog.take(limit)
                if portion is not None:
                    return portion
            self._leave()

    def confirm(self, portion: Portion) -> Released:
        """See `Backlog.confirm`."""
        return Released(0, 0) if self._backlog is None else self._backlog.confirm(portion)

    def close(self) -> None:
        """Leave what is left to others; idempotent."""
        self._directories.close()
        self._release()

    def forget_in_child(self) -> None:
        """Release in a forked child what is its parent's."""
        if self._backlog is not None:
            self._backlog.forget_in_child()
        if self._directory is not None:
            self._directory.release()

    def _open_next(self) -> bool:
        for directory in self._directories:
            self._directory = directory
            try:
                journal = Journal(directory.path, max_bytes=0)
            except OSError as exc:
                _log.warning("%s cannot be read (%s)", directory.path, type(exc).__name__)
                self._release()
                continue
            if journal.end > journal.start:
                self._recovered(journal.events)
                self._backlog = Backlog(journal)
                return True
            if time.time() - _last_used(directory.path) > KEPT_SECONDS:
                self._leave()
            else:
                self._release()
        return False

    def _leave(self) -> None:
        """Remove the directory that was emptied."""
        if self._directory is not None:
            path = self._directory.path
            try:
                self._directory.remove()
            except OSError as exc:
                _log.warning("%s cannot be removed (%s)", path, type(exc).__name__)
        self._release()

    def _release(self) -> None:
        if self._backlog is not None:
            self._backlog.close()
            self._backlog = None
        if self._directory is not None:
            self._directory.release()
            self._directory = None


def _last_used(path: Path) -> float:
    """Return when a directory was last written to, in seconds since the epoch."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
