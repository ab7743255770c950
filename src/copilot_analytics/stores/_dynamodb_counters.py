"""Which attribute of an item holds which counter of a rollup; the names are for good.

Every counter is a number attribute of its own at the top of the item, because only there `ADD` and
conditions reach it:

* the columns of `StatsIndex`: a command's six, `count`, `first`, `last` and `c1` to `c11`, of which
  each kind uses the first few, see `COLUMNS`;
* families of counters: a prefix and what the family is of, see `FAMILIES`;
* everything else under `n_` and its name.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from ..rollups import NUMBERED_FAMILIES, RollupKind

__all__ = ["COLUMNS", "FAMILIES", "attribute_of", "counter_of", "counter_values", "counters_of"]

_MILLISECONDS = "totalExecutionTime"
"""The original's one sum that is not of integers: milliseconds, here with three decimals."""

COLUMNS: Mapping[RollupKind, Mapping[str, str]] = MappingProxyType(
    {
        RollupKind.ACTIVITY: {},
        RollupKind.COMMAND: {
            "executions": "totalExecutions",
            "successes": "successfulExecutions",
            "failures": "failedExecutions",
            "execution_us": _MILLISECONDS,
            "execution_samples": "c1",
        },
        RollupKind.INTENT: {"count": "count", "clarifications": "c1", "failures": "c2"},
        RollupKind.ERROR: {"count": "count"},
        RollupKind.PATTERN: {"count": "count"},
        RollupKind.USER: {
            "messages": "c1",
            "executions": "c2",
            "failures": "c3",
            "errors": "c4",
            "connections": "c5",
        },
    }
)
"""The attributes of the headline counters, which `StatsIndex` holds too; never renamed."""

FAMILIES: Mapping[str, str] = MappingProxyType(
    {
        "x.": "h",
        "t.": "t",
        "s.": "s",
        "k.": "k",
        "c.": "b",
        "e.": "e_",
        "end.": "end_",
        "close.": "close_",
        "error.": "error_",
        "command.": "command_",
    }
)
"""How the attributes of a family of counters start, by how the counters do; never renamed."""

_NAMED = {attribute: family for family, attribute in FAMILIES.items() if attribute.endswith("_")}
_NUMBERED = {FAMILIES[family]: family for family in NUMBERED_FAMILIES}
_OTHER = "n_"


def attribute_of(kind: RollupKind, counter: str) -> str:
    """Return the attribute of a kind's counter."""
    column = COLUMNS[kind].get(counter)
    if column is not None:
        return column
    family, dot, member = counter.partition(".")
    prefix = FAMILIES.get(family + dot)
    return f"{_OTHER}{counter}" if prefix is None else prefix + member


@lru_cache(maxsize=16_384)
def counter_of(kind: RollupKind, attribute: str) -> str | None:
    """Return the counter of an attribute; None where it is no counter's."""
    counter = _COUNTERS[kind].get(attribute)
    if counter is not None:
        return counter
    family = _NUMBERED.get(attribute[:1])
    if family is not None and attribute[1:].lstrip("-").isdigit():
        return family + attribute[1:]
    head, underscore, member = attribute.partition("_")
    if head + underscore == _OTHER:
        return member
    family = _NAMED.get(head + underscore)
    return None if family is None else family + member


_COUNTERS = {
    kind: {attribute: counter for counter, attribute in columns.items()}
    for kind, columns in COLUMNS.items()
}


def counter_values(kind: RollupKind, counters: Mapping[str, int]) -> dict[str, dict[str, str]]:
    """Return what to add to each attribute of a rollup."""
    values = {}
    for counter, count in counters.items():
        attribute = attribute_of(kind, counter)
        if attribute == _MILLISECONDS:
            values[attribute] = {"N": f"{count // 1000}.{count % 1000:03}"}
        else:
            values[attribute] = {"N": str(count)}
    return values


def counters_of(kind: RollupKind, item: Mapping[str, Any]) -> dict[str, int]:
    """Return the counters of an item, or of its row in `StatsIndex`, which has headlines only."""
    counters = {}
    for attribute, value in item.items():
        counter = counter_of(kind, attribute)
        if counter is not None:
            content = value["N"]
            counters[counter] = (
                int(Decimal(content) * 1000) if attribute == _MILLISECONDS else int(content)
            )
    return counters
