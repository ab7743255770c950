"""Supplements: what rows are to count besides events, such as an import brings.

Rollups outlive their events, and other systems keep no events at all. A supplement adds to one row
what no event backs. It has a number among its writer's events, so that it is counted once like
them, and the row is from then on told by `Snapshot.unbacked`: a recount leaves it alone.
"""

from __future__ import annotations

import msgspec

from .aggregation import Deltas, PatternDelta
from .distinct import Distinct
from .periods import day_of
from .rollups import DISTINCT_KINDS, Rollup, RollupKey

__all__ = ["MAX_COUNTERS", "PatternSupplement", "RollupSupplement", "Supplement"]

MAX_COUNTERS = 128
"""A supplement has at most so many counters; what has more comes in several. A store may have to
add each of them in one statement with the others."""


class RollupSupplement(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """What to add to one rollup.

    Attributes:
        sequence: the writer's number of it.
        key: which rollup.
        rollup: counters to add, at most `MAX_COUNTERS`, and times to widen the rollup's to.
        users: distinct users to add, as `Distinct.to_bytes` writes them; empty is none. Those of a
            sketch make the rollup's a sketch, too: they do not say who they are.
    """

    sequence: int
    key: RollupKey
    rollup: Rollup
    users: bytes = b""

    def add_to(self, deltas: Deltas) -> None:
        """Add it to what a batch adds."""
        key = self.key
        mine = deltas.rollups.get(key)
        if mine is None:
            mine = deltas.rollups[key] = Rollup({})
        mine.add(self.rollup)
        if self.users and key.kind in DISTINCT_KINDS:
            distinct = Distinct.from_bytes(self.users)
            members = distinct.members
            if members is None:
                parts = (deltas.sketches.get(key, Distinct()), distinct)
                deltas.sketches[key] = Distinct.merge(parts)
            elif members:
                deltas.distinct.setdefault(key, set()).update(members)
        deltas.unbacked.add(key)
        deltas.days.add(key.period[:10])


class PatternSupplement(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """What to add to the lifetime row of one error pattern.

    Attributes:
        sequence: the writer's number of it.
        dimension: which pattern, `<fingerprint>:<error type>`.
        delta: what to add; its count may be 0.
    """

    sequence: int
    dimension: str
    delta: PatternDelta

    def add_to(self, deltas: Deltas) -> None:
        """Add it to what a batch adds."""
        given = self.delta
        mine = deltas.patterns.get(self.dimension)
        if mine is None:
            deltas.patterns[self.dimension] = PatternDelta(
                given.error_type, given.message, given.count, given.first, given.last, given.users
            )
        else:
            mine.add(given)
        deltas.days.add(day_of(given.last))


Supplement = RollupSupplement | PatternSupplement
"""What one row is to count besides events."""
