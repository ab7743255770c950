"""Segments: the files of a spool, each a run of frames.

A position is a number of bytes since the spool's first frame, and only grows; a segment is named by
the position at which it starts. Whatever is no whole frame, such as the end of a file whose writer
was killed, is passed over.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Self

from .._yielding import yield_gil
from ..events import AnalyticsEvent
from .frames import HEADER_BYTES, MAGIC, Header, decode_body

__all__ = ["Frame", "Segment"]

_SUFFIX = ".frames"
_SLICE_FRAMES = 32
"""Frames looked at before the GIL is given up: about half a millisecond."""


class Frame(NamedTuple):
    """A whole frame.

    Attributes:
        header: what it says of itself.
        body: its events, encoded.
        start: its position.
    """

    header: Header
    body: bytes
    start: int

    @property
    def end(self) -> int:
        """The position after it."""
        return self.start + HEADER_BYTES + self.header.length

    @property
    def events(self) -> list[AnalyticsEvent]:
        """Its events, decoded.

        Raises:
            ValueError: there is something else in it.
        """
        return decode_body(self.body)


class Segment:
    """One file of frames. Not thread-safe, but for one who appends beside one who reads.

    Attributes:
        path: the file.
        start: the position of its first byte.
        size: how many bytes it has.
        events: how many events its whole frames hold, as far as known.
        taken: how many of them were taken out of it.
        damages: where something is no whole frame, as far as known.
    """

    def __init__(self, path: Path, start: int) -> None:
        self.path = path
        self.start = start
        self.size = 0
        self.events = 0
        self.taken = 0
        self.damages: set[int] = set()
        self._appended: int | None = None
        self._read: int | None = None

    @classmethod
    def create(cls, folder: Path, start: int) -> Self:
        """Make an empty one, for appending.

        Raises:
            OSError: it cannot be made.
        """
        segment = cls(folder / f"{start:016x}{_SUFFIX}", start)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND
        segment._appended = os.open(segment.path, flags, 0o600)
        return segment

    @classmethod
    def found(cls, folder: Path) -> list[Self]:
        """Return the segments that lie in a folder, in order, with the events in them counted.

        Raises:
            OSError: they cannot be read.
        """
        segments = []
        for path in sorted(folder.glob(f"*{_SUFFIX}")):
            try:
                start = int(path.stem, 16)
            except ValueError:
                continue  # not one of ours
            segment = cls(path, start)
            segment.size = path.stat().st_size
            for place, frame in enumerate(segment.frames(), 1):
                segment.events += frame.header.count
                if place % _SLICE_FRAMES == 0:
                    yield_gil()
            segment.close()
            segments.append(segment)
        return segments

    @property
    def end(self) -> int:
        """The position after its last byte."""
        return self.start + self.size

    def append(self, frame: bytes, count: int) -> None:
        """Append a frame of so many events; all of it or nothing.

        Raises:
            OSError: it cannot be written.
        """
        descriptor = self._appended
        if descriptor is None:
            raise OSError(errno.EBADF, "nothing is appended after it was sealed", str(self.path))
        written = os.write(descriptor, frame)
        if written < len(frame):
            try:
                os.ftruncate(descriptor, self.size)
            except OSError:
                self.size += written  # passed over by who reads
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))
        self.size += written
        self.events += count

    def frames(self, position: int = 0) -> Iterator[Frame]:
        """Yield the whole frames from a position on, in order.

        Raises:
            OSError: the file cannot be read.
        """
        offset = max(position - self.start, 0)
        while offset < self.size:
            frame = self._frame(offset)
            if frame is None:
                self.damages.add(offset)
                offset = self._next_magic(offset + 1)
            else:
                yield frame
                offset = frame.end - self.start

    def seal(self) -> None:
        """Append nothing more."""
        # Forgotten first: a child that is forked in between must not close another file's number.
        descriptor, self._appended = self._appended, None
        if descriptor is not None:
            os.close(descriptor)

    def close(self) -> None:
        """Release the file."""
        self.seal()
        descriptor, self._read = self._read, None
        if descriptor is not None:
            os.close(descriptor)

    def _frame(self, offset: int) -> Frame | None:
        header = Header.of(self._bytes(offset, HEADER_BYTES))
        if header is None or header.length > self.size - offset - HEADER_BYTES:
            return None
        body = self._bytes(offset + HEADER_BYTES, header.length)
        return Frame(header, body, self.start + offset) if header.holds(body) else None

    def _next_magic(self, offset: int) -> int:
        """Return where a frame may start at or after an offset; the size if nowhere."""
        rest = self._bytes(offset, self.size - offset)
        found = rest.find(MAGIC)
        return self.size if found < 0 else offset + found

    def _bytes(self, offset: int, count: int) -> bytes:
        if self._read is None:
            self._read = os.open(self.path, os.O_RDONLY)
        return os.pread(self._read, count, offset)
