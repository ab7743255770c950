"""The contract of a frame adapter: what reads one wire protocol."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from .signals import Signal

__all__ = ["FrameAdapter"]


class FrameAdapter(ABC):
    """Reads the frames of one wire protocol; stateless, so that all connections share one.

    Frames are whole messages: `str` for text, `bytes` for binary (some servers send their JSON so).
    Nothing here raises, whatever a frame holds: what cannot be read is a `Skipped` signal. Both
    methods run on the host's event loop, for every frame: a microsecond is the budget, and neither
    keeps any part of a message's text.

    Attributes:
        name: what configuration calls it; stored with each connection.
    """

    name: str

    @abstractmethod
    def client_frame(self, data: str | bytes) -> Sequence[Signal]:
        """Return what a frame that the client sent tells, in order; nothing for a heartbeat."""

    @abstractmethod
    def server_frame(self, data: str | bytes) -> Sequence[Signal]:
        """Return what a frame that the server sent tells, in order; nothing for a heartbeat."""

    def content_prefix(self, data: str | bytes) -> str | None:
        """Return the start by which more frames like `data` can be told to be content, and only it.

        Asked for a text frame that gave a `StreamContent`. As long as the same stream is open, and
        no other, the tracker counts every frame with this start as content of that stream without
        looking at it further; and if the content named no conversation, so it does in later streams
        of the connection, from their first content on. So no frame that tells anything else may
        ever start so, given that it is well formed and names no key twice. None where a start
        cannot tell (what decides comes after the text, say), and for binary frames.
        """
        return None
