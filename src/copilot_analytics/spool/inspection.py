"""Inspection: what waits in the spools of a store, for whoever asks from outside."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .directories import Directory
from .segments import Segment

__all__ = ["SpoolState", "spools"]


@dataclass(frozen=True, slots=True)
class SpoolState:
    """One directory of a spool.

    Attributes:
        path: where it is.
        in_use: whether a process has it; else one that starts takes it over.
        events: how many events wait in it.
        bytes: how large they are.
        oldest: when what waits longest was begun to be written, epoch milliseconds; None if nothing
            waits.
    """

    path: Path
    in_use: bool
    events: int
    bytes: int
    oldest: int | None


def spools(root: Path) -> list[SpoolState]:
    """Return the directories of a store's spool; none where there is no spool.

    Each is locked for a moment, to see whether somebody has it: a process that starts in just that
    moment takes another one. Nothing in them changes.

    Raises:
        OSError: the folder cannot be read.
    """
    if not root.is_dir():
        return []
    found = []
    for path in sorted(path for path in root.iterdir() if path.is_dir()):
        directory = Directory.lock(path)
        try:
            # Of one in use, what was confirmed meanwhile is counted, too.
            segments = [segment for segment in Segment.found(path) if segment.events]
        except FileNotFoundError:
            continue  # its process has just ended, and removed it
        finally:
            if directory is not None:
                directory.release()
        times = [int(segment.path.stat().st_ctime * 1000) for segment in segments]
        found.append(
            SpoolState(
                path,
                in_use=directory is None,
                events=sum(segment.events for segment in segments),
                bytes=sum(segment.size for segment in segments),
                oldest=min(times, default=None),
            )
        )
    return found
