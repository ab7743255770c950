"""Many things at once: in order, bounded, and done with when the call returns."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from copilot_analytics.errors import StoreError, StoreUnavailableError
from copilot_analytics.stores._dynamodb_threads import Threads


class Meeting:
    """Counts who is in it at once."""

    def __init__(self) -> None:
        self.most = 0
        self._now = 0
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        with self._lock:
            self._now += 1
            self.most = max(self.most, self._now)

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._now -= 1


def fail_for(*failing: int, error: Callable[[int], Exception]) -> Callable[[int], int]:
    def function(item: int) -> int:
        if item in failing:
            raise error(item)
        return item

    return function


def test_results_are_in_the_order_of_the_items() -> None:
    """Whoever ends first."""
    later = threading.Event()

    def function(item: int) -> int:
        if item == 0:
            assert later.wait(30)
        later.set()
        return item * 2

    assert Threads(3).each(function, range(20)) == [item * 2 for item in range(20)]
    assert Threads(3).each(function, []) == []


def test_as_many_help_as_the_limit_says() -> None:
    """All of them, and no more, the caller besides."""
    meeting, all_there = Meeting(), threading.Barrier(4)

    def function(_: int) -> None:
        with meeting:
            all_there.wait(30)

    Threads(3).each(function, range(40))

    assert meeting.most == 4


def test_calls_within_calls_come_to_an_end() -> None:
    """When no helper is free a caller does everything itself."""
    threads = Threads(2)

    found = threads.each(lambda a: threads.each(lambda b: (a, b), range(5)), range(5))

    assert found == [[(a, b) for b in range(5)] for a in range(5)]


def test_helpers_are_free_again_after_errors() -> None:
    threads = Threads(1)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            threads.each(lambda item: 1 // item, [0, 0, 0])
    meeting, both_there = Meeting(), threading.Barrier(2)

    def function(_: int) -> None:
        with meeting:
            both_there.wait(30)

    threads.each(function, range(4))

    assert meeting.most == 2


def test_the_first_items_error_is_raised_after_all_have_ended() -> None:
    """Errors of one item leave the others to be done."""
    done: list[int] = []

    def function(item: int) -> None:
        done.append(item)
        fail_for(2, 7, error=lambda item: StoreError("s", str(item), "r"))(item)

    with pytest.raises(StoreError, match="s: 2; r"):
        Threads(3).each(function, range(30))

    assert sorted(done) == list(range(30))


def test_nothing_is_begun_once_the_store_is_unavailable() -> None:
    """Thousands of requests that each wait for their time-out would be hours."""
    done: list[int] = []

    def function(item: int) -> None:
        done.append(item)
        raise StoreUnavailableError("s", "p", "r")

    with pytest.raises(StoreUnavailableError):
        Threads(2).each(function, range(1_000))

    assert len(done) <= 3


def test_the_caller_does_everything_where_threads_cannot_be_started(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As while the interpreter shuts down."""

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    threads = Threads(2)

    for _ in range(3):
        assert threads.each(lambda item: threading.get_ident(), range(3)) == (
            [threading.get_ident()] * 3
        )
