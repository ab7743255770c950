"""The directories of a spool: one a process, and an exclusive lock on it is who it is.

The lock ends with its process, however that ends. A forked child has its parent's lock as well, and
must close it without giving it up.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Generator
from pathlib import Path

from ..ids import short_id

if sys.platform != "win32":
    import fcntl

__all__ = ["SUPPORTED", "Directory"]

SUPPORTED = sys.platform != "win32"
"""Whether this system has the locks that a spool needs."""

_LOCK = "lock"


class Directory:
    """A directory that this process has locked.

    Attributes:
        path: where it is.
        inode: the number of its lock file, another one in a copy of it.
    """

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor: int | None = descriptor
        self.inode = os.fstat(descriptor).st_ino

    @classmethod
    def create(cls, root: Path) -> Directory:
        """Make one of a new name, and lock it.

        Raises:
            OSError: it cannot be made.
        """
        while True:
            path = root / short_id()
            path.mkdir(mode=0o700)
            try:
                directory = cls.lock(path)
            except OSError:
                with contextlib.suppress(OSError):  # or every retry would leave one
                    (path / _LOCK).unlink(missing_ok=True)
                    path.rmdir()
                raise
            if directory is not None:
                return directory

    @classmethod
    def lock(cls, path: Path) -> Directory | None:
        """Lock one that is there; None if a process has it, or it has gone meanwhile.

        Raises:
            OSError: it cannot be locked for another reason.
        """
        if sys.platform == "win32":
            raise OSError("a spool needs file locks, which this system does not have")
        lock = path / _LOCK
        try:
            descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
        except (FileNotFoundError, NotADirectoryError):
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Who had it may have removed it in between.
            if os.stat(lock).st_ino == os.fstat(descriptor).st_ino:
                return cls(path, descriptor)
        except (BlockingIOError, FileNotFoundError):
            pass
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
        return None

    @classmethod
    def unlocked(cls, root: Path) -> Generator[Directory, None, None]:
        """Lock and yield, one after the other, those that no process has; the caller's to release.

        Those that cannot be locked are left out.

        Raises:
            OSError: the root cannot be read.
        """
        for path in sorted(path for path in root.iterdir() if path.is_dir()):
            with contextlib.suppress(OSError):
                directory = cls.lock(path)
                if directory is not None:
                    yield directory

    def release(self) -> None:
        """Give up the lock; idempotent. In a forked child, its parent keeps it."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def remove(self) -> None:
        """Delete it with all that is in it, and give up the lock.

        Raises:
            OSError: it cannot be deleted; what is left of it can be locked again.
        """
        try:
            others = [path for path in self.path.iterdir() if path.name != _LOCK]
            for path in (*others, self.path / _LOCK):
                path.unlink(missing_ok=True)
            self.path.rmdir()
        finally:
            self.release()
