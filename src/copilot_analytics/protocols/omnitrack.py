"""The default wire protocol: JSON text frames with a `type` (the client's with an `action`)."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeGuard

import msgspec

from ._decoding import (
    INVALID,
    MALFORMED,
    UNKNOWN,
    UNREADABLE,
    byte_length,
    fit,
    load_object,
)
from ._omnitrack_frames import SERVER_FRAMES, AnyServerFrame, ServerFrame
from .base import FrameAdapter
from .signals import Signal, UserMessage

__all__ = ["OmnitrackAdapter"]

_NOTHING: Final[tuple[Signal, ...]] = ()

# `type` first decides; what follows it cannot make the frame another one.
_CONTENT_START = re.compile(r'[ \t\r\n]*\{[ \t\r\n]*"type"[ \t\r\n]*:[ \t\r\n]*"stream_token"')

# As JavaScript and Python write them.
_USUAL_CONTENT_STARTS: Final = ('{"type":"stream_token"', '{"type": "stream_token"')


class _Context(msgspec.Struct, gc=False, rename="camel"):
    user_id: str | None = None
    conversation_id: str | None = None


class _ClientFrame(msgspec.Struct, gc=False, rename="camel"):
    action: str | None = None
    type: str | None = None
    message: str | None = None
    conversation_id: str | None = None
    streaming: bool | None = None
    context: _Context | None = None


class _Kind(msgspec.Struct, gc=False):
    type: Any = None


_NO_CONTEXT: Final = _Context()


class OmnitrackAdapter(FrameAdapter):
    """Reads the default protocol, both of its variants.

    A stream is `stream_start`, `stream_token`…, `stream_complete`, or `stream`… with `isComplete`
    at the last one and a `complete` after or instead of it. A field of an unexpected type counts as
    absent.
    """

    name = "omnitrack"

    __slots__ = ("_decode_client", "_decode_kind", "_decode_server")

    def __init__(self) -> None:
        self._decode_client = msgspec.json.Decoder(_ClientFrame).decode
        self._decode_kind = msgspec.json.Decoder(_Kind).decode
        self._decode_server: Callable[[str | bytes], ServerFrame] = msgspec.json.Decoder(
            AnyServerFrame
        ).decode

    def client_frame(self, data: str | bytes) -> Sequence[Signal]:
        """Return a `UserMessage` for a message, nothing for a good-bye and a heartbeat."""
        # Calling an attribute that is no method is slow before Python 3.12, a variable is not.
        decode = self._decode_client
        try:
            frame = decode(data)
        except UNREADABLE:
            found = load_object(data)
            if found is None:
                return MALFORMED
            frame = fit(_ClientFrame, found)
        if frame.action == "message":
            if frame.message is None:
                return INVALID
            context = frame.context or _NO_CONTEXT
            return (
                UserMessage(
                    len(frame.message),
                    byte_length(data),
                    frame.streaming,
                    frame.conversation_id or context.conversation_id or None,
                    context.user_id or None,
                ),
            )
        if frame.action == "disconnect" or frame.type == "pong":
            return _NOTHING
        return UNKNOWN

    def server_frame(self, data: str | bytes) -> Sequence[Signal]:
        """Return what the frame's `type` stands for."""
        decode = self._decode_server
        try:
            frame = decode(data)
        except UNREADABLE:
            return self._second_look(data)
        return frame.signals()

    def content_prefix(self, data: str | bytes) -> str | None:
        """Return the start of a `stream_token` frame, up to the end of its type if that is first.

        Never that of a `stream` frame, which may end its stream and says so after the token.
        """
        if isinstance(data, bytes):
            return None
        for usual in _USUAL_CONTENT_STARTS:  # a fifth of what the expression costs
            if data.startswith(usual):
                return usual
        start = _CONTENT_START.match(data)
        return start.group() if start else None

    def _second_look(self, data: str | bytes) -> Sequence[Signal]:
        """Tell a frame with an odd field from an unknown one and from what is no frame at all."""
        unreadable = MALFORMED
        try:
            kind = self._decode_kind(data).type
        except UNREADABLE:
            pass
        else:
            if not _is_known(kind):
                return UNKNOWN
            unreadable = INVALID
        found = load_object(data)
        if found is None:
            return unreadable
        kind = found.get("type")
        return fit(SERVER_FRAMES[kind], found).signals() if _is_known(kind) else UNKNOWN


def _is_known(kind: object) -> TypeGuard[str]:
    return isinstance(kind, str) and kind in SERVER_FRAMES
