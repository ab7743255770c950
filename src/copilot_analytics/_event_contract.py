"""The part of the contract of stores that is about single events: reading and erasing them."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

from ._contract import Contract
from .aggregation import aggregate
from .batch import Batch
from .distinct import EXACT_BELOW, Distinct, user_hash
from .events import AnalyticsEvent, EventType
from .periods import DAY_MS, DateRange, day_of
from .rollups import ACTIVITY, DISTINCT_KINDS, RollupKind
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
from .stores.base import Erasure, EventSelection, Store
from .verification import verify

__all__ = ["EventContract"]

_ALWAYS = EventSelection(start_ms=0, end_ms=NOW_MS + DAY_MS)
_ANONYMOUS = "anonymous:1"


def _of(user_id: str | None = None, event_type: EventType | None = None) -> EventSelection:
    return EventSelection(start_ms=0, end_ms=NOW_MS, event_type=event_type, user_id=user_id)


def _position(one: AnalyticsEvent) -> tuple[int, str]:
    return one.timestamp, one.event_id


def _pages(
    store: Store, selection: EventSelection, size: int, *, newest_first: bool
) -> Iterator[Sequence[AnalyticsEvent]]:
    after = None
    while page := store.events(selection, after=after, limit=size, newest_first=newest_first):
        yield page
        after = _position(page[-1])


def _walked(
    store: Store, selection: EventSelection, size: int, *, newest_first: bool
) -> list[AnalyticsEvent]:
    pages = list(_pages(store, selection, size, newest_first=newest_first))
    assert all(len(page) == size for page in pages[:-1]), "a page is short before the end"
    return [one for page in pages for one in page]


def _assert_selects(
    store: Store, selection: EventSelection, expected: Sequence[AnalyticsEvent]
) -> None:
    """Assert that a selection is exactly these events, in both orders."""
    ordered = sorted(expected, key=_position)
    limit = len(ordered) + 1
    assert list(store.events(selection, limit=limit, newest_first=False)) == ordered
    assert list(store.events(selection, limit=limit)) == ordered[::-1]


class EventContract(Contract):
    """What every store must do with single events."""

    def test_events_come_page_by_page_in_either_order(self, tmp_path: Path) -> None:
        """Each exactly once, as it was written, and a page is short at the end only."""
        events = sample_events(60)
        ordered = sorted(events, key=_position)
        with self._opened(tmp_path) as store:
            for batch in batches_of(events, 25):
                store.write(batch)
            for size in (1, 7, 59, 60, 61):
                assert _walked(store, _ALWAYS, size, newest_first=False) == ordered
                assert _walked(store, _ALWAYS, size, newest_first=True) == ordered[::-1]

    def test_events_are_of_the_type_and_user_asked_for(self, tmp_path: Path) -> None:
        """Of one, of both, of an anonymous user, and of nobody known."""
        events = sample_events(120)
        kind = EventType.ERROR_OCCURRED
        with self._opened(tmp_path) as store:
            store.write(Batch("writer", events))
            for user_id in (None, "ada", _ANONYMOUS, "nobody", "anonymous:nobody"):
                mine = [one for one in events if user_id in (None, one.user_id)]
                _assert_selects(store, _of(user_id), mine)
                typed = [one for one in mine if one.event_type is kind]
                _assert_selects(store, _of(user_id, kind), typed)
                for newest_first in (False, True):
                    ordered = sorted(mine, key=_position, reverse=newest_first)
                    walked = _walked(store, _of(user_id), 19, newest_first=newest_first)
                    assert walked == ordered

    def test_events_are_of_the_span_asked_for(self, tmp_path: Path) -> None:
        """Both ends belong to it, to the millisecond."""
        events = numbered(event(EventType.MESSAGE_SENT, at=NOW_MS + n) for n in (-2, -1, 0, 1, 2))
        with self._opened(tmp_path) as store:
            store.write(Batch("writer", events))
            for_ever = EventSelection(start_ms=0, end_ms=253_402_300_799_999, user_id="ada")
            _assert_selects(store, for_ever, events)
            for user_id in (None, "ada"):
                for first, last in ((-1, 1), (0, 0), (-9, -2), (2, 9), (1, -1), (3, 9), (-9, 9)):
                    selection = EventSelection(
                        start_ms=NOW_MS + first, end_ms=NOW_MS + last, user_id=user_id
                    )
                    inside = [one for one in events if first <= one.timestamp - NOW_MS <= last]
                    _assert_selects(store, selection, inside)

    def test_a_position_need_not_be_an_event_s(self, tmp_path: Path) -> None:
        """What is strictly after it comes next, whether it is in the selection or not."""
        events = sample_events(60)
        rng = random.Random(1)
        positions = [
            (0, ""),
            (NOW_MS + DAY_MS, "Z" * 26),
            *(_position(rng.choice(events)) for _ in range(10)),
            *((rng.choice(events).timestamp, edge) for edge in ("", "Z" * 26)),
        ]
        with self._opened(tmp_path) as store:
            store.write(Batch("writer", events))
            for user_id in (None, "ada"):
                mine = sorted((e for e in events if user_id in (None, e.user_id)), key=_position)
                for at in positions:
                    later = [one for one in mine if _position(one) > at]
                    earlier = [one for one in mine if _position(one) < at][::-1]
                    assert (
                        list(store.events(_of(user_id), after=at, limit=99, newest_first=False))
                        == later
                    )
                    assert list(store.events(_of(user_id), after=at, limit=99)) == earlier

    def test_events_of_one_millisecond_are_in_order_of_their_ids(self, tmp_path: Path) -> None:
        """However many, of whichever types, and wherever a page ends."""
        kinds = list(EventType)
        events = numbered(event(kinds[n % len(kinds)], f"u{n % 3}") for n in range(40))
        ordered = sorted(events, key=_position)
        with self._opened(tmp_path) as store:
            for batch in batches_of(events, 9):
                store.write(batch)
            for size in (3, 19):
                assert _walked(store, _ALWAYS, size, newest_first=False) == ordered
                assert _walked(store, _ALWAYS, size, newest_first=True) == ordered[::-1]
            mine = [one for one in ordered if one.user_id == "u1"]
            assert _walked(store, _of("u1"), 4, newest_first=False) == mine

    def test_hostile_ids_select_their_own_events(self, tmp_path: Path) -> None:
        """And none is part of another's."""
        events = numbered(event(EventType.MESSAGE_SENT, name, NOW_MS - 9) for name in HOSTILE_NAMES)
        with self._opened(tmp_path) as store:
            for batch in batches_of(events, 5):
                store.write(batch)
            for name, one in zip(HOSTILE_NAMES, events, strict=True):
                _assert_selects(store, _of(name), [one])

    def test_an_empty_store_has_no_events(self, tmp_path: Path) -> None:
        """Also of a span that ends before it starts, or lies at either end of time."""
        spans = ((0, NOW_MS), (NOW_MS, 0), (0, 0), (0, 253_402_300_799_999))
        with self._opened(tmp_path) as store:
            for start_ms, end_ms in spans:
                selection = EventSelection(start_ms=start_ms, end_ms=end_ms)
                assert not store.events(selection, limit=9)
                assert not store.events(_of("ada"), limit=9, newest_first=False)

    def test_erasure_leaves_nothing_of_a_user(self, tmp_path: Path) -> None:
        """Neither events nor rollups nor their hash nor their id, and says how much it was."""
        events = sample_events(400)
        mine = [one for one in events if one.user_id == "ada"]
        before = aggregate(events)
        expected = Erasure(
            events=len(mine),
            rollups=len({day_of(one.timestamp) for one in mine}),
            patterns=sum("ada" in life.users for life in before.patterns.values()),
            distinct=sum(user_hash("ada") in users for users in before.distinct.values()),
        )
        with self._opened(tmp_path) as store:
            for batch in batches_of(events, 70):
                store.write(batch)
            assert store.erase_user("ada") == expected
            _assert_selects(store, _ALWAYS, [one for one in events if one.user_id != "ada"])
            assert not store.events(_of("ada"), limit=1)
            assert store.totals(RollupKind.USER, DAYS, ["ada"], detail=True) == {}
            assert store.series(RollupKind.USER, "ada", DAYS) == {}
            assert "ada" not in store.totals(RollupKind.USER, DAYS)
            for life in store.patterns(list(before.patterns)).values():
                assert "ada" not in life.users
            for day in DAYS.each_day():
                with store.snapshot(dt.date.fromisoformat(day)) as snapshot:
                    for _, users in snapshot.distinct():
                        assert users.members is not None
                        assert user_hash("ada") not in users.members

    def test_erasure_leaves_every_count_as_it_was(self, tmp_path: Path) -> None:
        """Also that of users: one random value stands for the erased one, in every set."""
        events = sample_events(400)
        expected = aggregate(events)
        with self._opened(tmp_path) as store:
            store.write(Batch("writer", events))
            before = {kind: store.totals(kind, DAYS, detail=True) for kind in RollupKind}
            hours = store.series(RollupKind.ACTIVITY, ACTIVITY, DAYS, hourly=True)
            names = {kind: list(before[kind]) for kind in DISTINCT_KINDS}
            users = {kind: store.distinct(kind, names[kind], DAYS) for kind in DISTINCT_KINDS}
            store.erase_user("ada")
            del before[RollupKind.USER]["ada"]
            for kind in RollupKind:
                assert store.totals(kind, DAYS, detail=True) == before[kind]
            assert store.series(RollupKind.ACTIVITY, ACTIVITY, DAYS, hourly=True) == hours
            stand_ins: set[int] = set()
            for kind in DISTINCT_KINDS:
                after = store.distinct(kind, names[kind], DAYS)
                for name, found in after.items():
                    assert found.count() == users[kind][name].count()
                    assert found.members is not None
                    stand_ins |= found.members - (users[kind][name].members or set())
            assert len(stand_ins) == 1
            for dimension, life in store.patterns(list(expected.patterns)).items():
                delta = expected.patterns[dimension]
                assert life.users == tuple(user for user in delta.users if user != "ada")
                assert (life.count, life.first, life.last) == (delta.count, delta.first, delta.last)

    def test_erasure_can_be_repeated(self, tmp_path: Path) -> None:
        """It then finds nothing, as of a user who was never there, and changes nothing."""
        events = sample_events(200)
        with self._opened(tmp_path) as store:
            store.write(Batch("writer", events))
            assert store.erase_user("nobody") == Erasure()
            assert store.erase_user("anonymous:nobody") == Erasure()
            assert_holds(store, events)
            store.erase_user("ada")
            generations = store.generations(DAYS)
            assert store.erase_user("ada") == Erasure()
            assert store.generations(DAYS) == generations

    def test_erasure_is_told_apart_by_a_recount(self, tmp_path: Path) -> None:
        """Exactly the rollups that had counted what was erased, and no difference anywhere."""
        events = sample_events(300)
        mine = aggregate([one for one in events if one.user_id == "ada"])
        with self._opened(tmp_path) as store:
            store.write(Batch("writer", events))
            store.erase_user("ada")
            for day in DAYS.each_day():
                with store.snapshot(dt.date.fromisoformat(day)) as snapshot:
                    assert set(snapshot.unbacked()) == {
                        key
                        for key in mine.rollups
                        if key.kind is not RollupKind.USER and key.period[:10] == day
                    }
            assert not verify(store, DAYS).differences

    def test_erasure_shows_in_past_days(self, tmp_path: Path) -> None:
        """Their generations rise, where the user had been; today's cached answers live seconds."""
        days = [DateRange(day, day) for day in map(dt.date.fromisoformat, DAYS.each_day())]
        events = numbered(
            [
                event(EventType.MESSAGE_SENT, "ada", NOW_MS),
                event(EventType.MESSAGE_SENT, "ada", NOW_MS - 2 * DAY_MS),
                *(event(EventType.MESSAGE_SENT, "bob", NOW_MS - n * DAY_MS) for n in range(4)),
            ]
        )
        with self._opened(tmp_path) as store:
            store.write(Batch("writer", events))
            before = [store.generations(day) for day in days]
            store.erase_user("ada")
            after = [store.generations(day) for day in days]
            assert [old != new for old, new in zip(before, after, strict=True)] == [
                False,
                True,
                False,
                False,
            ]

    def test_erasure_never_makes_a_full_set_look_complete(self, tmp_path: Path) -> None:
        """One below the bound stays exact, at the bound it stays an estimate."""
        crowd = [event(EventType.MESSAGE_SENT, f"u{n}") for n in range(EXACT_BELOW - 1)]
        ada = event(EventType.MESSAGE_SENT, "ada", NOW_MS - DAY_MS)
        events = numbered([*crowd, ada])
        more = numbered([event(EventType.MESSAGE_SENT, "bob")], "other")

        def today(store: Store) -> Distinct:
            days = DateRange(DAYS.end, DAYS.end)
            return store.distinct(RollupKind.ACTIVITY, [ACTIVITY], days)[ACTIVITY]

        with self._opened(tmp_path) as store:
            for batch in batches_of(events, 100):
                store.write(batch)
            store.erase_user("u0")
            assert today(store).count().exact
            assert today(store).count().count == EXACT_BELOW - 1
            store.write(Batch("other", more))
            assert not today(store).count().exact
            before = today(store).count().count
            store.erase_user("u1")
            assert not today(store).count().exact
            assert abs(today(store).count().count - before) < EXACT_BELOW // 10
            assert not store.events(_of("u1"), limit=1)

    def test_erasure_of_somebody_not_signed_in(self, tmp_path: Path) -> None:
        """They have events only."""
        events = sample_events(200)
        mine = [one for one in events if one.user_id == _ANONYMOUS]
        with self._opened(tmp_path) as store:
            store.write(Batch("writer", events))
            assert store.erase_user(_ANONYMOUS) == Erasure(events=len(mine))
            _assert_selects(store, _ALWAYS, [one for one in events if one.user_id != _ANONYMOUS])
            assert not verify(store, DAYS).differences

    def test_erasure_of_hostile_ids_touches_nobody_else(self, tmp_path: Path) -> None:
        """One after another, until nobody is left."""
        events = numbered(
            event(EventType.ERROR_OCCURRED, name, error_type="E", fingerprint="1-f")
            for name in HOSTILE_NAMES
        )
        left = set(HOSTILE_NAMES)
        with self._opened(tmp_path) as store:
            for batch in batches_of(events, 7):
                store.write(batch)
            for name in HOSTILE_NAMES:
                erased = store.erase_user(name)
                assert (erased.events, erased.rollups, erased.patterns) == (1, 1, 1)
                left.remove(name)
                if len(left) % 6:
                    continue
                assert sorted(e.user_id for e in store.events(_of(), limit=99)) == sorted(left)
                (life,) = store.patterns(["1-f:E"]).values()
                assert life.users == tuple(sorted(left))
                assert set(store.totals(RollupKind.USER, DAYS)) == left

    def test_a_user_who_comes_back_is_new(self, tmp_path: Path) -> None:
        """Counted again, and erased again."""
        first = numbered([event(EventType.MESSAGE_SENT), event(EventType.MESSAGE_SENT, "bob")])
        again = numbered([event(EventType.MESSAGE_SENT)], first=3)
        with self._opened(tmp_path) as store:
            store.write(Batch("writer", first))
            store.erase_user("ada")
            store.write(Batch("writer", again))
            users = store.distinct(RollupKind.ACTIVITY, [ACTIVITY], DAYS)[ACTIVITY]
            assert users.count().count == 3
            assert store.totals(RollupKind.USER, DAYS, ["ada"])["ada"].counters == {"messages": 1}
            assert store.erase_user("ada") == Erasure(events=1, rollups=1, distinct=1)
            assert not verify(store, DAYS).differences
