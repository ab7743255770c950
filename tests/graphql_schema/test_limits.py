"""What an operation may cost: each limit with its own error, and no text that takes long."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from graphql import GraphQLSyntaxError

from copilot_analytics_graphql.documents import prepare
from copilot_analytics_graphql.errors import RefusedError
from copilot_analytics_graphql.limits import Limits, Pricing
from copilot_analytics_graphql.prices import PRICES
from copilot_analytics_graphql.schema import core_schema

NOW_MS = 1_750_000_000_000
LIMITS = Limits()


def check(text: str, variables: Mapping[str, Any] | None = None, limits: Limits = LIMITS) -> None:
    prepared = prepare(text, limits)
    pricing = Pricing(core_schema(), PRICES, prepared.document, NOW_MS)
    pricing.check(prepared.operation(None), variables or {}, limits)


def refusal(text: str, variables: Mapping[str, Any] | None = None) -> str:
    with pytest.raises(RefusedError) as caught:
        check(text, variables)
    assert caught.value.extensions is not None
    assert caught.value.extensions["code"] == "LIMIT_EXCEEDED"
    return caught.value.message


def cost(text: str, variables: Mapping[str, Any] | None = None) -> int:
    """Find the cost by the smallest limit that lets it pass."""
    low, high = 0, 10_000_000
    while low < high:
        middle = (low + high) // 2
        try:
            check(text, variables, Limits(cost=middle))
        except RefusedError:
            low = middle + 1
        else:
            high = middle
    return low


NAMES = "{" + " ".join(f"a{n}" for n in range(301)) + "}"
ALIASES = "{" + " ".join(f"a{n}:b" for n in range(51)) + "}"
CHAIN = " ".join(f"fragment F{n} on Query {{ ...F{n + 1} }}" for n in range(50))
EXPONENTIAL = "query { ...F0 } " + " ".join(
    f"fragment F{n} on Query {{ ...F{n + 1} ...F{n + 1} ... on Query {{ ...F{n + 1} }} }}"
    for n in range(15)
)
NESTED_FIELDS = " ".join(
    f"fragment F{n} on Summary {{ a: x {{ ...F{n + 1} }} b: x {{ ...F{n + 1} }} }}"
    for n in range(15)
)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        pytest.param("{ a }" + " " * 20_000, "20005 characters", id="characters"),
        pytest.param("{" + " a" * 1_000 + "}", "too many tokens", id="tokens"),
        pytest.param("{a" * 60 + "}" * 60, "too many nested brackets", id="nesting"),
        pytest.param("{a(b:" + "[" * 1_500 + ")}", "too many nested brackets", id="lists"),
        pytest.param(
            "query(" + "$a:" + "[" * 500 + ")", "too many nested brackets", id="type references"
        ),
        pytest.param("{a" * 25 + "}" * 25, "25 levels of fields", id="depth"),
        pytest.param(NAMES, "301 fields", id="fields"),
        pytest.param("{" + " a" * 11 + "}", "11 fields of one name", id="repeats"),
        pytest.param("{" + " ...F" * 61 + "}", "61 uses of fragments", id="fragments"),
        pytest.param(ALIASES, "51 aliases", id="aliases"),
        pytest.param("{a" + " @skip(if:true)" * 51 + "}", "51 directives", id="directives"),
        pytest.param(" ".join(f"query Q{n}{{a}}" for n in range(21)), "21 operations", id="many"),
        pytest.param("{ ...F0 } " + CHAIN, "too many levels", id="chain of fragments"),
        pytest.param("{ a } " + CHAIN, "too many levels", id="unused chain of fragments"),
        pytest.param(
            "{ popularCommands(first: 1000) { ...P } b: popularCommands(first: 1000) { ...P } "
            "c: popularCommands(first: 1000) { ...P } "
            "d: errorPatterns(first: 1000) { edges { node { message count } } } } fragment P on "
            "PopularCommandConnection { edges { node { name executions failures successes "
            "successRate averageMs lastExecuted } } }",
            "would cost 27,2",
            id="cost",
        ),
    ],
)
def test_each_limit_says_what_and_how_much(text: str, what: str) -> None:
    assert what in refusal(text)


@pytest.mark.parametrize(
    "text",
    [
        EXPONENTIAL + " fragment F15 on Query { __typename }",
        EXPONENTIAL + " fragment F15 on Query { ...F0 }",
        "{ dashboard { summary { ...F0 } } } "
        + NESTED_FIELDS
        + " fragment F15 on Summary { activeUsersExact }",
        "{"
        + " dashboard { summary { ...F0 } }" * 30
        + "} fragment F0 on Summary {"
        + " activeUsersExact" * 300
        + "}",
        "{" + "dashboard{range{days}}" * 120 + "}",
    ],
    ids=["exponential", "cyclic", "exponential fields", "same names", "same objects"],
)
def test_hostile_texts_are_checked_in_no_time(text: str) -> None:
    """Each took seconds to forever with the usual limiters; here it ends, whatever the answer."""
    try:
        check(text)
    except RefusedError:
        return


def test_exponential_fields_are_counted_as_often_as_they_would_run() -> None:
    text = (
        "{ dashboard { summary { ...F0 } } } "
        + " ".join(
            f"fragment F{n} on Summary {{ a{n}: execution {{ count {{ value }} }} ...F{n + 1} }}"
            for n in range(3)
        )
        + " fragment F3 on Summary { activeUsersExact }"
    )

    assert cost(text) == 50 + 1 + 1 + 3 * 3 + 1


@pytest.mark.parametrize(
    ("text", "variables", "price"),
    [
        ("{ __typename }", {}, 1),
        ("{ recorderHealth { running } }", {}, 52),
        ("{ recorderHealth { errors { name count } } }", {}, 50 + 1 + 1 + 20 * 2),
        ("{ popularCommands { edges { node { name } } } }", {}, 52 + 10 * 2),
        ("{ popularCommands(first: 7) { edges { node { name lastExecuted } } } }", {}, 52 + 7 * 3),
        ("query($n: Int!) { users(first: $n) { edges { cursor } } }", {"n": 300}, 52 + 300),
        ("query($n: Int! = 40) { users(first: $n) { edges { cursor } } }", {}, 52 + 40),
        ("query($n: Int! = 40) { users(first: $n) { edges { cursor } } }", {"n": 2}, 52 + 2),
        ("{ popularCommands(first: 999999999) { edges { node { name } } } }", {}, 52 + 1000 * 2),
        ("{ popularCommands(first: -5) { edges { node { name } } } }", {}, 52 + 2),
        ("{ errorPatterns(first: 3) { edges { node { affectedUserIds } } } }", {}, 52 + 3 * 102),
        ("{ dashboard(top: 9) { topCommands { name } } }", {}, 50 + 1 + 1 + 9),
        ("{ dashboard(top: 9) { topErrors { trend { daily { at } } } } }", {},
         52 + 9 * (30 + 1 + 1 + 30)),
        ("{ popularCommands(first: 9) { edges { node { stats { series { values } } } } } }", {},
         52 + 9 * (1 + 30 + 50 + 1 + 30)),
        ('{ commandStats(name: "a", range: {preset: TODAY}) { series { at } } }', {}, 51 + 50 + 2),
        ("{ timeSeries(metric: EVENTS, groupBy: INTENT, top: 3) { parts { name values } } }", {},
         51 + 1 + 3 * (1 + 1 + 30)),
        ("{ intents(first: 4) { edges { node { commands { name } confidence { bins } } } } }", {},
         52 + 4 * (1 + 1 + 20 + 1 + 1 + 20)),
        ("{ dashboard { summary { events { type } } } }", {}, 50 + 1 + 1 + 1 + 14),
        ("{ userActivity { days { day } } }", {}, 50 + 1 + 1 + 30),
        (
            "query($r: DateRange) { userActivity(range: $r) { days { day } } }",
            {"r": {"start": "2025-01-01", "end": "2025-01-10"}},
            50 + 1 + 1 + 10,
        ),
        (
            "{ userActivity(range: {preset: LAST_7_DAYS}) { days { day } } }",
            {},
            50 + 1 + 1 + 7,
        ),
        (
            '{ userActivity(range: {start: "2025-01-09", end: "2025-01-01"}) { days { day } } }',
            {},
            50 + 1 + 1 + 1,
        ),
        ("{ timeSeries(metric: EVENTS, interval: HOUR) { at } }", {}, 50 + 1 + 1 + 720),
        ("{ timeSeries(metric: EVENTS) { at values } }", {}, 50 + 1 + 2 * (1 + 30)),
        ("{ ...F } fragment F on Query { users(first: 5) { edges { cursor } } }", {}, 52 + 5),
        ("{ ... { popularCommands(first: 5) { edges { node { name } } } } }", {}, 52 + 5 * 2),
        ("{ ... on Query { users(first: 5) { edges { cursor } } } }", {}, 52 + 5),
        ("{ a: recorderHealth { ...H } b: recorderHealth { ...H } } "
         "fragment H on RecorderHealth { running accepted }", {}, 2 * 53),
    ],
)  # fmt: skip
def test_lists_multiply_what_is_in_them(
    text: str, variables: Mapping[str, Any], price: int
) -> None:
    assert cost(text, variables) == price


@pytest.mark.parametrize(
    "variables",
    [
        {"r": 5},
        {"r": []},
        {"r": {"start": 5, "end": {}}},
        {"r": {"preset": "NEVER"}},
        {"r": {"preset": ["TODAY"]}},
        {"r": {"start": "x" * 1000}},
        {"r": {"preset": "TODAY", "start": "2025-01-01"}},
        {},
    ],
)
def test_a_price_survives_nonsense(variables: Mapping[str, Any]) -> None:
    check("query($r: DateRange) { userActivity(range: $r) { days { day } } }", variables)


@pytest.mark.parametrize(
    ("text", "name", "message"),
    [
        ("query A { __typename } query B { __typename }", None, "give operationName"),
        ("query A { __typename }", "C", "no operation of that name"),
        ("fragment F on Query { __typename }", None, "no operation"),
    ],
)
def test_what_cannot_be_run_says_why(text: str, name: str | None, message: str) -> None:
    with pytest.raises(RefusedError, match=message):
        prepare(text, LIMITS).operation(name)


@pytest.mark.parametrize("text", ["", "{", "{ \x00 }", '{ a(b: "\\uD800") }', "{ a } }", "é"])
def test_what_is_no_graphql_is_a_syntax_error(text: str) -> None:
    with pytest.raises(GraphQLSyntaxError):
        prepare(text, LIMITS)
