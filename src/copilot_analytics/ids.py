"""Identifiers: ULIDs, 26 characters that sort by time.

10 characters hold 48 bits of epoch milliseconds, 16 hold 80 bits that keep ids apart. Crockford's
base 32 has no I, L, O or U, and its characters sort in ASCII order, so that ids compare as text.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from hashlib import blake2b
from itertools import islice
from operator import add

from ._forking import renew_in_children

__all__ = ["MAX_TIMESTAMP", "EventIds", "derived_id", "new_id", "short_id", "timestamp_of"]

MAX_TIMESTAMP = (1 << 48) - 1
"""The latest time an id can hold, in epoch milliseconds: the year 10889."""

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_PAIRS = tuple(high + low for high in _ALPHABET for low in _ALPHABET)
_DIGITS = {character: digit for digit, character in enumerate(_ALPHABET)}

_ID_LENGTH = 26
_TIME_LENGTH = 10
_PAIR_BITS = 10
_PAIR_MASK = (1 << _PAIR_BITS) - 1
_COUNTER_MASK = (1 << 30) - 1
_RANDOM_BITS = 50
_MAX_HEADS = 1_024


def _encode(number: int, pairs: int) -> str:
    """Return the lowest 10 bits of a number for each of `pairs`, two characters for 10 bits."""
    return "".join(
        _PAIRS[number >> shift & _PAIR_MASK]
        for shift in range((pairs - 1) * _PAIR_BITS, -1, -_PAIR_BITS)
    )


def _check_timestamp(timestamp_ms: int) -> None:
    if not 0 <= timestamp_ms <= MAX_TIMESTAMP:
        raise ValueError(f"an id holds times of 0..{MAX_TIMESTAMP} ms, not {timestamp_ms}")


class EventIds:
    """Makes the ids of events: for the same millisecond, in the order they were made.

    After the time, an id has 30 bits of a counter that rises over the life of the process, and 50
    random bits that are drawn anew for every 1,024 ids and after a fork, so that no other process
    makes the same. The counter wraps to 0 after 1,073,741,824 ids: ids stay unique, and only two
    ids of one millisecond on either side of the wrap sort the wrong way round.

    Not thread-safe: one thread, the recorder's, makes them.

    Args:
        first: where the counter starts; only the tests of the wrap need another than 0.
    """

    __slots__ = ("__weakref__", "_counter", "_heads", "_tails")

    def __init__(self, *, first: int = 0) -> None:
        self._counter = first
        # By second: the events of many connections go back and forth between a few.
        self._heads: dict[int, str] = {}
        self._draw()
        renew_in_children(self)

    def next(self, timestamp_ms: int) -> str:
        """Return a new id for a time in epoch milliseconds.

        Raises:
            ValueError: the time is outside 0..`MAX_TIMESTAMP`.
        """
        (identifier,) = self.take((timestamp_ms,))
        return identifier

    def take(self, timestamps_ms: Sequence[int]) -> list[str]:
        """Return a new id for each of some times; see `next`."""
        heads = {timestamp: self._head_of(timestamp) for timestamp in set(timestamps_ms)}
        tails = list(islice(self._tails, len(timestamps_ms)))
        while len(tails) < len(timestamps_ms):
            self._draw()
            tails += islice(self._tails, len(timestamps_ms) - len(tails))
        return list(map(add, map(heads.__getitem__, timestamps_ms), tails))

    def _head_of(self, timestamp_ms: int) -> str:
        second = timestamp_ms >> _PAIR_BITS
        head = self._heads.get(second)
        if head is None:
            _check_timestamp(timestamp_ms)
            if len(self._heads) >= _MAX_HEADS:
                self._heads.clear()
            head = self._heads[second] = _encode(second, 4)
        return head + _PAIRS[timestamp_ms & _PAIR_MASK]

    def renew_in_child(self) -> None:
        """Draw other random bits than the parent process has; called after a fork."""
        self._draw()

    def _draw(self) -> None:
        """Make what follows the time in the ids up to the next multiple of 1,024."""
        counter = self._counter
        head = _encode(counter >> _PAIR_BITS, 2)
        random_bits = _encode(secrets.randbits(_RANDOM_BITS), 5)
        pairs = _PAIRS[counter & _PAIR_MASK :]
        self._tails = iter([f"{head}{pair}{random_bits}" for pair in pairs])
        self._counter = (counter + len(pairs)) & _COUNTER_MASK


def new_id(timestamp_ms: int | None = None) -> str:
    """Return a ULID with 80 random bits, for what is made seldom: connections.

    Args:
        timestamp_ms: the time it holds, epoch milliseconds; None is now. Thread-safe.

    Raises:
        ValueError: the time is outside 0..`MAX_TIMESTAMP`.
    """
    if timestamp_ms is None:
        timestamp_ms = time.time_ns() // 1_000_000
    _check_timestamp(timestamp_ms)
    return _encode(timestamp_ms, 5) + _encode(secrets.randbits(80), 8)


def derived_id(timestamp_ms: int, content: bytes) -> str:
    """Return a ULID that follows from what it is the id of: the same for the same.

    Args:
        timestamp_ms: the time it holds, epoch milliseconds.
        content: what tells it apart.

    Raises:
        ValueError: the time is outside 0..`MAX_TIMESTAMP`.
    """
    _check_timestamp(timestamp_ms)
    rest = int.from_bytes(blake2b(content, digest_size=10).digest(), "big")
    return _encode(timestamp_ms, 5) + _encode(rest, 8)


def short_id() -> str:
    """Return 12 characters with 60 random bits, for what is made seldom and named often: writers.

    A store may keep it in every row that its writer has changed.
    """
    return _encode(secrets.randbits(60), 6)


def timestamp_of(identifier: str) -> int:
    """Return the time that an id holds, in epoch milliseconds.

    Raises:
        ValueError: it is no id of this module.
    """
    try:
        if len(identifier) != _ID_LENGTH:
            raise KeyError(identifier)
        digits = [_DIGITS[character] for character in identifier]
    except KeyError:
        raise ValueError("an id has 26 characters of Crockford's base 32") from None
    timestamp = 0
    for digit in digits[:_TIME_LENGTH]:
        timestamp = timestamp << 5 | digit
    _check_timestamp(timestamp)
    return timestamp
