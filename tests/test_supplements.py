"""What supplements add to a batch; what stores make of it is in the contract of stores."""

from __future__ import annotations

import msgspec

from copilot_analytics.aggregation import Deltas, PatternDelta
from copilot_analytics.distinct import EXACT_BELOW, Distinct
from copilot_analytics.rollups import ACTIVITY, Rollup, RollupKey, RollupKind
from copilot_analytics.supplements import PatternSupplement, RollupSupplement, Supplement

_DAY = RollupKey(RollupKind.ACTIVITY, ACTIVITY, "2025-11-25")
_USER = RollupKey(RollupKind.USER, "ada", "2025-11-25")
_DELTA = PatternDelta("E", "early", 3, 5, 9, ("ada",))


def _added(*supplements: Supplement) -> Deltas:
    deltas = Deltas()
    for one in supplements:
        one.add_to(deltas)
    return deltas


def _of(users: Distinct, key: RollupKey = _DAY) -> RollupSupplement:
    return RollupSupplement(
        sequence=1, key=key, rollup=Rollup({"n": 1}, 3, 4), users=users.to_bytes()
    )


def test_parts_of_a_row_add_up() -> None:
    """Their times widen, their days are touched, and the row is told to be unbacked."""
    hour = RollupKey(RollupKind.ACTIVITY, ACTIVITY, "2025-11-24T09")
    deltas = _added(
        RollupSupplement(sequence=1, key=_DAY, rollup=Rollup({"a": 1, "b": 2}, 5, 6)),
        RollupSupplement(sequence=2, key=_DAY, rollup=Rollup({"b": 3}, 4, 5)),
        RollupSupplement(sequence=3, key=hour, rollup=Rollup({"a": 1}, 1, 1)),
    )
    assert deltas.rollups[_DAY] == Rollup({"a": 1, "b": 5}, 4, 6)
    assert deltas.unbacked == {_DAY, hour}
    assert deltas.days == {"2025-11-24", "2025-11-25"}
    assert not deltas.distinct
    assert not deltas.sketches


def test_users_are_hashes_as_long_as_they_are_known() -> None:
    """Then a sketch; rows that count no users take none."""
    few, many = Distinct.of([1, 2]), Distinct.of(range(EXACT_BELOW))
    deltas = _added(_of(few), _of(many), _of(Distinct.of_registers([(1, 9)])), _of(few, _USER))
    assert deltas.distinct == {_DAY: {1, 2}}
    assert deltas.sketches == {_DAY: Distinct.merge((many, Distinct.of_registers([(1, 9)])))}
    empty = _added(_of(Distinct()))
    assert not empty.distinct
    assert not empty.sketches


def test_sketches_of_deltas_merge() -> None:
    one, other = (Distinct.of_registers([(register, 3)]) for register in (1, 2))
    deltas = _added(_of(one))
    deltas.add(_added(_of(other)))
    assert deltas.sketches == {_DAY: Distinct.merge((one, other))}
    assert deltas.unbacked == {_DAY}


def test_patterns_are_taken_as_copies() -> None:
    """What is added to later is not the supplement's own."""
    supplement = PatternSupplement(sequence=1, dimension="1-a:E", delta=_DELTA)
    deltas = _added(supplement, supplement)
    assert deltas.patterns["1-a:E"].count == 6
    assert _DELTA.count == 3


def test_supplements_can_be_kept() -> None:
    """Either kind comes back as it was."""
    decode = msgspec.msgpack.Decoder(Supplement).decode
    for one in (_of(Distinct.of([7])), PatternSupplement(sequence=2, dimension="x", delta=_DELTA)):
        assert decode(msgspec.msgpack.encode(one)) == one
