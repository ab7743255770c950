from __future__ import annotations

import random

import pytest

from copilot_analytics.server.sample_copilot import (
    COMMANDS,
    Ending,
    Request,
    Scenario,
    sample_requests,
)
from copilot_analytics.server.tally import Tally


@pytest.mark.parametrize("scenario", list(Scenario))
def test_request_survives_its_own_text(scenario: Scenario) -> None:
    request = Request(scenario, COMMANDS[3], 42)

    assert Request.parse(request.text()) == request


@pytest.mark.parametrize(
    "text", ["", "hello", "[nonsense]", "[answer|no-such|1]", "[answer|x", "[|"]
)
def test_request_of_anything_else_is_a_plain_answer(text: str) -> None:
    assert Request.parse(text) == Request(Scenario.ANSWER, COMMANDS[0], 0)


@pytest.mark.parametrize("scenario", list(Scenario))
def test_script_is_the_same_each_time(scenario: Scenario) -> None:
    """The server and the simulator write it apart from each other and must agree."""
    request = Request(scenario, COMMANDS[1], 7)

    assert request.script("c-1") == request.script("c-1")
    assert request.script("c-1").tally.messages == 1


def test_script_says_how_the_connection_ends() -> None:
    assert Request(Scenario.LEAVE, COMMANDS[0], 1).script("c").ending is Ending.CLIENT_LEAVES
    crash = Request(Scenario.CRASH, COMMANDS[0], 1).script("c")
    assert crash.ending is Ending.HANDLER_RAISES
    assert crash.failure
    assert Request(Scenario.ANSWER, COMMANDS[0], 1).script("c").ending is Ending.OPEN


def test_session_ends_with_what_ends_its_connection() -> None:
    for seed in range(200):
        scenarios = [r.scenario for r in sample_requests(random.Random(seed), 9)]

        assert 1 <= len(scenarios) <= 9
        assert not {Scenario.LEAVE, Scenario.CRASH} & set(scenarios[:-1])


def test_sessions_show_every_scenario() -> None:
    source = random.Random(1)
    seen = {r.scenario for _ in range(300) for r in sample_requests(source, 9)}

    assert seen == set(Scenario)


def test_tally_adds_up() -> None:
    left, right = Tally(messages=1, users={"a"}), Tally(messages=2, users={"a", "b"})
    left.execution("x", success=True)
    right.execution("x", success=False)
    left.add(right)

    assert dict(left.figures()) == {
        **{name: 0 for name, value in Tally().figures() if value == 0},
        "messages": 3,
        "executions": 2,
        "executions of x": 2,
        "failures": 1,
        "failures of x": 1,
        "users": 2,
    }
