"""The operations that may be run where others are not: those that the frontends are made of."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from graphql import (
    REMOVE,
    FieldNode,
    FragmentDefinitionNode,
    GraphQLError,
    OperationDefinitionNode,
    Visitor,
    parse,
    print_ast,
    visit,
)
from graphql.language import DefinitionNode, DocumentNode, FragmentSpreadNode

from copilot_analytics.errors import ConfigurationError

__all__ = ["AllowList"]

_KEPT = 256


class AllowList:
    """Operations by the hash of what they say.

    An operation counts with the fragments that it uses, wherever they stand in a document; spaces,
    comments and `__typename`, which clients add by themselves, do not.

    Args:
        documents: GraphQL texts, each with one or several operations.

    Raises:
        ConfigurationError: there is no operation, or a text is no GraphQL.
    """

    def __init__(self, documents: Iterable[str]) -> None:
        found: set[str] = set()
        for text in documents:
            try:
                document = parse(text)
            except GraphQLError as exc:
                raise ConfigurationError(
                    "operations", text[:60], f"it is no GraphQL ({exc.message})"
                ) from None
            found.update(_digest(document, each) for each in _operations(document))
        if not found:
            raise ConfigurationError("operations", "an empty list", "give at least one operation")
        self._allowed = frozenset(found)

    @classmethod
    def read(cls, *paths: str | Path) -> AllowList:
        """Return the list of what is in files and, of folders, in their `*.graphql` files.

        Raises:
            ConfigurationError: one cannot be read, or is no GraphQL.
        """
        return cls(_texts(paths))

    def allows(self, text: str, name: str | None) -> bool:
        """Return whether an operation is listed.

        Args:
            text: a document's; one that can be parsed.
            name: the operation's name; None for the only one.
        """
        return bool(_digests(text, name) & self._allowed)


def _texts(paths: Iterable[str | Path]) -> Iterator[str]:
    for given in paths:
        path = Path(given)
        try:
            for file in sorted(path.glob("*.graphql")) if path.is_dir() else [path]:
                yield file.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as exc:
            raise ConfigurationError(
                "operations", str(path), f"it cannot be read ({type(exc).__name__})"
            ) from exc


@lru_cache(maxsize=_KEPT)
def _digests(text: str, name: str | None) -> frozenset[str]:
    document = parse(text)
    return frozenset(
        _digest(document, each)
        for each in _operations(document)
        if name is None or (each.name and each.name.value == name)
    )


def _operations(document: DocumentNode) -> Iterator[OperationDefinitionNode]:
    return (each for each in document.definitions if isinstance(each, OperationDefinitionNode))


def _digest(document: DocumentNode, operation: OperationDefinitionNode) -> str:
    fragments = {
        each.name.value: each
        for each in document.definitions
        if isinstance(each, FragmentDefinitionNode)
    }
    texts = {"": _said(operation)}
    waiting: list[DefinitionNode] = [operation]
    while waiting:
        for name in _spread_in(waiting.pop()) & (set(fragments) - set(texts)):
            texts[name] = _said(fragments[name])
            waiting.append(fragments[name])
    joined = "\n".join(texts[name] for name in sorted(texts))
    return hashlib.sha256(joined.encode("utf-8", "surrogatepass")).hexdigest()


class _WithoutTypename(Visitor):
    """Leaves out what clients add to every selection."""

    def enter_field(self, node: FieldNode, *_: Any) -> Any:
        return REMOVE if node.name.value == "__typename" and node.alias is None else None


class _Spreads(Visitor):
    """Notes which fragments are used."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def enter_fragment_spread(self, node: FragmentSpreadNode, *_: Any) -> None:
        self.names.add(node.name.value)


def _said(definition: DefinitionNode) -> str:
    return print_ast(visit(definition, _WithoutTypename()))


def _spread_in(definition: DefinitionNode) -> set[str]:
    spreads = _Spreads()
    visit(definition, spreads)
    return spreads.names
