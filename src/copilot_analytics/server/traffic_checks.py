"""Whether events arrive, and whether they tell what they should: what to look at when not."""

from __future__ import annotations

from collections.abc import Iterator

from ..periods import DAY_MS
from ..queries import ActivityTotals
from ..stores import EventSelection
from .findings import Finding, note, ok, problem
from .options import Opened, range_of
from .telling import ago, count, minute, percent

__all__ = ["check_traffic"]

_AHEAD_MS = 60_000
"""How far ahead of this machine's clock an event may be."""

_SILENT_MS = DAY_MS

_DAYS = 7


def check_traffic(opened: Opened) -> Iterator[Finding]:
    """Look at the newest event and at the last week.

    Raises:
        StoreError: the store cannot be read.
    """
    now_ms = opened.clock.now_ms()
    kept_ms = opened.config.event_retention_days * DAY_MS
    everything = EventSelection(start_ms=max(0, now_ms - kept_ms), end_ms=now_ms + DAY_MS)
    newest = opened.store.events(everything, limit=1)
    if not newest:
        yield problem(
            "events",
            "no event is stored",
            "see that the middleware or decorator is around the application that clients talk to, "
            "that it has this store, and that a client has connected since",
        )
        return
    at = newest[0].timestamp
    yield from _clock(at, now_ms)
    if now_ms - at > _SILENT_MS:
        yield note(
            "events",
            f"the newest event is of {minute(at)} UTC, {ago(at, now_ms)}",
            "see whether the application runs, and records to this store; its log and "
            "recorderHealth tell what was dropped",
        )
    else:
        yield ok("events", f"the newest is of {minute(at)} UTC, {ago(at, now_ms)}")
    week = opened.answers.summary(range_of(None, None, _DAYS)).totals
    yield from _contents(week)


def _clock(newest_ms: int, now_ms: int) -> Iterator[Finding]:
    ahead = newest_ms - now_ms
    if ahead > _AHEAD_MS:
        yield problem(
            "clock",
            f"the newest event is {count(ahead / 1000)} s ahead of this machine's clock, "
            f"{minute(now_ms)} UTC",
            "set the clocks of this machine and of those that record by NTP",
        )
    else:
        yield ok("clock", f"no event is ahead of this machine's clock, {minute(now_ms)} UTC")


def _contents(week: ActivityTotals) -> Iterator[Finding]:
    """Tell what the week's figures say of how the application is watched."""
    sockets = week.connections
    if sockets and not week.messages and not week.executions:
        yield problem(
            "frames",
            f"{count(sockets)} connections in {_DAYS} days, and no message or command in them",
            "the frames are not understood: choose the adapter of your protocol "
            "(COPILOT_ANALYTICS_ADAPTER, docs/protocols.md), and see skipped in recorderHealth",
        )
    elif week.messages or week.executions:
        yield ok(
            "frames",
            f"{count(week.messages)} messages and {count(week.executions)} commands in "
            f"{count(sockets)} connections, in {_DAYS} days",
        )
    if sockets and week.anonymous_connections == sockets:
        yield note(
            "users",
            f"nobody was signed in on any of {count(sockets)} connections",
            "tell who a user is: identify=, COPILOT_ANALYTICS_IDENTITY_HEADER or the like, see "
            "docs/configuration.md",
        )
    elif week.active_users.count:
        yield ok("users", f"{count(week.active_users.count)} signed-in users in {_DAYS} days")
    rate = week.success_rate
    if rate is not None and rate < 0.5:
        yield note(
            "commands",
            f"only {percent(rate)} of the commands did what was asked",
            "copilot-analytics commands --order-by failures, and errors, show which",
        )
