"""Whose events they are: the stored form of user ids, and users who come back."""

from __future__ import annotations

import hashlib
import hmac
import logging
from collections import OrderedDict

from .events import ANONYMOUS_PREFIX
from .ids import timestamp_of
from .redaction import bound_id

__all__ = [
    "PSEUDONYM_PREFIX",
    "Pseudonymiser",
    "ReconnectDetector",
    "anonymous_id",
    "is_pseudonym",
]

PSEUDONYM_PREFIX = "p1-"
"""How pseudonyms start; the number is that of their making, should it ever have to change."""

_PSEUDONYM_BYTES = 16
"""128 bits: of a billion users, no two share a pseudonym."""

_LOST = frozenset({None, 1002, 1003, 1006, 1007, *range(1009, 1016)})
"""Close codes of connections that neither side meant to end.

Not 1001 and 1005: that is how browsers leave a page and close without a code. From 3000 on codes
are the application's own.
"""

_log = logging.getLogger("copilot_analytics.identity")


def anonymous_id(connection_id: str) -> str:
    """Return the user id of somebody who is not signed in, of their own for each connection."""
    return ANONYMOUS_PREFIX + connection_id


def is_pseudonym(user_id: str) -> bool:
    """Say whether an id has the form in which a `Pseudonymiser` stores users."""
    digits = user_id.removeprefix(PSEUDONYM_PREFIX)
    return (
        digits != user_id
        and len(digits) == 2 * _PSEUDONYM_BYTES
        and not digits.strip("0123456789abcdef")
    )


class Pseudonymiser:
    """Turns user ids into the form in which they are stored and asked for.

    With a key that is `p1-` and the first 32 hex digits of HMAC-SHA256(key, id as UTF-8): always
    the same for the same id and key, and without the key nobody can tell or try out whose it is.
    Without a key it is the id itself, cleaned and cut to 256 bytes (`redaction.bound_id`).

    Ids of people who are not signed in (`anonymous_id`) stay what they are; what else claims to be
    one keeps the prefix and is pseudonymised behind it. Thread-safe.

    Args:
        key: the secret, at least 32 bytes long (the setting `pseudonymise_key` is checked); None
            stores ids as they are, and an id with an `@` in it then logs one warning.
    """

    __slots__ = ("_key", "_warned")

    def __init__(self, key: str | None = None) -> None:
        self._key = None if key is None else key.encode()
        self._warned = False

    def stored(self, user_id: str) -> str:
        """Return the stored form of a user's id; what an application passes is never a pseudonym.

        Applied to a pseudonym it gives another one: apply it once.
        """
        if self._key is None:
            if "@" in user_id and not self._warned:
                self._warned = True
                _log.warning(
                    "user ids look like e-mail addresses and are stored as they are; "
                    "set COPILOT_ANALYTICS_PSEUDONYMISE_KEY, or use another id"
                )
            return bound_id(user_id)
        if not user_id.startswith(ANONYMOUS_PREFIX):
            return _pseudonym(self._key, user_id)
        rest = user_id[len(ANONYMOUS_PREFIX) :]
        return user_id if _is_id(rest) else ANONYMOUS_PREFIX + _pseudonym(self._key, rest)


class ReconnectDetector:
    """Tells whether somebody who connects comes back after losing a connection.

    Shared by the trackers of one process: coming back to another process is not seen. It keeps the
    time of the last lost connection of at most `capacity` signed-in users. Thread-safe.

    Args:
        window_ms: how long after the loss a new connection is a reconnect, in milliseconds.
        capacity: how many users are remembered; those who lost theirs longest ago are forgotten.
    """

    __slots__ = ("_capacity", "_lost", "_window_ms")

    def __init__(self, *, window_ms: int = 5 * 60_000, capacity: int = 10_000) -> None:
        self._window_ms = window_ms
        self._capacity = capacity
        # Its operations are atomic, so that threads need no lock.
        self._lost: OrderedDict[str, int] = OrderedDict()

    def closed(self, user_id: str, code: int | None, at_ms: int) -> None:
        """Note the end of a user's connection, if its close code says that it was lost.

        Args:
            user_id: the stored id.
            code: the close code; None if there was none.
            at_ms: when, epoch milliseconds.
        """
        if code not in _LOST or user_id.startswith(ANONYMOUS_PREFIX):
            return
        self._lost.pop(user_id, None)
        self._lost[user_id] = at_ms
        if len(self._lost) > self._capacity:
            self._lost.popitem(last=False)

    def opened(self, user_id: str, at_ms: int) -> bool:
        """Say whether a user's new connection is a reconnect; each loss makes one at most.

        Args:
            user_id: the stored id.
            at_ms: when it was opened, epoch milliseconds.
        """
        lost = self._lost.pop(user_id, None)
        return lost is not None and 0 <= at_ms - lost <= self._window_ms


def _pseudonym(key: bytes, user_id: str) -> str:
    digest = hmac.digest(key, user_id.encode("utf-8", "surrogatepass"), hashlib.sha256)
    return PSEUDONYM_PREFIX + digest[:_PSEUDONYM_BYTES].hex()


def _is_id(text: str) -> bool:
    try:
        timestamp_of(text)
    except ValueError:
        return False
    return True
