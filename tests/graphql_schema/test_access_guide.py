"""docs/access.md: its programs run, and its defaults are the code's."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from copilot_analytics_graphql import RateLimit

GUIDE = (Path(__file__).resolve().parents[2] / "docs" / "access.md").read_text()
PROGRAMS = re.findall(r"^```python\n(.*?)^```", GUIDE, flags=re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("program", PROGRAMS, ids=range(len(PROGRAMS)))
def test_programs_run(program: str) -> None:
    names: dict[str, Any] = {}
    exec(compile(program, "docs/access.md", "exec"), names)

    assert {"authenticator", "authenticate", "by_rule", "operations"} & set(names)


def test_the_rates_are_the_code_s() -> None:
    shown = re.findall(r"^\| `(\w+)`, `(\w+)` \| (\d+), (\d+) \|", GUIDE, flags=re.MULTILINE)

    limits = RateLimit()
    assert [(int(rate), int(burst)) for _, _, rate, burst in shown] == [
        (limits.per_second, limits.burst),
        (limits.denials_per_second, limits.denial_burst),
    ]
