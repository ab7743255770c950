"""The form of what is spooled: frames of events, each with its length and checksum.

A frame is `CAS1`, whose last character is the version of the format, then the length of its body,
the number of its events and a checksum over these and the body (three big-endian 32-bit numbers),
then the body: the events in MessagePack, as maps, so that a later release, whose events have more
fields, still reads them.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import msgspec

from ..events import AnalyticsEvent

__all__ = ["HEADER_BYTES", "MAGIC", "Header", "decode_body", "encode_frame"]

MAGIC = b"CAS1"
"""How every frame starts."""

_HEADER = struct.Struct(">4sIII")
_CHECKED = struct.Struct(">II")
HEADER_BYTES = _HEADER.size
"""How long a frame's header is."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[AnalyticsEvent]).decode


@dataclass(frozen=True, slots=True)
class Header:
    """What a frame says of itself.

    Attributes:
        length: of its body, in bytes.
        count: how many events it holds.
        checksum: of these two and the body.
    """

    length: int
    count: int
    checksum: int

    @classmethod
    def of(cls, data: bytes) -> Self | None:
        """Return the header that data starts with; None if that is none."""
        if len(data) < HEADER_BYTES:
            return None
        magic, length, count, checksum = _HEADER.unpack_from(data)
        return cls(length, count, checksum) if magic == MAGIC else None

    def holds(self, body: bytes) -> bool:
        """Say whether a body is the one that was written."""
        return len(body) == self.length and self.checksum == _checksum(body, self.count)


def encode_frame(events: Sequence[AnalyticsEvent]) -> bytes:
    """Return a frame of some events of one writer, in rising sequence."""
    body = _encode(events)
    return _HEADER.pack(MAGIC, len(body), len(events), _checksum(body, len(events))) + body


def decode_body(body: bytes) -> list[AnalyticsEvent]:
    """Return the events of a frame's body.

    Raises:
        ValueError: there is something else in it.
    """
    try:
        return _decode(body)
    except msgspec.MsgspecError as exc:
        raise ValueError("the body of the frame holds no events") from exc


def _checksum(body: bytes, count: int) -> int:
    return zlib.crc32(body, zlib.crc32(_CHECKED.pack(len(body), count)))
