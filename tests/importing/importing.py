"""What tests of imports share: sources, destinations, and what these have to hold."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from copilot_analytics.answers import Answers
from copilot_analytics.events import AnalyticsEvent, Observation
from copilot_analytics.importing import Importer, ImportReport, NDJSONSource, Stage, WantedDays
from copilot_analytics.importing._admitting import Admitter
from copilot_analytics.ndjson import encode_event
from copilot_analytics.periods import DAY_MS, DateRange
from copilot_analytics.rollups import DISTINCT_KINDS, RollupKey, RollupKind
from copilot_analytics.store_samples import DAYS, NOW_MS, sample_events
from copilot_analytics.stores import Store
from copilot_analytics.testing import FakeClock
from copilot_analytics.verification import verify

RANGE = DateRange(DAYS.start - dt.timedelta(days=2), DAYS.end)
"""The days of `sample_events`, and two without any."""


_LOOKED_AT = 20
"""Of so many names the single days are compared; of all of them, the totals."""


def admitter(**options: str) -> Admitter:
    return Admitter(FakeClock(NOW_MS), max_age_ms=800 * DAY_MS, **options)  # type: ignore[arg-type]


def recorded(count: int) -> list[AnalyticsEvent]:
    """Return events as a recorder makes them: their patterns are those of their messages."""
    admit = admitter().admit
    events = []
    for one in sample_events(count):
        observation = Observation(
            one.event_type,
            one.user_id,
            one.timestamp,
            one.conversation_id,
            one.connection_id,
            dict(one.metadata),
        )
        event = admit(observation, one.event_id, b"", one.sequence)
        assert isinstance(event, AnalyticsEvent)
        events.append(msgspec.structs.replace(event, writer=one.writer))
    return events


def written(path: Path, events: Iterable[AnalyticsEvent]) -> Path:
    path.write_bytes(b"".join(map(encode_event, events)))
    return path


def imported(
    path: Path,
    destination: Store,
    state: Path | None,
    *,
    days: WantedDays | None = None,
    strict: bool = False,
    batch_size: int | None = None,
    **options: bool,
) -> ImportReport:
    """Import an NDJSON file."""
    source = NDJSONSource(path, admitter(), days=days, strict=strict)
    with Stage(state) as stage:
        importer = Importer(source, destination, stage, days=days, batch_size=batch_size)
        return importer.run(**options)


def assert_same(one: Store, other: Store, days: DateRange = RANGE) -> None:
    """Assert that two stores give the same answer to everything that stores are asked."""
    patterns: set[str] = set()
    for kind in RollupKind:
        totals = one.totals(kind, days, detail=True)
        assert other.totals(kind, days, detail=True) == totals
        assert other.totals(kind, days) == one.totals(kind, days)
        for name in sorted(totals)[:_LOOKED_AT]:
            assert other.series(kind, name, days) == one.series(kind, name, days)
            hours = one.series(kind, name, days, hourly=True)
            assert other.series(kind, name, days, hourly=True) == hours
        if kind in DISTINCT_KINDS:
            assert other.distinct(kind, list(totals), days) == one.distinct(
                kind, list(totals), days
            )
        if kind is RollupKind.PATTERN:
            patterns = set(totals)
    assert other.patterns(patterns) == one.patterns(patterns)
    ours, theirs = verify(one, days), verify(other, days)
    assert theirs.differences == ours.differences == []
    assert (theirs.events, theirs.rows, theirs.days) == (ours.events, ours.rows, ours.days)
    assert theirs.expired == ours.expired
    assert unbacked_of(one, days, ours.expired) == unbacked_of(other, days, ours.expired)


def assert_answers_same(one: Store, other: Store, days: DateRange = RANGE) -> None:
    """Assert that the questions of dashboards have the same answers, of the range and each day."""
    clock = FakeClock(NOW_MS)
    ours, theirs = (Answers(store, clock) for store in (one, other))
    single = (DateRange(day, day) for day in map(dt.date.fromisoformat, days.each_day()))
    for span in (days, *single):
        assert theirs.dashboard(span) == ours.dashboard(span)
        commands = [row.name for row in ours.popular_commands(span).rows]
        assert theirs.popular_commands(span) == ours.popular_commands(span)
        assert theirs.commands_stats(commands, span) == ours.commands_stats(commands, span)
        assert theirs.error_patterns(span) == ours.error_patterns(span)
        assert theirs.intents(span) == ours.intents(span)
        assert theirs.users(span) == ours.users(span)
        assert theirs.streaming(span) == ours.streaming(span)
        assert theirs.connections(span) == ours.connections(span)


def unbacked_of(store: Store, days: DateRange, but: Sequence[str]) -> set[RollupKey]:
    """Return what is told not to be backed by events, but for days that have no events at all."""
    found: set[RollupKey] = set()
    for day in days.each_day():
        if day not in but:
            with store.snapshot(dt.date.fromisoformat(day)) as snapshot:
                found.update(snapshot.unbacked())
    return found
