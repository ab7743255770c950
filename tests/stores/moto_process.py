"""moto's DynamoDB as a process: prints its URL, and ends with its standard input.

Of its own, because it computes as much as the tests do, and because it takes what a busy copilot
writes only after repairs: it visits an expression by recursion, a level a change, two of its checks
look through all of the expression again at every level, each query sorts all of the table by slow
comparisons, and each value of an answer is searched for under the ten names it might have.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable
from typing import Any

from moto.core.serialize import JSONSerializer
from moto.dynamodb.models.table import Table
from moto.dynamodb.parsing import validators
from moto.server import ThreadedMotoServer

_CHECKS = (
    (validators.ActionCountValidator, "verify_action_counts"),
    (validators.OverlappingPathsValidator, "check_for_overlapping_paths"),
)


def _once(check: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Let a check look at whole expressions only."""

    def checked(self: Any, node: Any) -> Any:
        return node if node.parent is not None else check(self, node)

    return checked


def _all_items(table: Any) -> list[Any]:
    """Return a table's items in order of their keys, which are texts."""
    items = [item for partition in table.items.values() for item in partition.values()]
    return sorted(items, key=lambda item: (item.hash_key.value, item.range_key.value))


def _serialize_structure(self: Any, serialized: Any, value: Any, shape: Any, key: str) -> None:
    """Write a structure as moto does, but of an attribute's value only what there is."""
    if shape.name != "AttributeValue":
        _serialize_any_structure(self, serialized, value, shape, key)
        return
    written: dict[str, Any] = {}
    for name in value:
        member = shape.members[name]
        member.parent = shape
        self._serialize_structure_member(written, value, member, name)
    self._default_serialize(serialized, written, shape, key)


_serialize_any_structure = JSONSerializer._serialize_type_structure


def main() -> None:
    setattr(JSONSerializer, "_serialize_type_structure", _serialize_structure)  # noqa: B010
    setattr(Table, "all_items", _all_items)  # noqa: B010 - typed otherwise
    for validator, name in _CHECKS:
        setattr(validator, name, _once(getattr(validator, name)))
    sys.setrecursionlimit(100_000)
    threading.stack_size(64 * 2**20)
    logging.getLogger("werkzeug").setLevel(logging.WARNING)  # else it tells of every request
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    print(f"http://{host}:{port}", flush=True)  # noqa: T201
    sys.stdin.read()


if __name__ == "__main__":
    main()
