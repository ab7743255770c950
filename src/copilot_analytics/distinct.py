"""Distinct users: exact while they are few, a sketch of fixed size beyond, mergeable throughout.

Everything derives from a 48-bit hash of the stored user id, so that every store counts alike
whichever form it keeps: its upper 11 bits choose a register of a HyperLogLog sketch, the other 37
give the rank.
"""

from __future__ import annotations

import math
import secrets
import sys
from array import array
from collections.abc import Iterable, Sequence
from functools import lru_cache
from hashlib import blake2b

from .queries import DistinctUsers

__all__ = [
    "EXACT_BELOW",
    "REGISTERS",
    "Distinct",
    "estimate",
    "random_hash",
    "register_and_rank",
    "user_hash",
]

EXACT_BELOW = 512
"""A set of hashes is complete, and its count exact, while it has fewer members than this."""

REGISTERS = 2048
"""Registers of a sketch, 2^11: a standard error of 1.04/√2048 = 2.3 %."""

_RANK_BITS = 37
_MAX_RANK = _RANK_BITS + 1
_RANK_MASK = (1 << _RANK_BITS) - 1
_HASH_BYTES = 6

# The first byte of the stored form says what follows. Hashes take 8 bytes there, lowest first:
# `array` reads and writes them ten times as fast as 6 bytes each.
_MEMBERS = b"\x01"
_SKETCH = b"\x02"
_MEMBER_BYTES = 8
_RANKS = bytes(range(_MAX_RANK + 1))

# The highest bit of each register, which no rank reaches.
_HIGH = int.from_bytes(b"\x80" * REGISTERS, "little")


def random_hash() -> int:
    """Return a hash that is nobody's: it stands for a user who was erased."""
    return secrets.randbits(8 * _HASH_BYTES)


# One process serves few enough users that most hashes are needed again; 16,384 entries take 3 MB.
@lru_cache(maxsize=16_384)
def user_hash(stored_user_id: str) -> int:
    """Return the 48-bit hash of a user id as it is stored; the same in every process, for good."""
    digest = blake2b(stored_user_id.encode("utf-8", "surrogatepass"), digest_size=_HASH_BYTES)
    return int.from_bytes(digest.digest(), "big")


def register_and_rank(hash: int) -> tuple[int, int]:
    """Return which register (0..2047) a hash raises, and to which rank (1..38)."""
    return hash >> _RANK_BITS, _MAX_RANK - (hash & _RANK_MASK).bit_length()


def estimate(registers: bytes | bytearray) -> float:
    """Return how many hashes raised the registers, by Ertl's improved estimator.

    Otmar Ertl, "New cardinality estimation algorithms for HyperLogLog sketches", 2017, algorithm 6:
    it needs no correction tables and has no bias at either end.
    """
    ranks = [registers.count(rank) for rank in range(_MAX_RANK + 1)]
    z = REGISTERS * _tau(1.0 - ranks[_MAX_RANK] / REGISTERS)
    for rank in range(_RANK_BITS, 0, -1):
        z = 0.5 * (z + ranks[rank])
    z += REGISTERS * _sigma(ranks[0] / REGISTERS)
    # All registers at the highest rank, as only damaged data says, leave nothing to divide by.
    return REGISTERS * REGISTERS / (2.0 * math.log(2.0) * z) if z else float(1 << 48)


def _sigma(x: float) -> float:
    if x == 1.0:
        return math.inf
    y, z = 1.0, x
    while True:
        x *= x
        previous = z
        z += x * y
        y += y
        if z == previous:
            return z


def _tau(x: float) -> float:
    if x in (0.0, 1.0):
        return 0.0
    y, z = 1.0, 1.0 - x
    while True:
        x = math.sqrt(x)
        previous = z
        y *= 0.5
        z -= (1.0 - x) ** 2 * y
        if z == previous:
            return z / 3.0


def _highest(sketches: Iterable[bytes | bytearray]) -> bytearray:
    """Return each register's highest rank, of all registers at once as one large integer."""
    merged = 0
    for sketch in sketches:
        other = int.from_bytes(sketch, "little")
        # The high bit of each register where ours is as high, then all of its bits.
        kept = ((merged | _HIGH) - other) & _HIGH
        kept = (kept << 1) - (kept >> 7)
        merged = other ^ ((merged ^ other) & kept)
    return bytearray(merged.to_bytes(REGISTERS, "little"))


def _little_endian(numbers: array[int]) -> array[int]:
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers


def _hashes_in(members: bytes) -> Iterable[int]:
    # A view yields them a tenth faster than an array does, in the machine's own order alone.
    if sys.byteorder == "little":
        return memoryview(members).cast("Q")
    return _little_endian(array("Q", members))


def _raise(registers: bytearray, hashes: Iterable[int]) -> bool:
    """Raise registers to the ranks of hashes; return whether that changed any."""
    raised = False
    for hash in hashes:
        register = hash >> _RANK_BITS
        rank = _MAX_RANK - (hash & _RANK_MASK).bit_length()
        if rank > registers[register]:
            registers[register] = rank
            raised = True
    return raised


