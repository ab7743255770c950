"""Cursors: places in lists that a client carries and cannot make up.

A cursor is its place and a keyed hash over it and over what it is good for: the list, the arguments
that choose what is in it, and whose eyes it is for. With anything else it is refused, so that a
cursor neither shows what its holder may not see nor silently continues another list. The place
itself is no secret: whoever holds it has seen the entry.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from typing import TypeVar

import msgspec

from copilot_analytics.errors import QuestionError

from .access import Principal
from .signing import signing_key

__all__ = ["Cursors", "ListCursors"]

_SIGNATURE_BYTES = 16
"""128 bits: nobody hits one by trying."""

_MAX_CHARACTERS = 2_000
"""The longest place holds two names of 128 code points."""

_FIX = "give the endCursor of a page of this very list, with the same arguments"

_encode = msgspec.msgpack.Encoder(order="deterministic").encode

_Place = TypeVar("_Place")


class Cursors:
    """Signs the cursors of every list of one endpoint.

    Args:
        key: at least 32 bytes, the same in every process that answers; None makes a random one,
            and a cursor then ends with the process.

    Raises:
        SecretError: the key is too short.
    """

    __slots__ = ("_key",)

    def __init__(self, key: str | None = None) -> None:
        self._key = signing_key("cursor_key", key)

    def of_list(self, name: str, arguments: object, principal: Principal) -> ListCursors:
        """Return the cursors of one list.

        Args:
            name: the list's own name, such as its root field's.
            arguments: those that choose what is in it and in which order, as the client gave them
                (a preset stays the same list at midnight): strings, numbers, None, and lists and
                dataclasses of these. Neither `first` nor `after`.
            principal: who asks.
        """
        # Admins see the same, and get it from the same cache.
        scope = None if principal.sees_all else principal.id
        purpose = _encode([name, arguments, scope])
        return ListCursors(hmac.digest(self._key, purpose, hashlib.sha256))


class ListCursors:
    """Signs and reads the cursors of one list, for one principal; see `Cursors.of_list`."""

    __slots__ = ("_key",)

    def __init__(self, key: bytes) -> None:
        self._key = key

    def cursor(self, place: object) -> str:
        """Return the cursor of a place: a NamedTuple of strings and numbers, say."""
        body = _encode(place)
        return base64.urlsafe_b64encode(self._signature(body) + body).rstrip(b"=").decode()

    def place(self, cursor: str | None, form: type[_Place]) -> _Place | None:
        """Return the place of a cursor; None for None.

        Args:
            cursor: what the client gave as `after`.
            form: the type of the place.

        Raises:
            QuestionError: it is no cursor of this list.
        """
        if cursor is None:
            return None
        data = _decoded(cursor)
        signature, body = data[:_SIGNATURE_BYTES], data[_SIGNATURE_BYTES:]
        if not hmac.compare_digest(signature, self._signature(body)):
            raise _refused(cursor)
        try:
            return msgspec.msgpack.decode(body, type=form)
        except msgspec.MsgspecError:
            # Ours, of a release whose places had another form.
            raise _refused(cursor) from None

    def _signature(self, body: bytes) -> bytes:
        return hmac.digest(self._key, body, hashlib.sha256)[:_SIGNATURE_BYTES]


def _decoded(cursor: str) -> bytes:
    try:
        if len(cursor) > _MAX_CHARACTERS:
            raise ValueError
        data = base64.b64decode(
            cursor.encode("ascii") + b"=" * (-len(cursor) % 4), altchars=b"-_", validate=True
        )
    except (ValueError, binascii.Error):
        raise _refused(cursor) from None
    return data


def _refused(cursor: str) -> QuestionError:
    return QuestionError("after", cursor, _FIX)
