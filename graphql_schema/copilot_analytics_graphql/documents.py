"""Texts become documents here: checked, parsed and validated once, then kept for a while."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from graphql import GraphQLError, OperationDefinitionNode, parse, validate
from graphql.language import DocumentNode

from .errors import RefusedError
from .limits import Limits, check_structure, check_text, fields_of
from .schema import core_schema

__all__ = ["Prepared", "prepare"]

_KEPT = 64
"""Documents; one at its limits takes about a megabyte."""

_MAX_ERRORS = 20
"""Each looks for the name that may have been meant, which takes milliseconds."""

_INTROSPECTION = frozenset({"__schema", "__type"})
_PERSONAL = frozenset({"url"})


@dataclass(frozen=True, slots=True)
class Prepared:
    """A text that was parsed and validated.

    Attributes:
        document: what it says.
        errors: what validation says.
        introspects: whether it asks for the schema.
        is_personal: whether it asks for what is made for one principal, such as a signed link.
    """

    document: DocumentNode
    errors: tuple[GraphQLError, ...]
    introspects: bool
    is_personal: bool

    def operation(self, name: str | None) -> OperationDefinitionNode:
        """Return the operation to run: the one of that name, or the only one.

        Raises:
            RefusedError: there is none, or there are several.
        """
        found = [
            definition
            for definition in self.document.definitions
            if isinstance(definition, OperationDefinitionNode)
            and (name is None or (definition.name and definition.name.value == name))
        ]
        if not found:
            raise RefusedError(
                "BAD_REQUEST", "The text has no operation of that name: give one that it has."
            )
        if len(found) > 1:
            raise RefusedError(
                "BAD_REQUEST", "The text has several operations: give operationName."
            )
        return found[0]


@lru_cache(maxsize=_KEPT)
def prepare(text: str, limits: Limits) -> Prepared:
    """Return a text's document.

    Raises:
        RefusedError: it exceeds a limit.
        GraphQLSyntaxError: it is no GraphQL.
    """
    check_text(text, limits)
    document = parse(text)
    check_structure(document, limits)
    names = {field.name.value for field in fields_of(document)}
    return Prepared(
        document,
        tuple(validate(core_schema(), document, max_errors=_MAX_ERRORS)),
        not names.isdisjoint(_INTROSPECTION),
        not names.isdisjoint(_PERSONAL),
    )
