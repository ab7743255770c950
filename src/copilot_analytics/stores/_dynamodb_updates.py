"""One conditional update of one item, as an UpdateItem request.

Names and values reach the expressions through placeholders only, so that no user's text is ever
part of one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ._dynamodb_items import Item
from ._dynamodb_keys import Key
from ._dynamodb_table import PARTITION_KEY, SORT_KEY

__all__ = ["MAX_CHANGES", "Update", "item_key"]

MAX_CHANGES = 220
"""Changes in one update: an expression takes 300 operators, those of its conditions included, and
4,096 bytes; a change is about 9 of them."""

_Value = Mapping[str, Any]
_Comparison = tuple[str, str, _Value]


def item_key(key: Key) -> Item:
    """Return a key as requests have it."""
    return {PARTITION_KEY: {"S": key[0]}, SORT_KEY: {"S": key[1]}}


class Update:
    """What is to change in one item, and on which conditions; all hold, or nothing changes.

    Args:
        key: the item's key; without the item one is made.
    """

    __slots__ = ("_clauses", "_conditions", "_key", "_names", "_values")

    def __init__(self, key: Key) -> None:
        self._key = key
        self._clauses: dict[str, list[str]] = {}
        self._conditions: list[str] = []
        self._names: dict[str, str] = {}
        self._values: dict[str, _Value] = {}

    @property
    def changes(self) -> int:
        """How many attributes it changes, see `MAX_CHANGES`."""
        return sum(map(len, self._clauses.values()))

    def set(self, attribute: str, value: _Value) -> None:
        """Set an attribute."""
        self._clause("SET", f"{self._name(attribute)}={self._value(value)}")

    def set_once(self, attribute: str, value: _Value) -> None:
        """Set an attribute that is not there, and leave one that is."""
        name = self._name(attribute)
        self._clause("SET", f"{name}=if_not_exists({name},{self._value(value)})")

    def add(self, attribute: str, value: _Value) -> None:
        """Add to a number, or members to a set; without one it starts from nothing."""
        self._clause("ADD", f"{self._name(attribute)} {self._value(value)}")

    def delete(self, attribute: str, members: _Value) -> None:
        """Remove members from a set."""
        self._clause("DELETE", f"{self._name(attribute)} {self._value(members)}")

    def require_absent_or(self, attribute: str, *cases: Sequence[_Comparison]) -> None:
        """Require that an attribute is not there, or that one of some cases holds.

        Args:
            attribute: what may be missing.
            cases: comparisons that all have to hold: an attribute, an operator and a value.
        """
        alternatives = [f"attribute_not_exists({self._name(attribute)})"]
        for case in cases:
            comparisons = (f"{self._name(name)}{sign}{self._value(v)}" for name, sign, v in case)
            alternatives.append(f"({' AND '.join(comparisons)})")
        self._conditions.append(f"({' OR '.join(alternatives)})")

    def require_present(self) -> None:
        """Require that there is such an item."""
        self._conditions.append(f"attribute_exists({self._name(PARTITION_KEY)})")

    def require_smaller(self, attribute: str, members: int) -> None:
        """Require that a set is not there, or has fewer members."""
        name = self._name(attribute)
        size = f"size({name})<{self._value({'N': str(members)})}"
        self._conditions.append(f"(attribute_not_exists({name}) OR {size})")

    def request(self, table: str, *, returned: str = "NONE") -> dict[str, Any]:
        """Return the request; a refusal brings the item as it is.

        Args:
            table: the table's name.
            returned: what a success brings: `NONE`, or `ALL_NEW`.
        """
        request: dict[str, Any] = {
            "TableName": table,
            "Key": item_key(self._key),
            "UpdateExpression": " ".join(
                f"{verb} {','.join(changes)}" for verb, changes in self._clauses.items()
            ),
            "ExpressionAttributeNames": {
                placeholder: name for name, placeholder in self._names.items()
            },
            "ExpressionAttributeValues": self._values,
            "ReturnValues": returned,
        }
        if self._conditions:
            request["ConditionExpression"] = " AND ".join(self._conditions)
            request["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
        return request

    def _clause(self, verb: str, change: str) -> None:
        self._clauses.setdefault(verb, []).append(change)

    def _name(self, attribute: str) -> str:
        return self._names.setdefault(attribute, f"#{len(self._names)}")

    def _value(self, value: _Value) -> str:
        placeholder = f":{len(self._values)}"
        self._values[placeholder] = value
        return placeholder
