from __future__ import annotations

import asyncio
import logging
import os
import threading

import pytest

from copilot_analytics._guard import Guard


def test_exception_is_swallowed_and_counted_by_place() -> None:
    guard = Guard()
    for place in ("a", "b", "a"):
        with guard(place):
            raise ValueError
    assert guard.errors == {"a": 2, "b": 1}


def test_work_that_succeeds_leaves_no_trace() -> None:
    guard = Guard()
    with guard("a") as attempt:
        pass
    assert attempt.error is None
    assert guard.errors == {}


def test_attempt_tells_what_was_raised() -> None:
    guard = Guard()
    error = ValueError()
    with guard("a") as attempt:
        raise error
    assert attempt.error is error


def test_strict_counts_and_raises() -> None:
    guard = Guard(strict=True)
    with pytest.raises(ValueError, match="why"), guard("a"):
        raise ValueError("why")
    assert guard.errors == {"a": 1}


def test_strict_does_not_raise_where_nobody_could_catch() -> None:
    guard = Guard(strict=True)
    with guard.attempt("thread"):
        raise ValueError
    assert guard.errors == {"thread": 1}


@pytest.mark.parametrize(
    "passing", [asyncio.CancelledError, KeyboardInterrupt, SystemExit, GeneratorExit]
)
def test_what_is_no_error_of_ours_passes(passing: type[BaseException]) -> None:
    guard = Guard()
    with pytest.raises(passing), guard("a"):
        raise passing
    assert guard.errors == {}


def test_log_has_one_line_a_place_and_none_of_the_arguments(
    caplog: pytest.LogCaptureFixture,
) -> None:
    guard = Guard()
    with caplog.at_level(logging.DEBUG, "copilot_analytics"):
        for place in ("a", "a", "b"):
            with guard(place):
                raise ValueError("john@example.org")
    assert caplog.messages == [
        "analytics failed in a with ValueError (1 so far); the host goes on",
        "analytics failed in b with ValueError (1 so far); the host goes on",
    ]
    assert "example.org" not in caplog.text
    assert all(record.exc_info is None for record in caplog.records)


def test_guards_of_one_place_may_be_nested() -> None:
    guard = Guard()
    with guard("a"), guard("a"):
        raise ValueError
    assert guard.errors == {"a": 1}


def test_counts_of_many_threads_add_up() -> None:
    guard = Guard()

    def work() -> None:
        for _ in range(500):
            with guard("a"):
                raise ValueError

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert guard.errors == {"a": 2_000}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_forked_child_starts_anew_even_if_the_lock_was_held() -> None:
    guard = Guard()
    with guard("a"):
        raise ValueError
    with guard._lock:
        child = os.fork()
        if child == 0:  # pragma: no cover (in the child)
            with guard("b"):
                raise ValueError
            os._exit(0 if guard.errors == {"b": 1} else 1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert guard.errors == {"a": 1}
