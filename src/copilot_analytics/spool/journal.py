"""The journal: what one process has spooled, in order, in segments that are deleted when done.

One thread appends while another reads and releases.
"""

from __future__ import annotations

import errno
import threading
from pathlib import Path
from typing import NamedTuple

from .segments import Frame, Segment

__all__ = ["SEGMENT_BYTES", "Journal", "JournalFullError", "Released"]

SEGMENT_BYTES = 4 << 20
"""How large a segment grows: what is sent again after a kill in the middle of a backlog."""


_LOST = frozenset({errno.ENOENT, errno.EIO})
"""What reading a file that will not be readable again fails with."""


class JournalFullError(OSError):
    """The journal has reached its size limit."""

    def __init__(self, path: Path, max_bytes: int) -> None:
        super().__init__(errno.ENOSPC, f"the spool has reached its limit of {max_bytes} bytes")
        self.filename = str(path)


class Released(NamedTuple):
    """What was found out about segments that were deleted.

    Attributes:
        lost: how many of their events had not been taken, because they could not be read.
        damages: how often something in them was no whole frame.
    """

    lost: int
    damages: int


class Journal:
    """Frames in a folder: appended at its end, read and released from its start.

    Opening it counts what an earlier process left.

    Args:
        folder: where its segments lie; nobody else writes there.
        max_bytes: the most that it holds.
        segment_bytes: from which size on a new segment is begun.

    Attributes:
        events: how many events it holds.

    Raises:
        OSError: the folder cannot be read.
    """

    def __init__(self, folder: Path, *, max_bytes: int, segment_bytes: int = SEGMENT_BYTES) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._segment_bytes = segment_bytes
        self._lock = threading.Lock()
        self._segments = Segment.found(folder)
        while self._segments and not self._segments[-1].size:
            self._segments.pop().path.unlink(missing_ok=True)  # its name is needed again
        self._active: Segment | None = None
        # Never back, so that what is at hand in memory keeps its position.
        self._end = self._segments[-1].end if self._segments else 0

    @property
    def start(self) -> int:
        """The position of what is not released."""
        with self._lock:
            return self._segments[0].start if self._segments else self._end

    @property
    def end(self) -> int:
        """The position after the last frame."""
        return self._end

    @property
    def size(self) -> int:
        """How many bytes it holds."""
        with self._lock:
            return self._size()

    @property
    def events(self) -> int:
        """How many events it holds."""
        with self._lock:
            return sum(segment.events for segment in self._segments)

    def append(self, frame: bytes, count: int) -> tuple[int, int]:
        """Append a frame of so many events; return the positions of its start and its end.

        Raises:
            JournalFullError: it would hold more than it may.
            OSError: it cannot be written.
        """
        with self._lock:
            if self._size() + len(frame) > self._max_bytes:
                raise JournalFullError(self._folder, self._max_bytes)
            segment = self._active
            if segment is None or segment.size >= self._segment_bytes:
                segment = self._begin()
            try:
                segment.append(frame, count)
            finally:
                self._end = segment.end
            return segment.end - len(frame), segment.end

    def read(self, position: int) -> Frame | None:
        """Return the first whole frame at or after a position; None if there is none.

        A file that is gone, or that the disk cannot read any more, is passed over.

        Raises:
            OSError: a file cannot be read now.
        """
        with self._lock:
            segments = [segment for segment in self._segments if segment.end > position]
        for segment in segments:
            try:
                for frame in segment.frames(position):
                    return frame
            except OSError as exc:
                if exc.errno not in _LOST:
                    raise
                segment.damages.add(0)
        return None

    def note_taken(self, position: int, count: int) -> None:
        """Note that so many events of the frame at a position were taken."""
        with self._lock:
            for segment in self._segments:
                if segment.start <= position < segment.end:
                    segment.taken += count

    def rotate(self) -> None:
        """Append what comes next to a new segment, so that all others can be released whole."""
        with self._lock:
            if self._active is not None and self._active.size:
                self._active.seal()
                self._active = None

    def release(self, position: int) -> Released:
        """Delete the segments that end at or before a position.

        Raises:
            OSError: a file cannot be deleted; it is tried again with the next release.
        """
        lost = damages = 0
        with self._lock:
            while self._segments and self._segments[0].end <= position:
                segment = self._segments[0]
                if segment is self._active:
                    break
                segment.close()
                segment.path.unlink(missing_ok=True)
                self._segments.pop(0)
                lost += segment.events - segment.taken
                damages += len(segment.damages)
        return Released(lost, damages)

    def close(self) -> None:
        """Release the files; what is in them stays."""
        with self._lock:
            for segment in self._segments:
                segment.close()
            self._active = None

    def forget_in_child(self) -> None:
        """Release the files in a forked child, in which nobody will release the parent's lock."""
        self._lock = threading.Lock()
        self.close()

    def _size(self) -> int:
        return sum(segment.size for segment in self._segments)

    def _begin(self) -> Segment:
        if self._active is not None:
            self._active.seal()
            self._active = None
        segment = Segment.create(self._folder, self._end)
        self._segments.append(segment)
        self._active = segment
        return segment
