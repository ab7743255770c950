"""What is told of failures: enough to act on, and nothing that was not meant for the client."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from graphql import GraphQLError

from copilot_analytics.errors import QuestionError, StoreError, StoreUnavailableError
from copilot_analytics.testing import FakeClock
from copilot_analytics_graphql import sdl
from copilot_analytics_graphql.failures import describe_errors

SECRET = "ada@example.com"


def ask_a_failing_store(endpoint: Any, error: Exception) -> dict[str, Any]:
    async def ask() -> dict[str, Any]:
        async with endpoint(events=False) as served:

            async def fail(*args: object, **options: object) -> None:
                raise error

            served.analytics.service.popular_commands = fail
            answer: dict[str, Any] = await served.error("{ popularCommands { totalCount } }")
            return answer

    return asyncio.run(ask())


def test_a_store_that_is_busy_may_be_asked_again(
    endpoint: Any, caplog: pytest.LogCaptureFixture
) -> None:
    error = ask_a_failing_store(
        endpoint, StoreUnavailableError(f"sqlite:///home/{SECRET}", "it is locked", "try again")
    )

    assert error["message"].startswith("The store cannot be read now; try again.")
    assert error["extensions"]["code"] == "UNAVAILABLE"
    assert error["extensions"]["reference"] in caplog.text
    assert SECRET not in json.dumps(error) + caplog.text


@pytest.mark.parametrize(
    "error",
    [
        StoreError(f"sqlite:///home/{SECRET}", "it is broken", "restore it"),
        KeyError(SECRET),
        GraphQLError(SECRET),
        RecursionError(SECRET),
    ],
)
def test_every_other_failure_is_masked(
    endpoint: Any, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    told = ask_a_failing_store(endpoint, error)

    assert told["extensions"]["code"] == "INTERNAL_SERVER_ERROR"
    assert f"{told['extensions']['reference']}: {type(error).__name__} raised at" in caplog.text
    assert SECRET not in json.dumps(told) + caplog.text


def test_a_failure_outside_of_the_questions_is_500_and_masked(
    endpoint: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: FakeClock) -> int:
        raise OSError(SECRET)

    async def ask() -> Any:
        async with endpoint(events=False) as served:
            monkeypatch.setattr(FakeClock, "now_ms", broken)
            return await served.post(json={"query": "{ recorderHealth { running } }"})

    response = asyncio.run(ask())

    assert response.status_code == 500
    [error] = response.json()["errors"]
    assert error["extensions"]["code"] == "INTERNAL_SERVER_ERROR"
    assert SECRET not in response.text + caplog.text


def test_texts_and_lists_of_errors_are_bounded(caplog: pytest.LogCaptureFixture) -> None:
    long = QuestionError("error_type", "x" * 500, "give a shorter one")
    errors = [
        GraphQLError("x" * 5_000),
        GraphQLError("", original_error=long, path=["a"]),
        *[GraphQLError("", original_error=KeyError(), path=["b"]) for _ in range(100)],
    ]

    told = describe_errors(errors, suggest=True)

    assert len(told) == 20
    assert len(told[0]["message"]) == 1_001
    assert told[1]["message"] == f"errorType cannot be '{'x' * 99}…: give a shorter one."
    assert len(caplog.records) == 18


def test_the_sdl_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    sdl.main()

    assert "type Query {" in capsys.readouterr().out
