"""What a hundred ask at once while nothing is held: it costs one reading of the store."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from copilot_analytics.stores.base import Store
from copilot_analytics.stores.sqlite import SQLiteStore

ASKED = 100
READS = ("totals", "series", "distinct", "patterns", "generations", "events")
FIELDS = ("executions { value }", "successRate { value }", "messages { value }")


class Reads(Counter[str]):
    """Counts what is read of a store, by the read's name."""

    def __init__(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__()
        for name in READS:
            monkeypatch.setattr(store, name, self._counted(name, getattr(store, name)))

    def _counted(self, name: str, read: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any, **options: Any) -> Any:
            self[name] += 1
            return read(*arguments, **options)

        return counted


def dashboard(days: str, fields: str = FIELDS[0], name: str = "Q") -> str:
    return f"query {name} {{ dashboard({days}) {{ summary {{ {fields} }} }} }}"


@pytest.mark.parametrize(
    "days",
    ["range: {preset: LAST_7_DAYS}", 'range: {start: "2025-05-01", end: "2025-05-10"}'],
    ids=["with today", "over"],
)
@pytest.mark.parametrize("texts", ["the same text", "a text of their own", "other fields"])
def test_a_hundred_cold_queries_read_the_store_once(
    endpoint: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, days: str, texts: str
) -> None:
    asked = {
        "the same text": [dashboard(days)] * ASKED,
        "a text of their own": [dashboard(days, name=f"Q{n}") for n in range(ASKED)],
        "other fields": [dashboard(days, FIELDS[n % len(FIELDS)]) for n in range(ASKED)],
    }[texts]

    async def reads(queries: Sequence[str], name: str) -> tuple[Counter[str], list[Any]]:
        store = SQLiteStore(tmp_path / name)
        try:
            async with endpoint(store) as served:
                counted = Reads(store, monkeypatch)
                answers = await asyncio.gather(*(served.data(query) for query in queries))
                return counted, answers
        finally:
            store.close()

    async def compare() -> tuple[tuple[Counter[str], list[Any]], ...]:
        return await reads(asked[:1], "one.db"), await reads(asked, "many.db")

    (one, _), (many, answers) = asyncio.run(compare())

    assert one
    assert many == one
    assert len(answers) == ASKED
    figures = [answer["dashboard"]["summary"] for answer in answers]
    assert all(figures[n] == figures[n % len(FIELDS)] for n in range(ASKED))
