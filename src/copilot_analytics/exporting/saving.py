"""Writes an export to a path: the whole file is there, or none."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from .files import ExportFile

__all__ = ["save"]


def save(file: ExportFile, path: Path) -> int:
    """Write a file, and return how many bytes it has.

    It is written beside its place under a temporary name, and renamed when it is whole and on disk.
    Whatever ends it before, Ctrl-C too, leaves what has been at the path, and removes the rest.
    What is no regular file, such as a pipe, is written to as it is. Only the user who runs this may
    read a new file: events name users.

    Args:
        file: what to write.
        path: where to; a file that is there is replaced.

    Raises:
        OSError: it cannot be written there.
        StoreError: the store can no longer be read.
    """
    # The file that a link leads to is replaced, not the link.
    path = path.resolve()
    if path.exists() and not path.is_file():
        with path.open("wb") as target:
            return sum(target.write(chunk) for chunk in file.chunks)
    partial = path.with_name(f".copilot-analytics-{secrets.token_hex(8)}.part")
    try:
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "wb") as target:
            size = sum(target.write(chunk) for chunk in file.chunks)
            target.flush()
            os.fsync(descriptor)
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    return size
