"""Who a process writes as: a writer's id, and numbers that no other process will use.

Both are kept in a file of its directory, so that a restart goes on under the same id. Numbers are
reserved by large blocks, so that the file is written seldom; what a process does not use of its
block is never used.
"""

from __future__ import annotations

import logging
import os
import socket
from pathlib import Path

import msgspec

from ..ids import short_id
from .directories import Directory

__all__ = ["BLOCK", "Identity"]

BLOCK = 100_000
"""How many numbers are reserved at once."""

_VERSION = 1
_NAME = "writer.json"

_log = logging.getLogger("copilot_analytics.spool")


class _State(msgspec.Struct):
    """What the file holds.

    Attributes:
        version: of its form.
        writer: the writer's id.
        reserved: the highest number that may have been used.
        host: the machine's name.
        inode: the number of the directory's lock file.
    """

    version: int
    writer: str
    reserved: int
    host: str
    inode: int


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_State).decode


class Identity:
    """The writer that the lock on a directory stands for.

    A directory whose file is missing, cannot be read or was copied from elsewhere stands for a new
    one: two processes must never number events under one id.

    Args:
        directory: the directory, locked.
        host: the machine's name; by default as it calls itself.

    Attributes:
        writer: the writer's id.
        first: the first number that this process may use, once it is reserved.
        reserved: the highest number that it may use.
    """

    def __init__(self, directory: Directory, *, host: str | None = None) -> None:
        self._path = directory.path
        self._inode = directory.inode
        self._host = socket.gethostname() if host is None else host
        state = self._kept()
        self.writer = short_id() if state is None else state.writer
        self.reserved = 0 if state is None else state.reserved
        self.first = self.reserved + 1

    def reserve(self, number: int) -> None:
        """Make sure that no other process will use any number up to this one.

        Raises:
            OSError: that cannot be written down; then it may not be used.
        """
        if number <= self.reserved:
            return
        reserved = number + BLOCK
        state = _State(_VERSION, self.writer, reserved, self._host, self._inode)
        _replace(self._path / _NAME, _encode(state))
        self.reserved = reserved

    def _kept(self) -> _State | None:
        try:
            state = _decode((self._path / _NAME).read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, msgspec.MsgspecError) as exc:
            problem = f"cannot be read ({type(exc).__name__})"
        else:
            if state.version != _VERSION:
                problem = f"is of version {state.version}"
            elif (state.host, state.inode) != (self._host, self._inode):
                problem = "was copied here from elsewhere"
            else:
                return state
        _log.warning("%s %s: going on under a new writer id", self._path / _NAME, problem)
        return None


def _replace(path: Path, content: bytes) -> None:
    """Replace a file by one of other content, for good also when the power fails."""
    new = path.with_suffix(".new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.write(descriptor, content)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    new.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
