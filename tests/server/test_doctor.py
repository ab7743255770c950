"""`copilot-analytics doctor`: everything that can be wrong is found, with what to do."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from copilot_analytics.batch import Batch
from copilot_analytics.events import AnalyticsEvent, EventType
from copilot_analytics.periods import DAY_MS
from copilot_analytics.store_samples import event, numbered
from copilot_analytics.stores import SQLiteStore
from copilot_analytics.typing import SystemClock

from ..stores.dynamodb_engines import Engine

Tell = Callable[..., Any]


def findings(tell: Tell, *arguments: str, **variables: str) -> dict[str, list[dict[str, Any]]]:
    """What is found, by state."""
    done = tell("doctor", "--json", *arguments, **variables)
    answer = json.loads(done.out)
    by_state: dict[str, list[dict[str, Any]]] = {"ok": [], "note": [], "problem": []}
    for finding in answer["findings"]:
        by_state[finding["state"]].append(finding)
    assert done.status == (1 if by_state["problem"] else 0)
    assert answer["problems"] == len(by_state["problem"])
    for finding in by_state["note"] + by_state["problem"]:
        assert finding["remedy"], finding
    return by_state


def write(url: str, *events: AnalyticsEvent) -> None:
    with SQLiteStore(url) as store:
        store.write(Batch("w", numbered(list(events))))


def test_a_store_that_is_used_is_well(tell: Tell, filled: str, tmp_path: Path) -> None:
    Path(filled.removeprefix("sqlite:///")).chmod(0o600)

    found = findings(tell, COPILOT_ANALYTICS_PSEUDONYMISE_KEY="k" * 32)
    said = tell("doctor", COPILOT_ANALYTICS_PSEUDONYMISE_KEY="k" * 32)

    assert found["problem"] == found["note"] == []
    assert {one["check"] for one in found["ok"]} >= {
        *("version", "settings", "extras", "privacy", "retention"),
        *("spool", "store", "clock", "events", "frames", "users"),
    }
    assert "No problem found." in said.out


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize(
    ("variables", "state", "check", "said"),
    [
        ({"COPILOT_ANALYTICS_FLUSH_INTERVAL": "soon"}, "problem", "settings", "'soon'"),
        ({"COPILOT_ANALYTICS_ENABLED": "0"}, "problem", "settings", "switched off"),
        ({"COPILOT_ANALYTICS_STOER": "x"}, "note", "settings", "COPILOT_ANALYTICS_STORE?"),
        ({"COPILOT_ANALYTICS_TRUST_CLIENT_IDENTITY": "1"}, "note", "privacy", "believed"),
        ({"COPILOT_ANALYTICS_ROLLUP_RETENTION_DAYS": "100"}, "note", "retention", "50 days"),
        ({"COPILOT_ANALYTICS_TOKENS": "nowhere.json"}, "problem", "tokens", "nowhere.json"),
        (
            {"COPILOT_ANALYTICS_SPOOL": "on", "COPILOT_ANALYTICS_SPOOL_DIR": "/dev/null/x"},
            "problem",
            "spool",
            "/dev/null cannot be written to",
        ),
        (
            {"COPILOT_ANALYTICS_SPOOL": "on", "COPILOT_ANALYTICS_SPOOL_MAX_BYTES": str(1 << 40)},
            "problem",
            "spool",
            "may grow to",
        ),
    ],
)
def test_what_is_set_wrong_is_found(
    tell: Tell, variables: dict[str, str], state: str, check: str, said: str
) -> None:
    found = findings(tell, **variables)

    assert any(one["check"] == check and said in one["found"] for one in found[state]), found


@pytest.mark.usefixtures("filled")
def test_tokens_that_are_good_or_not_are_told(tell: Tell) -> None:
    assert tell("token", "create", "grafana", "--tokens", "t.json").status == 0

    assert any(
        one["found"].startswith("1 of 1 in t.json")
        for one in findings(tell, "--tokens", "t.json")["ok"]
    )
    assert tell("token", "revoke", "grafana", "--tokens", "t.json").status == 0
    [problem] = findings(tell, "--tokens", "t.json")["problem"]
    assert "token create" in problem["remedy"]


@pytest.mark.usefixtures("filled")
def test_a_missing_extra_is_found(tell: Tell, monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ("websockets", "starlette"):
        monkeypatch.setitem(sys.modules, package, None)

    [problem] = findings(tell)["problem"]

    assert problem["check"] == "extras"
    assert "pip install" in problem["remedy"]


def test_frames_that_nobody_understands_are_found(tell: Tell, empty: str) -> None:
    """Connections without a single message or command, all of them anonymous."""
    now_ms = SystemClock().now_ms()
    write(empty, event(EventType.WEBSOCKET_CONNECTED, "anonymous:w-1", at=now_ms, anonymous=True))

    found = findings(tell)

    assert [one["check"] for one in found["problem"]] == ["frames"]
    assert "COPILOT_ANALYTICS_ADAPTER" in found["problem"][0]["remedy"]
    assert "users" in {one["check"] for one in found["note"]}


def test_silence_is_found(tell: Tell, empty: str) -> None:
    write(empty, event(EventType.MESSAGE_SENT, "ada", at=SystemClock().now_ms() - 3 * DAY_MS))

    assert any("3 days ago" in one["found"] for one in findings(tell)["note"])


def test_a_clock_that_is_ahead_is_found(tell: Tell, empty: str) -> None:
    write(empty, event(EventType.MESSAGE_SENT, "ada", at=SystemClock().now_ms() + 3_600_000))

    [problem] = findings(tell)["problem"]
    assert (problem["check"], "NTP" in problem["remedy"]) == ("clock", True)


def test_commands_that_mostly_fail_are_found(tell: Tell, empty: str) -> None:
    now_ms = SystemClock().now_ms()
    write(empty, event(EventType.ACTION_FAILED, "ada", at=now_ms, command_name="search"))

    assert "commands" in {one["check"] for one in findings(tell)["note"]}


def test_a_file_that_others_may_read_is_found(tell: Tell, filled: str) -> None:
    Path(filled.removeprefix("sqlite:///")).chmod(0o644)

    assert any("chmod 600" in one["remedy"] for one in findings(tell)["note"])


def test_a_file_that_is_no_store_is_found(tell: Tell, tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("Dear reader, " * 100)

    [problem] = findings(tell, "--store", "sqlite:///letter.txt")["problem"]
    assert "no SQLite database" in problem["found"]


def test_a_folder_that_is_not_there_is_found(tell: Tell) -> None:
    [problem] = findings(tell, "--store", "sqlite:///no/such/x.db")["problem"]
    assert "no/such" in problem["found"]


def test_a_table_is_compared_and_what_it_lacks_is_found(tell: Tell, engine: Engine) -> None:
    """Whether it can be written to is tried in a way that changes nothing."""
    store = f"dynamodb://{engine.new_table_name()}?endpoint={engine.endpoint_url}"

    [absent] = findings(tell, "--store", store)["problem"]
    assert "copilot-analytics table create" in absent["remedy"]

    assert tell("table", "create", "--store", store).status == 0
    found = findings(tell, "--store", store)
    assert {"permissions", "table", "spool"} <= {one["check"] for one in found["ok"]}
    assert [one["check"] for one in found["problem"]] == ["events"]
