"""Files in the making: a name, a type, and the bytes as they come."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass

__all__ = ["ExportFile", "ExportStream", "Sink", "in_chunks"]

CHUNK_BYTES = 64 * 1024
"""Enough that what hands chunks on is not noticed, and little enough to hold one per client."""


@dataclass(frozen=True, slots=True)
class ExportFile:
    """A file to be written or sent.

    Attributes:
        filename: a name without path, ASCII.
        content_type: its MIME type.
        chunks: its bytes, to be read once, by one thread at a time; reads the store as it goes.
            What can be told before the first byte is told before this exists; later errors are the
            store's.
    """

    filename: str
    content_type: str
    chunks: Iterator[bytes]


@dataclass(frozen=True, slots=True)
class ExportStream:
    """An `ExportFile` for an event loop.

    Attributes:
        filename: a name without path, ASCII.
        content_type: its MIME type.
        chunks: its bytes, to be read once. Each is made in a worker thread when it is asked for,
            so that a slow reader holds neither memory nor a thread. It can be left at any time.
    """

    filename: str
    content_type: str
    chunks: AsyncIterator[bytes]


class Sink:
    """Takes what a writer of files writes, until it is taken out; cannot seek."""

    def __init__(self) -> None:
        self.closed = False  # what writers look at
        self._pieces: list[bytes] = []
        self._position = 0

    def write(self, data: bytes | memoryview) -> int:
        """Keep a piece."""
        piece = bytes(data)
        self._pieces.append(piece)
        self._position += len(piece)
        return len(piece)

    def tell(self) -> int:
        """Return how many bytes have been written in all."""
        return self._position

    def flush(self) -> None:
        """Do nothing: there is nothing behind it."""

    def close(self) -> None:
        """Do nothing: what is in it is still to be taken out."""

    def take(self) -> bytes:
        """Return what has been written since the last call."""
        taken = b"".join(self._pieces)
        self._pieces.clear()
        return taken


def in_chunks(pieces: Iterable[bytes], size: int = CHUNK_BYTES) -> Iterator[bytes]:
    """Yield pieces joined to chunks of at least `size` bytes, the last one as it is."""
    held: list[bytes] = []
    held_bytes = 0
    for piece in pieces:
        held.append(piece)
        held_bytes += len(piece)
        if held_bytes >= size:
            yield b"".join(held)
            held, held_bytes = [], 0
    if held_bytes:
        yield b"".join(held)