def _sketch_of(hashes: Iterable[int]) -> bytearray:
    registers = bytearray(REGISTERS)
    _raise(registers, hashes)
    return registers


def _form_of(data: bytes) -> bytes:
    """Return the version byte of stored distinct users that are sound."""
    form, size = data[:1], len(data) - 1
    if form == _MEMBERS and size % _MEMBER_BYTES == 0:
        return form
    if form == _SKETCH and size == REGISTERS and not data.translate(None, _RANKS):
        return form
    raise ValueError(f"{len(data)} bytes of form {form!r} are no stored distinct users")


class Distinct:
    """The distinct users of one rollup, or of several merged.

    Holds the hashes while they are fewer than `EXACT_BELOW`, else the sketch's registers alone
    (2 KB): the sketch of few hashes follows from them. A union of such sets is one, too, however
    large. Not thread-safe.
    """

    __slots__ = ("_members", "_registers")

    def __init__(self) -> None:
        self._members: set[int] | None = set()
        self._registers = bytearray()

    @classmethod
    def of(cls, hashes: Iterable[int]) -> Distinct:
        """Return the distinct users of some hashes, see `user_hash`."""
        distinct = cls()
        distinct.add(hashes)
        return distinct

    @classmethod
    def of_registers(cls, pairs: Iterable[tuple[int, int]]) -> Distinct:
        """Return a sketch of registers and ranks they were raised to, see `register_and_rank`."""
        distinct = cls()
        distinct._members = None
        registers = distinct._registers = bytearray(REGISTERS)
        for register, rank in pairs:
            if rank > registers[register]:
                registers[register] = rank
        return distinct

    @classmethod
    def merge(cls, parts: Iterable[Distinct]) -> Distinct:
        """Return the union: exact if every part is. Parts are kept."""
        members: set[int] = set()
        sketches: list[bytes | bytearray] = []
        for part in parts:
            if part._members is None:
                sketches.append(part._registers)
            else:
                members |= part._members
        return cls._union(members, sketches)

    @classmethod
    def merge_bytes(cls, parts: Iterable[bytes]) -> Distinct:
        """Return the union of what `to_bytes` wrote; as `merge`, at a third of the cost.

        Raises:
            ValueError: `to_bytes` did not write one of them, or a newer version did.
        """
        bodies: list[bytes] = []
        sketches: list[bytes | bytearray] = []
        for part in parts:
            form = _form_of(part)
            (bodies if form == _MEMBERS else sketches).append(part[1:])
        return cls._union(set(_hashes_in(b"".join(bodies))), sketches)

    @classmethod
    def _union(cls, members: set[int], sketches: Sequence[bytes | bytearray]) -> Distinct:
        union = cls()
        if sketches:
            union._members = None
            union._registers = _highest(sketches)
            _raise(union._registers, members)
        else:
            union._members = members
        return union

    @classmethod
    def from_bytes(cls, data: bytes) -> Distinct:
        """Return what `to_bytes` wrote.

        Raises:
            ValueError: it did not, or a newer version did.
        """
        return cls.merge_bytes((data,))

    def to_bytes(self) -> bytes:
        """Return the stored form: a version byte, then the hashes or all the registers."""
        if self._members is None or len(self._members) >= EXACT_BELOW:
            return _SKETCH + self.registers
        return _MEMBERS + _little_endian(array("Q", self._members)).tobytes()

    def add(self, hashes: Iterable[int]) -> bool:
        """Add hashes, see `user_hash`, and return whether that changed anything."""
        if self._members is None:
            return _raise(self._registers, hashes)
        before = len(self._members)
        self._members.update(hashes)
        after = len(self._members)
        if after >= EXACT_BELOW:
            members, self._members = self._members, None
            self._registers = _sketch_of(members)
        return after > before

    def replace(self, hash: int, other: int) -> bool:
        """Put another hash in the place of a member, and return whether it was one.

        In a sketch there are no members: it stays as it is, and no hash can be read from it.
        """
        if self._members is None or hash not in self._members:
            return False
        self._members.add(other)
        self._members.remove(hash)
        return True

    def count(self) -> DistinctUsers:
        """Return how many there are, and whether that is exact."""
        if self._members is None:
            return DistinctUsers(round(estimate(self._registers)), exact=False)
        return DistinctUsers(len(self._members), exact=True)

    @property
    def members(self) -> frozenset[int] | None:
        """The hashes; None once there were too many to keep."""
        return None if self._members is None else frozenset(self._members)

    @property
    def registers(self) -> bytes:
        """The sketch's registers, always complete."""
        return bytes(self._registers if self._members is None else _sketch_of(self._members))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Distinct):
            return NotImplemented
        return self._members == other._members and self._registers == other._registers

    def __repr__(self) -> str:
        users = self.count()
        return f"<Distinct {'' if users.exact else 'about '}{users.count}>"
