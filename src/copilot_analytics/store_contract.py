"""The contract of stores as tests, for ours and for anybody's.

Subclass `StoreContract` in a test module, say how a store is made, and pytest runs the rest:

    class TestMyStore(StoreContract):
        def make_store(self, place: Path, clock: Clock) -> Store:
            return MyStore(place / "my.db", clock=clock)
"""

from __future__ import annotations

import contextlib
import datetime as dt
import threading
from itertools import pairwise
from pathlib import Path

from ._correction_contract import CorrectionContract
from ._event_contract import EventContract
from ._supplement_contract import SupplementContract
from .aggregation import MAX_PATTERN_USERS, aggregate
from .batch import Batch
from .distinct import EXACT_BELOW, Distinct, user_hash
from .events import AnalyticsEvent, EventType
from .periods import DAY_MS, HOUR_MS, DateRange
from .queries import DistinctUsers
from .rollups import ACTIVITY, Rollup, RollupKey, RollupKind
from .store_samples import (
    DAYS,
    HOSTILE_NAMES,
    NOW_MS,
    assert_holds,
    batches_of,
    event,
    numbered,
    sample_events,
)
from .stores.base import Store
from .testing import FakeClock

__all__ = ["StoreContract"]

_TODAY = DAYS.end
_EMPTY = DateRange(dt.date(2024, 2, 28), dt.date(2024, 3, 1))


