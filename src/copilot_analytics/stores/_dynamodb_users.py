"""Distinct users in DynamoDB: sets to which only what is new is added, so that nothing is counted.

An item holds a set of the users' hashes, which gets members only while it has fewer than
`EXACT_BELOW` and so is complete exactly while it has fewer, and a set of sketch registers with the
ranks they were raised to. Adding to a set twice is adding once: neither needs a writer's mark.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Collection, Iterable

from ..distinct import EXACT_BELOW, REGISTERS, Distinct, register_and_rank
from ..rollups import RollupKey
from ._dynamodb_client import DynamoDBClient
from ._dynamodb_errors import ConditionFailed
from ._dynamodb_items import (
    HASHES,
    INCOMPLETE,
    PAIRS,
    Item,
    complete_hashes,
    hashes_of,
    number,
    pairs_of,
    stored_pairs,
)
from ._dynamodb_keys import sketch_key
from ._dynamodb_queries import get
from ._dynamodb_table import TTL
from ._dynamodb_updates import Update

__all__ = ["KnownUsers"]

_Pair = tuple[int, int]


class _Stored:
    """What is known to be stored of one rollup's users."""

    __slots__ = ("_hashes", "_registers")

    def __init__(self, item: Item) -> None:
        self._hashes: set[int] | None = complete_hashes(item)
        self._registers = bytearray(REGISTERS)
        self._raise(stored_pairs(item))

    def new_hashes(self, hashes: Collection[int]) -> list[int]:
        """Return which hashes to add: none to a set that is full, and not more than fill it."""
        if self._hashes is None:
            return []
        return sorted(set(hashes) - self._hashes)[: EXACT_BELOW - len(self._hashes)]

    def new_pairs(self, hashes: Collection[int]) -> list[_Pair]:
        """Return the registers that hashes raise, each with its highest new rank."""
        raised: dict[int, int] = {}
        for register, rank in map(register_and_rank, hashes):
            if rank > max(self._registers[register], raised.get(register, 0)):
                raised[register] = rank
        return sorted(raised.items())

    def learn(self, hashes: Collection[int], pairs: Collection[_Pair], *, full: bool) -> None:
        """Remember what has been stored."""
        if self._hashes is not None:
            self._hashes.update(hashes)
            if full or len(self._hashes) >= EXACT_BELOW:
                self._hashes = None
        self._raise(pairs)

    def _raise(self, pairs: Iterable[_Pair]) -> None:
        registers = self._registers
        for register, rank in pairs:
            registers[register] = max(registers[register], rank)


class KnownUsers:
    """Stores distinct users, and what it has stored not again.

    In a steady state a write meets the users of the writes before it, and sends nothing at all.
    Each rollup's item is read once, when its first users come. Thread-safe.

    Args:
        client: where they are stored; not owned.
    """

    _LIMIT = 512
    """Rollups known at a time: a day of 20 commands, 5 types and 10 patterns has 36, at up to
    40 KB each."""

    def __init__(self, client: DynamoDBClient) -> None:
        self._client = client
        self._lock = threading.Lock()
        self._known: OrderedDict[RollupKey, _Stored] = OrderedDict()

    def store(self, key: RollupKey, hashes: Collection[int], *, expires: int) -> None:
        """Store the users of a rollup.

        Args:
            key: which rollup.
            hashes: the users' hashes.
            expires: when they may be deleted, epoch seconds.
        """
        stored = self._stored(key)
        with self._lock:
            new, pairs = stored.new_hashes(hashes), stored.new_pairs(hashes)
        full = False
        while new or pairs:
            update = Update(sketch_key(key))
            update.set(TTL, number(expires))
            if pairs:
                update.add(PAIRS, pairs_of(pairs))
            if new:
                update.add(HASHES, hashes_of(new))
                update.require_smaller(HASHES, EXACT_BELOW)
            try:
                self._client.call("UpdateItem", update.request(self._client.table))
                break
            except ConditionFailed:
                full, new = True, []
        with self._lock:
            stored.learn(new, pairs, full=full)

    def merge(self, key: RollupKey, sketch: Distinct, *, expires: int) -> None:
        """Merge a sketch into the users of a rollup, which is a sketch from then on.

        Args:
            key: which rollup.
            sketch: who they are is not known.
            expires: when they may be deleted, epoch seconds.
        """
        pairs = [(register, rank) for register, rank in enumerate(sketch.registers) if rank]
        update = Update(sketch_key(key))
        update.set(TTL, number(expires))
        update.set(INCOMPLETE, {"BOOL": True})
        update.add(PAIRS, pairs_of(pairs))
        self._client.call("UpdateItem", update.request(self._client.table))
        stored = self._stored(key)
        with self._lock:
            stored.learn((), pairs, full=True)

    def _stored(self, key: RollupKey) -> _Stored:
        with self._lock:
            stored = self._known.get(key)
            if stored is not None:
                self._known.move_to_end(key)
                return stored
        item = get(self._client, sketch_key(key)) or {}
        with self._lock:
            stored = self._known.setdefault(key, _Stored(item))
            if len(self._known) > self._LIMIT:
                self._known.popitem(last=False)
        return stored
