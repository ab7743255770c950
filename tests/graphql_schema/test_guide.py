"""docs/graphql.md: its queries are asked, its answers compared, its tables checked."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

import copilot_analytics_graphql
from copilot_analytics_graphql import Credentials, Limits, Principal

GUIDE = (Path(__file__).resolve().parents[2] / "docs" / "graphql.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", GUIDE, flags=re.MULTILINE | re.DOTALL)


def test_every_query_is_answered_and_as_shown(endpoint: Any) -> None:
    async def ask() -> int:
        compared = 0
        async with endpoint() as served:
            for (language, query), (next_language, shown) in zip(
                BLOCKS, [*BLOCKS[1:], ("", "")], strict=True
            ):
                if language == "graphql":
                    answer = await served.data(query)
                    if next_language == "json":
                        assert answer == json.loads(shown)
                        compared += 1
        return compared

    assert asyncio.run(ask()) == 1


PROGRAMS = [code for language, code in BLOCKS if language == "python"]
[FOLLOWING] = [code for code in PROGRAMS if "async def follow" in code]
PROGRAMS.remove(FOLLOWING)


def test_the_program_that_follows_prints_events(
    endpoint: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    names: dict[str, Any] = {}
    exec(compile(FOLLOWING, "docs/graphql.md", "exec"), names)

    async def run() -> None:
        async with endpoint() as served:
            following = asyncio.create_task(names["follow"](served.socket_url, served.admin))
            while not (printed := capsys.readouterr().out):
                served.analytics.service.track_command_execution("ada", "search", True)
                await asyncio.wait({following}, timeout=0.05)
            assert printed.startswith("{'missed': 0, 'event': {'eventType': 'ACTION_EXECUTED'}}")
            following.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await following

    asyncio.run(run())


@pytest.mark.parametrize("program", PROGRAMS, ids=["1", "2", "3"])
def test_programs_run(program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(compile(program, "docs/graphql.md", "exec"), names)

    if "app" in names:
        assert "/graphql" in {getattr(route, "path", None) for route in names["app"].routes}
        names["analytics"].close()
    else:
        scope = {"type": "http", "headers": [(b"authorization", b"Bearer a session's token")]}
        principal = asyncio.run(names["authenticate"](Credentials(scope)))
        assert principal == Principal("ada", "user", expires_at=1_900_000_000_000)


def test_the_curl_command_s_body_is_a_request(endpoint: Any) -> None:
    [body] = re.findall(r"-d '(.*)'", GUIDE)

    async def ask() -> Any:
        async with endpoint() as served:
            headers = {"content-type": "application/json"}
            return (await served.post(content=body, headers=headers)).json()

    assert asyncio.run(ask())["data"]["dashboard"]["summary"]["executions"]["value"] == 11


def test_the_limits_are_listed_as_they_are() -> None:
    listed = re.findall(r"^\| `(\w+)` \| ([\d,]+) \|", GUIDE, flags=re.MULTILINE)

    expected = [(field.name, f"{getattr(Limits(), field.name):,}") for field in fields(Limits)]
    assert listed == expected


def test_the_codes_are_listed() -> None:
    package = Path(copilot_analytics_graphql.__path__[0])
    used = {
        code
        for path in package.rglob("*.py")
        for code in re.findall(
            r'(?:RefusedError\(\s*|HTTPError\(\s*\d+,\s*|"code"\]? ?[:=] ?)"([A-Z_]+)"',
            path.read_text(),
        )
    }
    assert {"BAD_USER_INPUT", "FORBIDDEN", "TOO_LARGE"} <= used
    assert [code for code in sorted(used) if f"`{code}`" not in GUIDE] == []