class StoreContract(CorrectionContract, EventContract, SupplementContract):
    """What every store must do; see `Contract` for how it is told which."""

    def test_answers_are_those_of_the_events(self, tmp_path: Path) -> None:
        """However they were cut into batches."""
        events = sample_events(600)
        with self._opened(tmp_path) as store:
            for batch in batches_of(events, 1, 130, 7):
                store.write(batch)
            assert_holds(store, events)
            assert_holds(store, events, DateRange(_TODAY, _TODAY))
            assert_holds(store, events, DateRange(DAYS.start, DAYS.start))

    def test_write_leaves_the_batch_as_it_was(self, tmp_path: Path) -> None:
        """What is written may be asked again, or written elsewhere."""
        batch = Batch("writer", sample_events(50))
        deltas = aggregate(batch.events)
        with self._opened(tmp_path) as store:
            store.write(batch)
            store.write(Batch("other", numbered(sample_events(50, seed=1), "other")))
        assert batch.deltas == deltas

    def test_replay_counts_nothing_twice(self, tmp_path: Path) -> None:
        """At once, or everything from the start."""
        events = sample_events(200)
        with self._opened(tmp_path) as store:
            for batch in batches_of(events, 40):
                store.write(batch)
                store.write(batch)
            for batch in batches_of(events, 40):
                store.write(batch)
            assert_holds(store, events)

    def test_replay_with_other_boundaries_counts_once(self, tmp_path: Path) -> None:
        """Also where a batch is partly known."""
        events = sample_events(200)
        with self._opened(tmp_path) as store:
            for batch in batches_of(events[:90], 40):
                store.write(batch)
            for batch in batches_of(events, 33, 1, 58):
                store.write(batch)
            assert_holds(store, events)
            store.write(Batch("writer", events))
            assert_holds(store, events)

    def test_gaps_in_the_sequence_are_harmless(self, tmp_path: Path) -> None:
        """Numbers that were never used are waited for by nobody."""
        events = sample_events(90)
        kept = [one for one in events if one.sequence % 3]
        with self._opened(tmp_path) as store:
            for batch in batches_of(kept, 20):
                store.write(batch)
            store.write(Batch("writer", kept))
            assert_holds(store, kept)

    def test_writers_do_not_touch_one_another(self, tmp_path: Path) -> None:
        """They use the same numbers, and write to the same rollups in turns."""
        mine = sample_events(120, writer="mine")
        theirs = sample_events(120, seed=1, writer="theirs")
        with self._opened(tmp_path) as store:
            for one, other in zip(batches_of(mine, 25), batches_of(theirs, 25), strict=True):
                store.write(one)
                store.write(other)
                store.write(one)
            assert_holds(store, [*mine, *theirs])

    def test_two_stores_of_one_place_hold_the_same(self, tmp_path: Path) -> None:
        """As two processes that write in turns, one of them the other's batches too."""
        mine = sample_events(60, writer="mine")
        theirs = sample_events(60, seed=1, writer="theirs")
        with self._opened(tmp_path) as one:
            other = one
            with contextlib.ExitStack() as stack:
                if self.shared:
                    other = stack.enter_context(self._opened(tmp_path))
                for batch, another in zip(batches_of(mine, 9), batches_of(theirs, 9), strict=True):
                    one.write(batch)
                    other.write(another)
                    other.write(batch)
                assert_holds(other, [*mine, *theirs])
            assert_holds(one, [*mine, *theirs])

    def test_it_keeps_what_it_holds_when_closed(self, tmp_path: Path) -> None:
        """Closing twice is harmless, and any call opens it again."""
        events = sample_events(60)
        store = self.make_store(tmp_path, FakeClock(NOW_MS))
        store.write(Batch("writer", events[:40]))
        store.close()
        store.close()
        store.write(Batch("writer", events))
        store.close()
        assert_holds(store, events)
        store.close()

    def test_an_empty_store_answers_nothing(self, tmp_path: Path) -> None:
        """Every answer is empty, and none is an error."""
        with self._opened(tmp_path) as store:
            assert_holds(store, [])
            self._assert_nothing(store, DAYS)

    def test_a_range_without_events_is_empty(self, tmp_path: Path) -> None:
        """Also at either end of time."""
        with self._opened(tmp_path) as store:
            store.write(Batch("writer", sample_events(100)))
            self._assert_nothing(store, _EMPTY)
            self._assert_nothing(store, DateRange(dt.date(1970, 1, 1), dt.date(1970, 1, 2)))
            self._assert_nothing(store, DateRange(dt.date(9999, 12, 30), dt.date.max))

    def _assert_nothing(self, store: Store, days: DateRange) -> None:
        for kind in RollupKind:
            assert store.totals(kind, days) == {}
            assert store.totals(kind, days, ["search", ACTIVITY], detail=True) == {}
            assert store.series(kind, ACTIVITY, days) == {}
        assert store.series(RollupKind.ACTIVITY, ACTIVITY, days, hourly=True) == {}
        assert store.distinct(RollupKind.ACTIVITY, [ACTIVITY], days) == {}
        with store.snapshot(days.start) as snapshot:
            assert not list(snapshot.events())
            assert not list(snapshot.rollups())
            assert not list(snapshot.distinct())

    def test_totals_are_of_the_dimensions_asked_for(self, tmp_path: Path) -> None:
        """Unknown ones are missing, repeated ones count once."""
        with self._opened(tmp_path) as store:
            store.write(Batch("writer", sample_events(200)))
            everything = store.totals(RollupKind.COMMAND, DAYS, detail=True)
            assert store.totals(
                RollupKind.COMMAND, DAYS, ["search", "unknown", "search"], detail=True
            ) == {"search": everything["search"]}
            assert store.totals(RollupKind.COMMAND, DAYS, []) == {}
            assert store.distinct(RollupKind.COMMAND, [], DAYS) == {}
            assert store.distinct(RollupKind.COMMAND, ["unknown"], DAYS) == {}
            assert store.count_distinct(RollupKind.COMMAND, [], DAYS) == {}
            assert store.count_distinct(RollupKind.COMMAND, ["unknown"], DAYS) == {}
            assert store.patterns([]) == {}

    def test_hours_are_kept_of_the_activity_alone(self, tmp_path: Path) -> None:
        """A command has days only."""
        with self._opened(tmp_path) as store:
            store.write(Batch("writer", sample_events(50)))
            assert store.series(RollupKind.ACTIVITY, ACTIVITY, DAYS, hourly=True)
            assert store.series(RollupKind.COMMAND, "search", DAYS, hourly=True) == {}

    def test_answers_are_the_asker_s_own(self, tmp_path: Path) -> None:
        """Changing one changes nothing in the store."""
        events = sample_events(50)
        with self._opened(tmp_path) as store:
            store.write(Batch("writer", events))
            for kind in RollupKind:
                for rollup in store.totals(kind, DAYS, detail=True).values():
                    rollup.counters["events"] = -1
                for rollup in store.series(kind, ACTIVITY, DAYS).values():
                    rollup.counters["events"] = -1
            for users in store.distinct(RollupKind.ACTIVITY, [ACTIVITY], DAYS).values():
                users.add([1])
            assert_holds(store, events)

    def test_hostile_names_stay_themselves(self, tmp_path: Path) -> None:
        """As a command, an intent, an error's type and fingerprint, a user and a writer."""
        events = []
        for name in HOSTILE_NAMES:
            events += [
                event(EventType.ACTION_EXECUTED, name, command_name=name, intent=name),
                event(
                    EventType.ERROR_OCCURRED,
                    name,
                    error_type=name,
                    error_message=name,
                    fingerprint=f"1-{len(name)}",
                    command_name=name,
                ),
            ]
        events = numbered(events, "w#'\0🚀")
        with self._opened(tmp_path) as store:
            for batch in batches_of(events, 7):
                store.write(batch)
            assert_holds(store, events)
            for name in HOSTILE_NAMES:
                assert store.totals(RollupKind.COMMAND, DAYS, [name])[name].counters == {
                    "executions": 1,
                    "successes": 1,
                }

    def test_rare_values_are_read_back_as_written(self, tmp_path: Path) -> None:
        """No conversation, values of every type, the largest numbers, a key of the application."""
        rare = AnalyticsEvent(
            event_id=26 * "Z",
            event_type=EventType.ACTION_EXECUTED,
            user_id="anonymous:\0",
            timestamp=NOW_MS,
            conversation_id=None,
            connection_id=None,
            metadata={
                "command_name": "search",
                "execution_ms": 0.001,
                "success": False,
                "input_tokens": 2**53,
                "cost": 1e-12,
                "model": "",
                "my_own_key": "kept",
            },
            writer="writer",
            sequence=2**62,
        )
        with self._opened(tmp_path) as store:
            store.write(Batch("writer", [rare]))
            assert_holds(store, [rare])

    def test_distinct_users_are_exact_until_they_are_many(self, tmp_path: Path) -> None:
        """Below the bound a day is the set, beyond it the sketch; a range is what its days are."""
        yesterday = NOW_MS - DAY_MS
        half = EXACT_BELOW // 2
        events = numbered(
            [
                *(event(EventType.MESSAGE_SENT, f"a{n}", yesterday) for n in range(half)),
                *(event(EventType.MESSAGE_SENT, f"a{n}") for n in range(half // 2, half)),
                *(event(EventType.MESSAGE_SENT, f"anonymous:{n}") for n in range(half)),
            ]
        )
        more = numbered([event(EventType.MESSAGE_SENT, f"b{n}") for n in range(half)], "other")
        many = numbered([event(EventType.MESSAGE_SENT, f"c{n}") for n in range(half)], "third")
        with self._opened(tmp_path) as store:
            for batch in batches_of(events, 100):
                store.write(batch)
            users = store.distinct(RollupKind.ACTIVITY, [ACTIVITY], DAYS)[ACTIVITY]
            assert users == Distinct.of(user_hash(f"a{n}") for n in range(half))
            assert users.count().exact
            for batch in batches_of(more, 100):
                store.write(batch)
            users = store.distinct(RollupKind.ACTIVITY, [ACTIVITY], DAYS)[ACTIVITY]
            assert users.count() == DistinctUsers(2 * half, exact=True)
            for batch in batches_of(many, 100):
                store.write(batch)
            users = store.distinct(RollupKind.ACTIVITY, [ACTIVITY], DAYS)[ACTIVITY]
            assert not users.count().exact
            assert users == Distinct.of(
                user_hash(f"{letter}{n}") for letter in "abc" for n in range(half)
            )
            assert_holds(store, [*events, *more, *many])

    def test_patterns_live_beyond_their_days(self, tmp_path: Path) -> None:
        """The earliest message, both ends, a bounded number of users; whatever came first."""

        def failed(user_id: str, at: int, message: str) -> AnalyticsEvent:
            return event(
                EventType.ERROR_OCCURRED,
                user_id,
                at,
                error_type="Timeout",
                error_message=message,
                fingerprint="1-f",
            )

        late = [failed(f"u{n:03}", NOW_MS, "late") for n in range(MAX_PATTERN_USERS)]
        early = failed("a", NOW_MS - 3 * DAY_MS, "early")
        events = numbered([*late, early, failed("zoe", NOW_MS, "also late")])
        with self._opened(tmp_path) as store:
            for batch in batches_of(events, MAX_PATTERN_USERS, 1, 1):
                store.write(batch)
            assert_holds(store, events)
            life = store.patterns(["1-f:Timeout"])["1-f:Timeout"]
            assert life.message == "early"
            assert life.count == len(events)
            assert life.users == ("a", *(f"u{n:03}" for n in range(MAX_PATTERN_USERS - 1)))

    def test_generations_rise_with_writes_to_the_past_alone(self, tmp_path: Path) -> None:
        """To days that have ended, or end within a minute: what is cached then outlives them."""
        clock = FakeClock(NOW_MS)
        today = DateRange(_TODAY, _TODAY)
        numbers = iter(range(1, 99))

        def write(at: int) -> None:
            one = event(EventType.MESSAGE_SENT, at=at)
            store.write(Batch("writer", numbered([one], first=next(numbers))))

        with self._opened(tmp_path, clock) as store:
            nothing = store.generations(DAYS)
            write(NOW_MS)
            assert store.generations(DAYS) == nothing
            write(NOW_MS - DAY_MS)
            past = store.generations(DAYS)
            assert past != nothing
            assert store.generations(today) == store.generations(_EMPTY)
            clock.advance(12 * HOUR_MS - 60_001)
            write(clock.now_ms())
            assert store.generations(DAYS) == past
            clock.advance(1)
            write(clock.now_ms())
            assert store.generations(DAYS) != past
            ending = store.generations(today)
            clock.advance(DAY_MS)
            write(NOW_MS)
            assert store.generations(today) != ending

    def test_a_snapshot_is_of_one_moment(self, tmp_path: Path) -> None:
        """Its events and rollups agree, whatever is written meanwhile."""
        events = sample_events(200)
        with self._opened(tmp_path) as store:
            store.write(Batch("writer", events[:100]))
            with store.snapshot(_TODAY) as snapshot:
                store.write(Batch("writer", events[100:]))
                recount = aggregate(list(snapshot.events()))
                assert dict(snapshot.rollups()) == recount.rollups
                assert dict(snapshot.distinct()) == {
                    key: Distinct.of(hashes) for key, hashes in recount.distinct.items()
                }
            assert_holds(store, events)

    def test_statistics_count_events_and_bytes(self, tmp_path: Path) -> None:
        """An operator sees at least these; a remote store may have counted hours ago."""
        with self._opened(tmp_path) as store:
            assert store.statistics()["events"] == 0
            store.write(Batch("writer", sample_events(30)))
            figures = store.statistics()
            assert figures["events"] == 30 or (store.remote and figures["events"] == 0)
            assert figures["bytes"] >= 0

    def test_reads_see_whole_batches_while_others_write(self, tmp_path: Path) -> None:
        """Two writers in threads of their own; every batch has as many messages as errors."""
        done = threading.Event()
        seen: list[int] = []
        key = RollupKey(RollupKind.ACTIVITY, ACTIVITY, _TODAY.isoformat())

        def pairs(writer: str) -> list[AnalyticsEvent]:
            return numbered(
                [
                    event(event_type, f"u{n}", error_type="Timeout")
                    for n in range(40)
                    for event_type in (EventType.MESSAGE_SENT, EventType.ERROR_OCCURRED)
                ],
                writer,
            )

        def write(writer: str) -> None:
            for batch in batches_of(pairs(writer), 4):
                store.write(batch)

        def read() -> None:
            while True:
                last = done.is_set()
                total = store.totals(RollupKind.ACTIVITY, DAYS, detail=True).get(ACTIVITY)
                counters = total.counters if total else {}
                assert counters.get("messages") == counters.get("errors")
                assert counters.get("events", 0) == 2 * counters.get("messages", 0)
                if self.atomic:
                    with store.snapshot(_TODAY) as snapshot:
                        rollup = dict(snapshot.rollups()).get(key, Rollup({}))
                        assert rollup.counters.get("events", 0) == len(list(snapshot.events()))
                seen.append(counters.get("events", 0))
                if last:
                    break

        with self._opened(tmp_path) as store:
            writers = [threading.Thread(target=write, args=(name,)) for name in ("one", "two")]
            reader = threading.Thread(target=read)
            for thread in (reader, *writers):
                thread.start()
            for thread in writers:
                thread.join()
            done.set()
            reader.join()
        assert seen[-1] == 160, "a thread failed, see above"
        assert all(before <= after for before, after in pairwise(seen))
