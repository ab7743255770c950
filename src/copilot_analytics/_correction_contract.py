"""The part of the contract of stores that is about correcting rollups by a recount."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from ._contract import Contract
from .batch import Batch
from .distinct import EXACT_BELOW, Distinct, user_hash
from .errors import StoreError
from .events import EventType
from .periods import DateRange
from .queries import DistinctUsers
from .rollups import ACTIVITY, Rollup, RollupKey, RollupKind
from .store_samples import DAYS, NOW_MS, assert_holds, event, numbered, sample_events
from .stores.base import Correction, Store
from .supplements import RollupSupplement
from .verification import rebuild, verify

__all__ = ["CorrectionContract"]

_EVENT_DAYS = 90
_DAY = DAYS.start
_ACTIVITY = RollupKey(RollupKind.ACTIVITY, ACTIVITY, _DAY.isoformat())
_SEARCH = RollupKey(RollupKind.COMMAND, "search", _DAY.isoformat())


def _read(store: Store, key: RollupKey) -> tuple[Rollup | None, Distinct | None]:
    with store.snapshot(dt.date.fromisoformat(key.period[:10])) as snapshot:
        return dict(snapshot.rollups()).get(key), dict(snapshot.distinct()).get(key)


def _replace(store: Store, key: RollupKey, rollup: Rollup, users: Distinct | None) -> bool:
    stored, stored_users = _read(store, key)
    one = Correction(key=key, stored=stored, stored_users=stored_users, rollup=rollup, users=users)
    return list(store.correct([one])) == [key]


class CorrectionContract(Contract):
    """What every store must do that can correct rollups; of others, that they refuse."""

    def test_what_a_store_cannot_correct_stays(self, tmp_path: Path) -> None:
        """It says so, and what to do instead."""
        if self.corrects:
            return
        with self._opened(tmp_path) as store:
            store.write(Batch("writer", sample_events(20)))
            refused = None
            try:
                store.correct(())
            except StoreError as error:
                refused = error
            assert refused is not None
            assert refused.remedy

    def test_rebuild_makes_rollups_what_their_events_add_up_to(self, tmp_path: Path) -> None:
        """Whatever they were: too high, too low, of others, or none at all."""
        if not self.corrects:
            return
        events = sample_events(300)
        with self._opened(tmp_path) as store:
            store.write(Batch("writer", events))
            wrong = Rollup({"events": 7, "x.3": 2, "e.MESSAGE_SENT": 1}, 5, 6)
            assert _replace(store, _ACTIVITY, wrong, Distinct.of([1, 2, 3]))
            with store.snapshot(_DAY) as snapshot:
                keys = [key for key, _ in snapshot.rollups() if key != _ACTIVITY]
            for key in keys[::3]:
                assert _replace(store, key, Rollup({"events": 1}), None)
            assert verify(store, DAYS).differences

            report = rebuild(store, DAYS, now_ms=NOW_MS, event_retention_days=_EVENT_DAYS)

            assert (report.days, report.left, report.unbacked) == (4, [], [])
            assert {_ACTIVITY, *keys[::3]} == set(report.corrected)
            assert not verify(store, DAYS).differences
            assert_holds(store, events)

    def test_rebuild_of_what_is_right_changes_nothing(self, tmp_path: Path) -> None:
        """Not even a generation."""
        if not self.corrects:
            return
        with self._opened(tmp_path) as store:
            store.write(Batch("writer", sample_events(100)))
            before = store.generations(DAYS)
            report = rebuild(store, DAYS, now_ms=NOW_MS, event_retention_days=_EVENT_DAYS)
            assert (report.corrected, report.left) == ([], [])
            assert store.generations(DAYS) == before

    def test_what_is_written_meanwhile_is_not_lost(self, tmp_path: Path) -> None:
        """A rollup that is no longer what was read stays; the others are corrected."""
        if not self.corrects:
            return
        run = event(EventType.ACTION_EXECUTED, at=DAYS.start_ms, command_name="search")
        other = event(EventType.ACTION_EXECUTED, at=DAYS.start_ms, command_name="other")
        with self._opened(tmp_path) as store:
            store.write(Batch("writer", numbered([run, other])))
            stored, users = _read(store, _SEARCH)
            other_key = RollupKey(RollupKind.COMMAND, "other", _DAY.isoformat())
            other_stored, other_users = _read(store, other_key)
            assert stored is not None
            assert other_stored is not None
            corrections = [
                Correction(
                    key=_SEARCH, stored=stored, stored_users=users, rollup=Rollup({}), users=None
                ),
                Correction(
                    key=other_key,
                    stored=other_stored,
                    stored_users=other_users,
                    rollup=Rollup({"executions": 9}),
                    users=None,
                ),
            ]
            store.write(Batch("late", numbered([run], "late")))

            assert list(store.correct(corrections)) == [other_key]
            totals = store.totals(RollupKind.COMMAND, DAYS)
            assert totals["search"].counters["executions"] == 2
            assert totals["other"].counters["executions"] == 9

    def test_users_are_corrected_and_counted_on(self, tmp_path: Path) -> None:
        """Also by a process that knew them to be stored; a sketch as well as a set."""
        if not self.corrects:
            return
        seen = event(EventType.MESSAGE_SENT, "ada", at=DAYS.start_ms)
        with self._opened(tmp_path) as store:
            store.write(Batch("writer", numbered([seen])))
            stored, _ = _read(store, _ACTIVITY)
            assert stored is not None
            many = Distinct.of(range(EXACT_BELOW))
            for users in (many, None):
                assert _replace(store, _ACTIVITY, stored, users)
                assert _read(store, _ACTIVITY)[1] == users
            store.write(Batch("late", numbered([seen], "late")))
            found = store.distinct(RollupKind.ACTIVITY, [ACTIVITY], DAYS)[ACTIVITY]
            assert found == Distinct.of([user_hash("ada")])
            assert found.count() == DistinctUsers(1, exact=True)

    def test_a_correction_of_a_day_that_has_ended_raises_its_generation(
        self, tmp_path: Path
    ) -> None:
        """What is cached of it no longer holds."""
        if not self.corrects:
            return
        with self._opened(tmp_path) as store:
            store.write(Batch("writer", sample_events(50)))
            before = store.generations(DateRange(_DAY, _DAY))
            assert _replace(store, _ACTIVITY, Rollup({"events": 1}), None)
            assert store.generations(DateRange(_DAY, _DAY)) != before

    def test_what_no_event_backs_is_never_rebuilt(self, tmp_path: Path) -> None:
        """Imported counts, and the days before retention."""
        if not self.corrects:
            return
        run = event(EventType.ACTION_EXECUTED, at=DAYS.start_ms, command_name="search")
        supplement = RollupSupplement(
            sequence=2, key=_SEARCH, rollup=Rollup({"executions": 40, "successes": 40})
        )
        with self._opened(tmp_path) as store:
            store.write(Batch("writer", numbered([run]), supplements=[supplement]))
            report = rebuild(store, DAYS, now_ms=NOW_MS, event_retention_days=_EVENT_DAYS)
            assert (report.unbacked, report.corrected) == ([_SEARCH], [])

            assert _replace(store, _ACTIVITY, Rollup({"events": 1_000}), None)
            report = rebuild(store, DAYS, now_ms=NOW_MS, event_retention_days=1)
            assert report.expired == [*DAYS.each_day()][:-2]
            assert report.corrected == []
            assert store.totals(RollupKind.COMMAND, DAYS)["search"].counters["executions"] == 41
