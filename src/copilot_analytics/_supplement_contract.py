"""The part of the contract of stores that is about what comes without events."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from ._contract import Contract
from .aggregation import PatternDelta
from .batch import Batch
from .distinct import EXACT_BELOW, Distinct, user_hash
from .events import EventType
from .periods import DAY_MS
from .queries import DistinctUsers
from .rollups import ACTIVITY, Rollup, RollupKey, RollupKind
from .store_samples import DAYS, NOW_MS, event, numbered, sample_events
from .stores.base import Store
from .supplements import MAX_COUNTERS, PatternSupplement, RollupSupplement, Supplement
from .testing import FakeClock
from .verification import verify

__all__ = ["SupplementContract"]

_DAY = DAYS.first_day
_NOON = NOW_MS - 3 * DAY_MS
_ACTIVITY = RollupKey(RollupKind.ACTIVITY, ACTIVITY, _DAY)
_SEARCH = RollupKey(RollupKind.COMMAND, "search", _DAY)


def _hashes(count: int, letter: str = "u") -> list[int]:
    return [user_hash(f"{letter}{n}") for n in range(count)]


def _users(distinct: Distinct, sequence: int = 1) -> RollupSupplement:
    return RollupSupplement(
        sequence=sequence, key=_ACTIVITY, rollup=Rollup({}), users=distinct.to_bytes()
    )


def _active(store: Store) -> Distinct:
    return store.distinct(RollupKind.ACTIVITY, [ACTIVITY], DAYS)[ACTIVITY]


class SupplementContract(Contract):
    """What every store must do with what no event backs."""

    def test_supplements_add_to_rows_once(self, tmp_path: Path) -> None:
        """Beside events, in any batches, to rows that are there and rows that are not."""
        run = event(EventType.ACTION_EXECUTED, at=_NOON, command_name="search", execution_ms=2.0)
        events = numbered([run, run])
        hour = RollupKey(RollupKind.ACTIVITY, ACTIVITY, f"{_DAY}T09")
        counters = {"executions": 5, "successes": 5, "execution_us": 70_000, "x.9": 3}
        supplements: list[Supplement] = [
            RollupSupplement(sequence=4, key=_SEARCH, rollup=Rollup(counters, 1, _NOON + 5)),
            RollupSupplement(sequence=5, key=_SEARCH, rollup=Rollup({"x.9": 1, "error.E": 2})),
            RollupSupplement(sequence=6, key=hour, rollup=Rollup({"events": 7}, 2, 3)),
        ]
        with self._opened(tmp_path) as store:
            store.write(Batch("writer", events, supplements=supplements[:1]))
            store.write(Batch("writer", events[1:], supplements=supplements[:2]))
            store.write(Batch("writer", [], supplements=supplements))
            store.write(Batch("writer", events, supplements=supplements))
            total = store.totals(RollupKind.COMMAND, DAYS, ["search"], detail=True)["search"]
            assert total.counters.pop("x.9") == 4
            buckets = {name: n for name, n in total.counters.items() if name.startswith("x.")}
            assert sum(buckets.values()) == 2
            assert {name: n for name, n in total.counters.items() if name not in buckets} == {
                "executions": 7,
                "successes": 7,
                "execution_us": 74_000,
                "execution_samples": 2,
                "error.E": 2,
            }
            assert (total.first, total.last) == (1, _NOON + 5)
            hours = store.series(RollupKind.ACTIVITY, ACTIVITY, DAYS, hourly=True)
            assert hours[hour.period] == Rollup({"events": 7}, 2, 3)
            with store.snapshot(DAYS.start) as snapshot:
                assert set(snapshot.unbacked()) == {_SEARCH, hour}
            report = verify(store, DAYS)
            assert not report.differences
            assert set(report.unbacked) == {_SEARCH, hour}

    def test_wide_supplements_add_up(self, tmp_path: Path) -> None:
        """Also where the batch changes more counters of a row than a statement may hold."""
        names = [f"x.{n}" for n in range(5 * MAX_COUNTERS)]
        parts = [names[at : at + MAX_COUNTERS] for at in range(0, len(names), MAX_COUNTERS)]
        supplements = [
            RollupSupplement(sequence=n, key=_ACTIVITY, rollup=Rollup(dict.fromkeys(part, n), 1, 2))
            for n, part in enumerate(parts, start=1)
        ]
        with self._opened(tmp_path) as store:
            for _ in range(2):
                store.write(Batch("writer", [], supplements=supplements))
            total = store.totals(RollupKind.ACTIVITY, DAYS, detail=True)[ACTIVITY]
            assert total == Rollup(
                {name: n for n, part in enumerate(parts, start=1) for name in part}, 1, 2
            )

    def test_users_come_as_hashes_or_as_a_sketch(self, tmp_path: Path) -> None:
        """Hashes join the set; a sketch, however empty, makes the set count as one, for good."""
        few, many = Distinct.of(_hashes(9)), Distinct.of(_hashes(EXACT_BELOW, "m"))
        with self._opened(tmp_path) as store:
            store.write(Batch("one", [], supplements=[_users(few)]))
            assert _active(store) == few
            events = numbered([event(EventType.MESSAGE_SENT, "u3", _NOON)], "two")
            store.write(Batch("two", events))
            assert _active(store).count() == DistinctUsers(9, exact=True)
            for _ in range(2):
                store.write(Batch("three", [], supplements=[_users(many)]))
            merged = Distinct.merge((few, many))
            assert _active(store) == merged
            assert not merged.count().exact
            counts = store.count_distinct(RollupKind.ACTIVITY, [ACTIVITY], DAYS)
            assert counts == {ACTIVITY: merged.count()}
            later = numbered([event(EventType.MESSAGE_SENT, "late", _NOON)], "two", first=2)
            store.write(Batch("two", later))
            merged.add([user_hash("late")])
            assert _active(store) == merged
            with store.snapshot(DAYS.start) as snapshot:
                assert dict(snapshot.distinct()) == {_ACTIVITY: merged}

    def test_a_sketch_is_no_set_also_for_who_opens_the_store_later(self, tmp_path: Path) -> None:
        """A sketch of few stays one; whoever comes later joins it."""
        sketch = Distinct.of_registers([(5, 3), (7, 1)])
        with self._opened(tmp_path) as store:
            store.write(Batch("one", [], supplements=[_users(sketch)]))
            later = store
            if self.shared:
                later = self.make_store(tmp_path, FakeClock(NOW_MS))
            events = numbered([event(EventType.MESSAGE_SENT, "ada", _NOON)], "two")
            later.write(Batch("two", events))
            sketch.add([user_hash("ada")])
            assert _active(later) == sketch
            assert not _active(later).count().exact
            if later is not store:
                later.close()

    def test_patterns_are_supplemented(self, tmp_path: Path) -> None:
        """Counts add up, the earlier message wins, times widen, users join; once."""
        error = event(
            EventType.ERROR_OCCURRED,
            "bob",
            _NOON,
            error_type="E",
            error_message="late",
            fingerprint="1-a",
        )
        delta = PatternDelta("E", "early", 40, _NOON - 9 * DAY_MS, _NOON - DAY_MS, ("ada", "cy"))
        supplement = PatternSupplement(sequence=9, dimension="1-a:E", delta=delta)
        with self._opened(tmp_path) as store:
            store.write(Batch("writer", numbered([error]), supplements=[supplement]))
            store.write(Batch("writer", [], supplements=[supplement]))
            life = store.patterns(["1-a:E"])["1-a:E"]
            assert (life.error_type, life.message, life.count) == ("E", "early", 41)
            assert (life.first, life.last) == (delta.first, _NOON)
            assert life.users == ("ada", "bob", "cy")

    def test_supplements_raise_the_generation_of_their_days(self, tmp_path: Path) -> None:
        """What was answered of them before is no longer so."""
        with self._opened(tmp_path) as store:
            store.write(Batch("writer", sample_events(5)))
            before = store.generations(DAYS)
            one = RollupSupplement(sequence=9, key=_SEARCH, rollup=Rollup({"executions": 1}, 1, 1))
            store.write(Batch("writer", [], supplements=[one]))
            assert store.generations(DAYS) > before
            with store.snapshot(dt.date.fromisoformat(_DAY)) as snapshot:
                assert _SEARCH in set(snapshot.unbacked())
