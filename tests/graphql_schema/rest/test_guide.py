"""docs/rest.md: its requests are made, its answers compared, its programs run."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

GUIDE = (Path(__file__).resolve().parents[3] / "docs" / "rest.md").read_text()
REQUESTS = re.findall(r"^`GET /analytics(\S+)`\n\n```json\n(.*?)^```", GUIDE, re.M | re.S)
PROGRAMS = re.findall(r"^```python\n(.*?)^```", GUIDE, re.M | re.S)


def test_there_is_an_answer_of_every_kind() -> None:
    assert len(REQUESTS) == GUIDE.count("```json") == 6


@pytest.mark.parametrize(("path", "shown"), REQUESTS, ids=[path for path, _ in REQUESTS])
def test_request_is_answered_as_shown(story: Any, path: str, shown: str) -> None:
    assert story.get(path).json() == json.loads(shown)


@pytest.mark.parametrize("program", PROGRAMS, ids=["starlette", "fastapi"])
def test_program_runs(program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(compile(program, "docs/rest.md", "exec"), names)

    paths = {getattr(route, "path", None) for route in names["app"].routes}
    assert "/api/copilot/analytics/dashboard" in paths
    names["analytics"].close()
